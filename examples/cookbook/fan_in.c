/* SPDX-License-Identifier: MIT */
/* Several producers, one consumer, one channel. Each producer holds an end of the sending side; when
 * the last end is released, the consumer finds the channel closed. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

struct producer {
    nido_chan *chan;
    int first;
};

static int produce(void *arg)
{
    const struct producer *producer = arg;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        int item = producer->first + i;
        rc = nido_chan_send(producer->chan, &item);
    }
    nido_chan_release_send(producer->chan);
    return rc;
}

static int add_all(nido_chan *chan)
{
    int item, rc, sum = 0;
    while ((rc = nido_chan_recv(chan, &item)) == 0) sum += item;
    return rc == -EPIPE ? sum : rc;
}

static int app(void *unused)
{
    nido_group group;
    nido_chan *chan;
    (void)unused;
    int rc = nido_chan_new(sizeof(int), 4, NULL, NULL, &chan);
    if (rc < 0) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "producers");
    for (int i = 1; i <= 3 && rc == 0; i++) {
        struct producer producer = {chan, 100 * i};
        nido_chan_retain_send(chan);
        rc = nido_spawn_copy(&group, produce, &producer, sizeof producer);
    }
    nido_chan_release_send(chan); /* the end that nido_chan_new has made */
    if (rc == 0) rc = add_all(chan);
    rc = nido_group_close(&group, rc);
    nido_chan_free(chan);
    printf("sum: %d\n", rc);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * sum: 1809
 */

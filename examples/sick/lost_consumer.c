/* SPDX-License-Identifier: MIT */
/* sick/lost_consumer: the consumer of a channel ends, and its producer waits for ever.
 *
 * The consumer stops at the first bad item and tells nobody: the producer fills the channel and sleeps. Nothing can wake
 * it, which nido sees. The cure: what ends, closes its side (nido_chan_close_recv), and the producer gets -EPIPE.
 *
 *     ./sick_lost_consumer         ./sick_lost_consumer cured
 */
#include <errno.h>
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>

static bool cured;

static nido_chan *work;

static int produce(void *unused)
{
    int rc = 0;
    (void)unused;
    nido_set_name("producer");
    for (int i = 0; i < 10 && rc == 0; i++) rc = nido_chan_send(work, &i);
    return rc == -EPIPE ? 0 : rc;
}

static int consume(void *unused)
{
    int item = 0, rc = 0;
    (void)unused;
    nido_set_name("consumer");
    while (rc == 0 && item < 3) rc = nido_chan_recv(work, &item);
    return cured ? nido_chan_close_recv(work) : rc; /* the fault: the channel stays as it is */
}

static int app(void *unused)
{
    nido_group stages;
    int rc = nido_chan_new(sizeof(int), 4, NULL, NULL, &work);
    if (rc < 0) return rc;
    nido_chan_set_name(work, "work");
    nido_group_open(&stages, NIDO_FAIL_FAST, "stages");
    rc = nido_spawn(&stages, produce, unused);
    if (rc == 0) rc = nido_spawn(&stages, consume, unused);
    rc = nido_group_close(&stages, rc);
    nido_chan_free(work);
    return rc;
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "lost_consumer: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}

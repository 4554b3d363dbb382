/* SPDX-License-Identifier: MIT */
/* Three stages with channels between them. A stage that is done closes its output, and so the end goes
 * down the line; a slow stage holds up those before it. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

struct stage {
    nido_chan *in, *out;
};

static int count(void *arg)
{
    struct stage *stage = arg;
    int rc = 0;
    for (int i = 1; i <= 4 && rc == 0; i++) rc = nido_chan_send(stage->out, &i);
    nido_chan_close_send(stage->out);
    return rc;
}

static int square(void *arg)
{
    struct stage *stage = arg;
    int item, rc;
    while ((rc = nido_chan_recv(stage->in, &item)) == 0) {
        item *= item;
        if ((rc = nido_chan_send(stage->out, &item)) < 0) break;
    }
    nido_chan_close_send(stage->out);
    return rc == -EPIPE ? 0 : rc;
}

static int print(void *arg)
{
    struct stage *stage = arg;
    int item, rc;
    while ((rc = nido_chan_recv(stage->in, &item)) == 0) printf("%d\n", item);
    return rc == -EPIPE ? 0 : rc;
}

static int app(void *unused)
{
    nido_chan a, b; /* of capacity 0: a send meets its receive */
    struct stage first = {NULL, &a}, second = {&a, &b}, last = {&b, NULL};
    nido_group stages;
    (void)unused;
    int rc = nido_chan_init(&a, sizeof(int), 0, NULL, NULL, NULL, "numbers");
    if (rc == 0) rc = nido_chan_init(&b, sizeof(int), 0, NULL, NULL, NULL, "squares");
    if (rc < 0) return rc;
    nido_group_open(&stages, NIDO_FAIL_FAST, "stages");
    rc = nido_spawn(&stages, count, &first);
    if (rc == 0) rc = nido_spawn(&stages, square, &second);
    if (rc == 0) rc = nido_spawn(&stages, print, &last);
    rc = nido_group_close(&stages, rc);
    nido_chan_deinit(&b);
    nido_chan_deinit(&a);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * 1
 * 4
 * 9
 * 16
 */

/* SPDX-License-Identifier: MIT */
/* Changes come in bursts, and the work is done once for each burst: when nothing has changed for 100 ms. */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>

static int rebuild(void *changes)
{
    int change, rc;
    while ((rc = nido_chan_recv(changes, &change)) == 0) {
        int count = 1;
        while (!(rc = NIDO_TIMEOUT(NIDO_MS(100), nido_chan_recv(changes, &change)))) count++;
        if (rc != -ETIMEDOUT) break; /* cancelled, or closed: the last burst is not waited for */
        printf("rebuilt for %d changes, the last is %d\n", count, change);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int app(void *unused)
{
    static const int pauses[] = {0, 20, 60, 90, 500, 99, 101, 300}; /* ms before each change */
    nido_chan *changes;
    nido_group group;
    (void)unused;
    int rc = nido_chan_new(sizeof(int), 0, NULL, NULL, &changes);
    if (rc < 0) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "builder");
    rc = nido_spawn(&group, rebuild, changes);
    for (int i = 0; i < 8 && rc == 0; i++) {
        rc = nido_sleep(NIDO_MS(pauses[i]));
        if (rc == 0) rc = nido_chan_send(changes, &i);
    }
    if (rc == 0) rc = nido_sleep(NIDO_MS(200));
    nido_chan_close_send(changes);
    rc = nido_group_close(&group, rc);
    nido_chan_free(changes);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * rebuilt for 4 changes, the last is 3
 * rebuilt for 2 changes, the last is 5
 * rebuilt for 1 changes, the last is 6
 * rebuilt for 1 changes, the last is 7
 */

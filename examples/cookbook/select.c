/* SPDX-License-Identifier: MIT */
/* Waiting for the first of several things: an item, a timer, an event. Exactly one arm is done. */
#include <nido.h>
#include <stdio.h>

struct room {
    nido_chan *jobs;
    nido_event closing;
};

static int visit(void *arg)
{
    struct room *room = arg;
    int rc = nido_sleep(NIDO_MS(10));
    for (int job = 1; job <= 2 && rc == 0; job++) rc = nido_chan_send(room->jobs, &job);
    if (rc == 0) rc = nido_sleep(NIDO_MS(150));
    nido_event_set(&room->closing);
    return rc;
}

static int work(struct room *room)
{
    for (;;) {
        int job;
        nido_arm arms[3];
        nido_arm_recv(&arms[0], room->jobs, &job);
        nido_arm_timer(&arms[1], nido_after(NIDO_MS(100)));
        nido_arm_event(&arms[2], &room->closing);
        int rc = nido_select(arms, 3, 0); /* NIDO_PRIORITY: the first listed goes first */
        if (rc < 0) return rc;            /* cancelled, and nothing was done */
        if (arms[rc].status < 0) return arms[rc].status;
        if (rc == 0) printf("job %d\n", job);
        if (rc == 1) printf("nothing to do for 100 ms\n");
        if (rc == 2) return printf("closing\n");
    }
}

static int app(void *unused)
{
    struct room room;
    nido_group group;
    (void)unused;
    nido_event_init(&room.closing, "closing");
    int rc = nido_chan_new(sizeof(int), 8, NULL, NULL, &room.jobs);
    if (rc < 0) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "room");
    rc = nido_spawn(&group, visit, &room);
    if (rc == 0) rc = work(&room);
    rc = nido_group_close(&group, rc);
    nido_chan_free(room.jobs);
    nido_event_deinit(&room.closing);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * job 1
 * job 2
 * nothing to do for 100 ms
 * closing
 */

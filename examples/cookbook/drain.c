/* SPDX-License-Identifier: MIT */
/* At SIGTERM no more jobs are taken in, and those in the queue are still done. (A server needs only
 * nido_serve: see line_server.c.) */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <nido.h>
#include <signal.h>
#include <stdio.h>

static int work(void *jobs)
{
    int job, rc;
    while ((rc = nido_chan_recv(jobs, &job)) == 0) {
        if ((rc = nido_sleep(NIDO_MS(100))) < 0) return rc;
        printf("job %d done\n", job);
    }
    return rc == -EPIPE ? 0 : rc; /* -EPIPE: closed and empty */
}

static int take_in(nido_chan *jobs, nido_signal *stop)
{
    for (int job = 1;; job++) {
        nido_arm arms[2];
        nido_arm_signal(&arms[0], stop);
        nido_arm_timer(&arms[1], nido_after(NIDO_MS(10))); /* when the next job comes */
        int rc = nido_select(arms, 2, 0);
        if (rc <= 0) return rc < 0 ? rc : arms[0].status;
        if ((rc = nido_chan_send(jobs, &job)) < 0) return rc;
        if (job == 3) raise(SIGTERM);
    }
}

static int app(void *unused)
{
    nido_group group;
    nido_signal stop;
    nido_chan *jobs;
    sigset_t set;
    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    int rc = nido_signal_open(&stop, &set);
    if (rc < 0) return rc;
    rc = nido_chan_new(sizeof(int), 16, NULL, NULL, &jobs);
    if (rc < 0) return nido_signal_close(&stop), rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "workers");
    rc = nido_spawn(&group, work, jobs);
    if (rc == 0) rc = take_in(jobs, &stop);
    if (rc > 0) printf("signal %d: draining\n", rc);
    nido_chan_close_send(jobs);
    rc = nido_group_close(&group, rc < 0 ? rc : 0);
    nido_chan_free(jobs);
    nido_signal_close(&stop);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * signal 15: draining
 * job 1 done
 * job 2 done
 * job 3 done
 */

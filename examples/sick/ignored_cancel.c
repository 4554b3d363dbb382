/* SPDX-License-Identifier: MIT */
/* sick/ignored_cancel: a loop does not look at results, and so does not end.
 *
 * The group is cancelled, nido_sleep returns -ECANCELED at once, and the loop calls it again. nido says so after a while
 * and goes on saying nothing: the task is never taken away by force. The cure: a negative result ends the loop.
 *
 *     ./sick_ignored_cancel        ./sick_ignored_cancel cured
 */
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>

static bool cured;

enum { PATIENCE = 200 * 1000 }; /* so that this example ends */

static int poll_sensor(void *unused)
{
    (void)unused;
    nido_set_name("sensor");
    for (int i = 0; i < PATIENCE; i++) {
        int rc = nido_sleep(NIDO_MS(100));
        if (rc < 0 && cured) return rc; /* the fault: without it, the loop goes on */
    }
    return 0;
}

static int app(void *unused)
{
    nido_group sensors;
    nido_group_open(&sensors, NIDO_WAIT_ALL, "sensors");
    int rc = nido_spawn(&sensors, poll_sensor, unused);
    nido_group_cancel(&sensors, 0, "the shop closes");
    return nido_group_close(&sensors, rc);
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "ignored_cancel: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}

/* SPDX-License-Identifier: MIT */
/* sick/left_group: a function returns and leaves its group open.
 *
 * The early return forgets nido_group_close. The child would go on in a frame that is gone, so nido ends the program
 * and names the group. The cure: every way out leads through the close, which takes the result.
 *
 *     ./sick_left_group            ./sick_left_group cured
 */
#include <errno.h>
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>

static bool cured;

static int reads_config(void)
{
    return nido_fail(-ENOENT, "no configuration");
}

static int heartbeat(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_SEC(3600));
}

static int serve(void *unused)
{
    nido_group helpers;
    nido_group_open(&helpers, NIDO_FAIL_FAST, "helpers");
    int rc = nido_spawn(&helpers, heartbeat, unused);
    if (rc == 0) rc = reads_config();
    if (rc < 0 && !cured) return rc; /* the fault */
    return nido_group_close(&helpers, rc);
}

static int app(void *unused)
{
    nido_group servers;
    nido_group_open(&servers, NIDO_FAIL_FAST, "servers");
    return nido_group_close(&servers, nido_spawn(&servers, serve, unused));
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "left_group: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}

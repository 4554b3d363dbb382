/* SPDX-License-Identifier: MIT */
/* A value changes all the time, and is shown ten times a second at most; the last one is always shown. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

static int show(void *progress)
{
    uint64_t seen = 0;
    int percent, rc;
    int64_t begun = nido_now();
    while ((rc = nido_watch_wait(progress, &percent, &seen)) == 0) {
        printf("%3d ms: %3d %%\n", (int)((nido_now() - begun) / NIDO_MS(1)), percent);
        rc = nido_sleep(
            NIDO_MS(100)); /* what comes meanwhile is not lost: the watch keeps the last */
        if (rc < 0) break;
    }
    return rc == -EPIPE ? 0 : rc;
}

static int app(void *unused)
{
    int percent = 0;
    nido_watch progress;
    nido_group group;
    (void)unused;
    int rc = nido_watch_init(&progress, &percent, sizeof percent, "progress");
    if (rc < 0) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "display");
    rc = nido_spawn(&group, show, &progress);
    for (int next = 2; next <= 100 && rc == 0; next += 2) {
        rc = nido_sleep(NIDO_MS(7));
        if (rc == 0) rc = nido_watch_set(&progress, &next);
    }
    nido_watch_close(&progress);
    rc = nido_group_close(&group, rc);
    nido_watch_deinit(&progress);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 *   0 ms:   0 %
 * 100 ms:  28 %
 * 200 ms:  56 %
 * 300 ms:  84 %
 * 400 ms: 100 %
 */

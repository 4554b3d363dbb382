/* SPDX-License-Identifier: MIT */
/* Tasks count what they have done, and a service shows it once a second. Both are on one thread, so the
 * counter is a plain int. */
#include <nido.h>
#include <stdio.h>

struct progress {
    int done, all;
};

static int show(void *arg)
{
    struct progress *progress = arg;
    nido_ticker ticker;
    int rc = nido_ticker_init(&ticker, NIDO_SEC(1), NIDO_SKIP);
    while (rc >= 0 && (rc = nido_ticker_wait(&ticker)) > 0)
        printf("%d%%\n", 100 * progress->done / progress->all);
    return rc;
}

static int work(void *arg)
{
    struct progress *progress = arg;
    int rc;
    for (int i = 0; i < 5; i++, progress->done++)
        if ((rc = nido_sleep(NIDO_MS(700))) < 0) return rc;
    return 0;
}

static int app(void *unused)
{
    struct progress progress = {0, 10};
    nido_group group;
    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "work");
    int rc = nido_spawn_with(&group, show, &progress, &NIDO_SPAWN_OPTIONS(.service = true), NULL);
    if (rc == 0) rc = nido_spawn(&group, work, &progress);
    if (rc == 0) rc = nido_spawn(&group, work, &progress);
    rc = nido_group_close(&group, rc);
    printf("done: %d of %d\n", progress.done, progress.all);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * 20%
 * 40%
 * 80%
 * done: 10 of 10
 */

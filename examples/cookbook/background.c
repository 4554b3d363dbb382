/* SPDX-License-Identifier: MIT */
/* A service works beside the others. It is not waited for: when the body and the other tasks are done,
 * it is cancelled, and its last act still happens. */
#include <nido.h>
#include <stdio.h>

struct log {
    int unsaved, saved;
};

static void save(struct log *log)
{
    log->saved += log->unsaved;
    printf("saved %d lines\n", log->unsaved);
    log->unsaved = 0;
}

static int save_often(void *log)
{
    int rc;
    while ((rc = nido_sleep(NIDO_SEC(1))) == 0) save(log);
    save(log); /* plain C works in a cancelled task; what waits needs nido_with_shield */
    return rc;
}

static int app(void *unused)
{
    struct log log = {0, 0};
    nido_group group;
    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "log");
    int rc = nido_spawn_with(&group, save_often, &log,
                             &NIDO_SPAWN_OPTIONS(.service = true, .name = "save"), NULL);
    for (int i = 0; i < 6 && rc == 0; i++) {
        rc = nido_sleep(NIDO_MS(400));
        log.unsaved++;
    }
    return nido_group_close(&group, rc);
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * saved 2 lines
 * saved 2 lines
 * saved 2 lines
 */

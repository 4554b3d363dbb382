/* SPDX-License-Identifier: MIT */
/* A table is loaded by the first task that needs it. Tasks that come meanwhile wait; if the load fails,
 * only the task that tried fails, and the next one tries. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

struct table {
    nido_once once;
    int tries;
};

static int load(void *arg)
{
    struct table *table = arg;
    int rc = nido_sleep(NIDO_MS(10));
    if (rc < 0) return rc;
    return ++table->tries == 1 ? -EIO : 5; /* rows */
}

static int use(void *arg)
{
    struct table *table = arg;
    int rc = nido_once_do(&table->once, load, table);
    printf("task %d: %d\n", (int)nido_task_id(nido_self()), rc);
    return rc;
}

static int app(void *unused)
{
    struct table table = {.tries = 0};
    nido_group group;
    (void)unused;
    nido_once_init(&table.once, "table");
    nido_group_open(&group, NIDO_WAIT_ALL, "users");
    int rc = 0;
    for (int i = 0; i < 4 && rc == 0; i++) rc = nido_spawn(&group, use, &table);
    rc = nido_group_close(&group, rc);
    printf("%d tries; the first failure: %s\n", table.tries, nido_strerror(rc));
    nido_once_deinit(&table.once);
    return 0;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * task 2: -5
 * task 3: 5
 * task 4: 5
 * task 5: 5
 * 2 tries; the first failure: EIO: input/output error
 */

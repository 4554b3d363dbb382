/* SPDX-License-Identifier: MIT */
/* A program of its own, to begin with: two tasks, and what goes wrong with one of them ends both. */
#include <nido.h>
#include <stdio.h>

static int count(void *arg)
{
    const char *name = arg;

    for (int i = 1; i <= 3; i++) {
        int rc = nido_sleep(NIDO_MS(20));

        if (rc < 0) return rc;
        printf("%s %d\n", name, i);
    }
    return 0;
}

static int app(void *arg)
{
    nido_group group;
    int rc;

    (void)arg;
    nido_group_open(&group, NIDO_FAIL_FAST, "counters");
    rc = nido_spawn(&group, count, "one");
    if (!rc) rc = nido_spawn(&group, count, "two");
    return nido_group_close(&group, rc);
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}

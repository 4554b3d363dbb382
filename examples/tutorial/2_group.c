/* SPDX-License-Identifier: MIT */
/* Step 2: two tasks in a group. */
#include <nido.h>
#include <stdio.h>

static int count(void *name)
{
    for (int i = 1; i <= 3; i++) {
        printf("%s %d\n", (char *)name, i);
        int rc = nido_sleep(NIDO_MS(20)); /* the other task runs meanwhile */
        if (rc < 0) return rc;
    }
    return 0;
}

static int app(void *unused)
{
    nido_group group;
    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "counters");
    int rc = nido_spawn(&group, count, "ada");
    if (rc == 0) rc = nido_spawn(&group, count, "grace");
    rc = nido_group_close(&group, rc); /* waits for both */
    printf("both are done\n");
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * ada 1
 * grace 1
 * ada 2
 * grace 2
 * ada 3
 * grace 3
 * both are done
 */

/* SPDX-License-Identifier: MIT */
#include <nido.h>
#include <stdio.h>

static int add(void *arg)
{
    int *sum = arg;
    int rc = nido_sleep(NIDO_US(1));
    if (rc) return rc;
    *sum += 21;
    return 0;
}

static int add_twice(void *arg)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "sum");
    int rc = 0;
    for (int i = 0; !rc && i < 2; i++) rc = nido_spawn(&group, add, arg);
    return nido_group_close(&group, rc);
}

int main(void)
{
    int sum = 0;
    int rc = nido_run(add_twice, &sum, NULL);
    printf("sum %d\n", sum);
    return nido_exit_status(rc);
}

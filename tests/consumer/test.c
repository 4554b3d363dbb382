/* SPDX-License-Identifier: MIT */
#include <nido.h>
#include <nido/test.h>
#include <stdio.h>

static int add(void *arg)
{
    int *sum = arg;
    int rc = nido_sleep(NIDO_SEC(3600));
    if (rc == 0) *sum += 21;
    return rc;
}

static int add_twice(void *arg)
{
    *(int *)arg = 0;
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "sum");
    int rc = 0;
    for (int i = 0; !rc && i < 2; i++) rc = nido_spawn(&group, add, arg);
    return nido_group_close(&group, rc);
}

int main(void)
{
    int sum;
    int broken = NIDO_SWEEP(add_twice, &sum);
    if (nido_test_run_with(add_twice, &sum, NULL)) return 1;
    printf("sum %d\n", sum);
    return broken;
}

/* SPDX-License-Identifier: MIT */
/* hello.c: the smallest program with a task of its own: what nido adds to the start and to the size
 * of a program, beside plain.c. */
#include <nido.h>
#include <stdio.h>

static int greet(void *name)
{
    return printf("hello, %s\n", (const char *)name);
}

static int greet_in_group(void *name)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "greeters");
    return nido_group_close(&group, nido_spawn(&group, greet, name));
}

int main(void)
{
    return nido_exit_status(nido_run(greet_in_group, "nido", NULL));
}

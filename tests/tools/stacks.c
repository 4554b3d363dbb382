/* SPDX-License-Identifier: MIT */
/* Dumps its stacks and stays as it is, for another program to look at the same. */
#include <nido.h>
#include <stdio.h>
#include <unistd.h>

static nido_event event;

static __attribute__((noinline)) int waits_inside(int depth)
{
    int rc = depth ? waits_inside(depth - 1) : nido_event_wait(&event);

    return rc + depth;
}

static int waits(void *unused)
{
    (void)unused;
    return waits_inside(3) * 2;
}

static __attribute__((noinline)) int dumps_and_stays(void)
{
    int err = nido_dump_with(stdout, NIDO_DUMP_STACKS);

    puts("end");
    fflush(stdout);
    pause();
    return err;
}

static int root(void *unused)
{
    nido_group group;
    int rc;

    (void)unused;
    nido_event_init(&event, "news");
    nido_group_open(&group, NIDO_WAIT_ALL, "waiting");
    rc = nido_spawn(&group, waits, NULL);
    nido_yield();
    rc = dumps_and_stays() + rc;
    return nido_group_close(&group, rc);
}

int main(void)
{
    return nido_run(root, NULL, NULL) != 0;
}

/* SPDX-License-Identifier: MIT */
/* hello: two tasks that take turns.
 *
 * Shows the three parts every program has: nido_run starts the first task, a group owns the tasks
 * that are spawned into it, and closing the group waits for all of them. No task outlives its
 * group, so `ada` and `grace` may point into the command line, or to the stack of the opener.
 *
 *     ./example_hello ada grace
 */
#include <nido.h>
#include <stdio.h>

/* A task is a function. >= 0 is success, a negated errno is failure. */
static int greet(void *name)
{
    printf("hello, %s\n", (const char *)name);
    int rc = nido_yield(); /* Here the others have their turn. It fails if we are cancelled. */
    if (rc < 0) return rc;
    printf("goodbye, %s\n", (const char *)name);
    return 0;
}

static int greet_all(void *names)
{
    nido_group greeters;
    int rc = 0;
    nido_group_open(&greeters, NIDO_FAIL_FAST, "greeters");
    for (char **name = names; *name && rc == 0; name++) rc = nido_spawn(&greeters, greet, *name);
    return nido_group_close(&greeters, rc); /* the first failure, or rc; no task is left running */
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s NAME...\n", argv[0]);
        return 2;
    }
    int rc = nido_run(greet_all, argv + 1, NULL);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}

/* SPDX-License-Identifier: MIT */
/* inside_help.h: for tests whose whole body is a task.
 *
 *     INSIDE(sleep, a_sleep_is_never_short) { ... }
 *
 * is a NIDO_TEST whose body runs as the root task under the virtual clock. */
#ifndef INSIDE_HELP_H
#define INSIDE_HELP_H

#include <errno.h>

#include "nido_test.h"

#define INSIDE(suite, name)                                                \
    static void inside_##suite##_##name(void);                             \
    static int root_##suite##_##name(void *unused)                         \
    {                                                                      \
        (void)unused;                                                      \
        inside_##suite##_##name();                                         \
        return 0;                                                          \
    }                                                                      \
    NIDO_TEST(suite, name)                                                 \
    {                                                                      \
        cr_expect(eq(int, nido_test_run(root_##suite##_##name, NULL), 0)); \
    }                                                                      \
    static void inside_##suite##_##name(void)

/* A child that sleeps and notes how that ended. */
struct sleeper {
    int64_t ns;
    int rc;     /* 1 until it is over */
    int64_t at; /* when it was over */
};

static inline int sleeper(void *arg)
{
    struct sleeper *self = arg;

    self->rc = 1;
    self->rc = nido_sleep(self->ns);
    self->at = nido_now();
    return self->rc;
}

/* A spawn that succeeds. */
static inline void begin(nido_group *group, nido_fn *fn, void *arg)
{
    cr_expect(eq(int, nido_spawn(group, fn, arg), 0));
}

static inline nido_task begin_kept(nido_group *group, nido_fn *fn, void *arg)
{
    nido_task task = {0};

    cr_expect(eq(int, nido_spawn_with(group, fn, arg, NULL, &task), 0));
    return task;
}

#endif

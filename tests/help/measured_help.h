/* SPDX-License-Identifier: MIT */
/* measured_help.h: for tests whose whole body is the root task of a measured run, under the virtual clock.
 *
 *     MEASURED(measure, the_length_of_each_turn_is_counted) { ... } */
#ifndef MEASURED_HELP_H
#define MEASURED_HELP_H

#include "inside_help.h"

static inline void run_with(nido_fn *fn, void *arg, uint32_t flags)
{
    nido_options options;

    nido_options_init(&options);
    options.clock = NIDO_CLOCK_VIRTUAL;
    options.flags = flags;
    cr_expect(zero(int, nido_run(fn, arg, &options)));
}

#define MEASURED(suite, name)                                    \
    static void measured_##suite##_##name(void);                 \
    static int root_##suite##_##name(void *unused)               \
    {                                                            \
        (void)unused;                                            \
        measured_##suite##_##name();                             \
        return 0;                                                \
    }                                                            \
    NIDO_TEST(suite, name)                                       \
    {                                                            \
        run_with(root_##suite##_##name, NULL, NIDO_RUN_MEASURE); \
    }                                                            \
    static void measured_##suite##_##name(void)

#endif

/* SPDX-License-Identifier: MIT */
/* What has left its stack without touching the guard. This file is compiled without
 * -fstack-clash-protection, which touches each page of a frame. */
#include "abort_help.h"
#include "coro/runtime/loop.h"
#include "inside_help.h"

enum { FAR = 300 << 10, SMALL = 32 << 10 };

static int nap(void *unused)
{
    (void)unused;
    return 0;
}

/* Nothing of the frame is touched but what lies below it: the stack of a task that has ended. */
static int waits_far_below(void *unused)
{
    char memory[FAR];

    (void)unused;
    __asm__ volatile("" : : "r"(memory) : "memory");
    return nido_sleep(1);
}

static int writes_behind_the_guard(void *unused)
{
    struct nidoi_stack *stack = nidoi_sched_self->current->stack;

    (void)unused;
    memset(stack->bottom - NIDOI_STACK_GUARD - sizeof *stack, 0, sizeof *stack);
    return nido_sleep(1);
}

/* Above a task that has ended. */
static int spawn_second(nido_fn *fn)
{
    nido_spawn_options options;
    nido_group group;
    int rc;

    nido_spawn_options_init(&options);
    options.name = "large";
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, nap, NULL);
    if (!rc) rc = nido_spawn_with(&group, fn, NULL, &options, NULL);
    return nido_group_close(&group, rc);
}

static int step_over(void *unused)
{
    (void)unused;
    return spawn_second(waits_far_below);
}

static int write_over(void *unused)
{
    (void)unused;
    nidoi_strict = true;
    return spawn_second(writes_behind_the_guard);
}

NIDO_TEST(overstep, a_task_that_waits_below_its_guard_is_named)
{
#ifdef NIDOI_ASAN
    cr_skip_test("AddressSanitizer touches the frame");
#endif
    EXPECT_LAST_WORDS(step_over, "nido: task #", " \"large\", spawned at ", ", stands ",
                      " bytes below its stack of 19", "has stepped over the guard");
}

NIDO_TEST(overstep, in_a_strict_run_one_that_has_written_over_a_neighbours_record_is_named)
{
    EXPECT_LAST_WORDS(write_over, " \"large\", spawned at ", ", has written below its stack of ",
                      "over the record of another task's, behind the guard");
}

/* ---- On memory of the program ---- */

static _Alignas(64) char memory[8 * SMALL];

static int uses_more_than_it_has(void *unused)
{
    char more[2 * SMALL];

    (void)unused;
    __asm__ volatile("" : : "r"(more) : "memory");
    return nido_sleep(1);
}

static int writes_lowest(void *unused)
{
    (void)unused;
    memset(memory + 4 * SMALL, 0, 1);
    return 0;
}

static int spawn_on_memory(nido_fn *fn)
{
    nido_spawn_options options;
    nido_group group;

    nido_spawn_options_init(&options);
    options.name = "cramped";
    options.memory = memory + 4 * SMALL;
    options.stack_size = SMALL;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    return nido_group_close(&group, nido_spawn_with(&group, fn, NULL, &options, NULL));
}

static int use_more(void *unused)
{
    (void)unused;
    return spawn_on_memory(uses_more_than_it_has);
}

static int write_lowest(void *unused)
{
    (void)unused;
    return spawn_on_memory(writes_lowest);
}

static int nap_on_memory(void *unused)
{
    (void)unused;
    return spawn_on_memory(nap);
}

NIDO_TEST(overstep, a_task_that_has_left_memory_of_the_program_is_named)
{
    cr_expect(zero(int, nido_test_run(nap_on_memory, NULL)));
    EXPECT_LAST_WORDS(use_more, " \"cramped\", spawned at ", ", stands ",
                      "the memory that it was given is too small");
}

NIDO_TEST(overstep, the_lowest_bytes_of_memory_of_the_program_are_looked_at_when_its_task_ends)
{
    EXPECT_LAST_WORDS(write_lowest, " \"cramped\", spawned at ",
                      ", has written below its stack of 3",
                      "the memory that it was given is too small");
}

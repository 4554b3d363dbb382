/* SPDX-License-Identifier: MIT */
/* coro/stack/context.h: switching stacks, and what a switch keeps. */
#include "coro/stack/context.h"

#include <errno.h>
#include <execinfo.h>
#include <fenv.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nido_test.h"

enum { KIB = 1024, SIZE = 256 * KIB };

static struct nidoi_context thread, coroutine;
static char *memory;

/* Makes `coroutine`, which will run `entry`. */
static void make(nidoi_context_entry *entry)
{
    memory = malloc(SIZE);
    nidoi_context_adopt(&thread);
    nidoi_context_make(&coroutine, memory, memory + SIZE, entry);
}

/* ---- Going and coming back ---- */

static int steps;

static void count_and_leave(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    for (int i = 0; i < 3; i++) {
        steps++;
        nidoi_context_switch(&coroutine, &thread);
    }
    nidoi_context_leave(&coroutine, &thread);
}

NIDO_TEST(context, a_context_goes_on_where_it_stood)
{
    make(count_and_leave);
    cr_expect(eq(int, steps, 0), "making runs nothing");
    for (int i = 1; i <= 3; i++) {
        nidoi_context_switch(&thread, &coroutine);
        cr_expect(eq(int, steps, i));
    }
    nidoi_context_switch(&thread, &coroutine);
    cr_expect(eq(int, steps, 3));
    free(memory);
}

static bool on_own_stack, aligned;

static void look_at_the_stack(struct nidoi_transfer transfer)
{
    _Alignas(16) char here[16];

    NIDOI_CONTEXT_BEGINS(transfer);
    on_own_stack = memory <= (char *)__builtin_frame_address(0) &&
                   (char *)__builtin_frame_address(0) < memory + SIZE;
    aligned = ((uintptr_t)__builtin_frame_address(0) & 15) == 0 && ((uintptr_t)here & 15) == 0;
    nidoi_context_leave(&coroutine, &thread);
}

NIDO_TEST(context, a_context_runs_on_the_stack_it_was_given)
{
    make(look_at_the_stack);
    nidoi_context_switch(&thread, &coroutine);
    cr_expect(on_own_stack);
    cr_expect(aligned);
    free(memory);
}

NIDO_TEST(context, a_stack_that_was_left_may_be_used_at_once)
{
    make(count_and_leave);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 4; i++) nidoi_context_switch(&thread, &coroutine);
        nidoi_context_make(&coroutine, memory, memory + SIZE, count_and_leave);
    }
    cr_expect(eq(int, steps, 300));
    free(memory);
}

/* ---- Registers ---- */

enum { VALUES = 16 };
static volatile uint64_t seed = 0x9e3779b97f4a7c15;

/* Keeps more values alive over the switch than there are callee-saved registers: an optimising
 * compiler holds some of them there. */
static inline uint64_t keep_over_a_switch(uint64_t start, struct nidoi_context *from,
                                          struct nidoi_context *to)
{
    uint64_t a = start * 3, b = start * 5, c = start * 7, d = start * 11, e = start * 13;
    uint64_t f = start * 17, g = start * 19, h = start * 23;

    nidoi_context_switch(from, to);
    return (a ^ start * 3) | (b ^ start * 5) | (c ^ start * 7) | (d ^ start * 11) |
           (e ^ start * 13) | (f ^ start * 17) | (g ^ start * 19) | (h ^ start * 23);
}

static uint64_t differences;

static void keep_other_values(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    for (int i = 0; i < VALUES; i++)
        differences |= keep_over_a_switch(seed + 1, &coroutine, &thread);
    nidoi_context_leave(&coroutine, &thread);
}

NIDO_TEST(context, values_in_registers_outlive_a_switch)
{
    make(keep_other_values);
    for (int i = 0; i < VALUES; i++)
        differences |= keep_over_a_switch(seed + 100, &thread, &coroutine);
    cr_expect(eq(u64, differences, 0));
    free(memory);
}

/* ---- Floating point ---- */

/* Divides in both units that a CPU may have: what they answer shows how each rounds. */
static bool rounds_upward(void)
{
    volatile double one = 1, three = 3, third = one / three;
    volatile long double long_one = 1, long_three = 3, long_third = long_one / long_three;

    return third * 3 > 1 && long_third * 3 > 1 && fegetround() == FE_UPWARD;
}

static bool rounds_downward(void)
{
    volatile double one = 1, three = 3, third = one / three;
    volatile long double long_one = 1, long_three = 3, long_third = long_one / long_three;

    return third * 3 < 1 && long_third * 3 < 1 && fegetround() == FE_DOWNWARD;
}

static int downward;

static void round_downward(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    fesetround(FE_DOWNWARD);
    for (int i = 0; i < 4; i++) {
        nidoi_context_switch(&coroutine, &thread);
        downward += rounds_downward();
    }
    nidoi_context_leave(&coroutine, &thread);
}

NIDO_TEST(context, each_context_keeps_its_own_rounding)
{
    make(round_downward);
    fesetround(FE_UPWARD);
    for (int i = 0; i < 4; i++) {
        nidoi_context_switch(&thread, &coroutine);
        cr_expect(rounds_upward());
    }
    cr_expect(eq(int, downward, 3));
    fesetround(FE_TONEAREST);
    free(memory);
}

static bool inherited;

static void look_at_rounding(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    inherited = rounds_upward();
    nidoi_context_leave(&coroutine, &thread);
}

NIDO_TEST(context, a_new_context_rounds_as_its_maker_did)
{
    fesetround(FE_UPWARD);
    make(look_at_rounding);
    fesetround(FE_TONEAREST);
    nidoi_context_switch(&thread, &coroutine);
    cr_expect(inherited);
    free(memory);
}

static int divide_upward(void *unused)
{
    (void)unused;
    fesetround(FE_UPWARD);
    for (int i = 0; i < 10; i++) {
        cr_expect(eq(int, nido_yield(), 0));
        cr_expect(rounds_upward());
    }
    return 0;
}

static int divide_downward(void *unused)
{
    (void)unused;
    fesetround(FE_DOWNWARD);
    for (int i = 0; i < 10; i++) {
        cr_expect(eq(int, nido_yield(), 0));
        cr_expect(rounds_downward());
    }
    return 0;
}

static int two_who_round(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "rounding");
    cr_expect(eq(int, nido_spawn(&group, divide_upward, NULL), 0));
    cr_expect(eq(int, nido_spawn(&group, divide_downward, NULL), 0));
    return nido_group_close(&group, 0);
}

/* S365 */
NIDO_TEST(context, two_tasks_that_change_rounding_keep_their_own)
{
    cr_expect(eq(int, nido_test_run(two_who_round, NULL), 0));
    cr_expect(eq(int, fegetround(), FE_TONEAREST), "and so does the thread");
}

/* ---- Seen from a debugger ---- */

static void *outermost, *caller;

static __attribute__((noinline)) void note_frames(void)
{
    void *frames[16];

    outermost = frames[backtrace(frames, 16) - 1];
    caller = __builtin_return_address(0);
}

static void look_back(struct nidoi_transfer transfer)
{
    NIDOI_CONTEXT_BEGINS(transfer);
    note_frames();
    nidoi_context_leave(&coroutine, &thread);
}

NIDO_TEST(context, a_backtrace_ends_where_the_context_began)
{
    make(look_back);
    nidoi_context_switch(&thread, &coroutine);
    cr_expect(eq(ptr, outermost, caller), "the entry is the last, nothing is made up");
    free(memory);
}

/* ---- Depth ---- */

/* About a kilobyte a level, written and read again on the way out. */
static int dig(int depth)
{
    volatile char frame[KIB];

    memset((char *)frame, depth & 127, sizeof frame);
    if (depth > 0 && dig(depth - 1) != depth - 1) return -1;
    for (size_t i = 0; i < sizeof frame; i++)
        if (frame[i] != (depth & 127)) return -1;
    return depth;
}

static int dig_on_a_large_stack(void *unused)
{
    enum { DEPTH = 2000 };

    (void)unused;
    cr_expect(eq(int, nido_yield(), 0));
    return dig(DEPTH) == DEPTH ? 0 : -EIO;
}

static int spawn_a_digger(void *unused)
{
    nido_spawn_options options;
    nido_group group;

    (void)unused;
    nido_spawn_options_init(&options);
    options.stack_size = 8192 * KIB;
    nido_group_open(&group, NIDO_FAIL_FAST, "digging");
    for (int i = 0; i < 2; i++)
        cr_expect(eq(int, nido_spawn_with(&group, dig_on_a_large_stack, NULL, &options, NULL), 0));
    return nido_group_close(&group, 0);
}

NIDO_TEST(context, a_task_recurses_as_deep_as_its_stack_is_large)
{
    cr_expect(eq(int, nido_test_run(spawn_a_digger, NULL), 0));
}

static int dig_for_ever(void *unused)
{
    (void)unused;
    return dig(INT32_MAX);
}

Test(context, a_task_that_recurses_without_end_hits_its_guard, .signal = SIGSEGV)
{
    nido_run(dig_for_ever, NULL, NULL);
}

/* ---- Faults that are not the stack's ---- */

/* UBSan would be first. */
static __attribute__((no_sanitize("undefined"))) int read_nothing(void *unused)
{
    char *volatile nothing = NULL;

    (void)unused;
    return *nothing;
}

/* S346 */
Test(context, a_null_pointer_ends_the_program_as_it_does_anywhere, .signal = SIGSEGV)
{
    nido_run(read_nothing, NULL, NULL);
}

static char *trap;
static volatile sig_atomic_t trapped;

static void open_the_trap(int number)
{
    trapped = number;
    mprotect(trap, 1, PROT_READ | PROT_WRITE);
}

static int step_into_the_trap(void *unused)
{
    (void)unused;
    *(volatile char *)trap = 1;
    return nido_yield();
}

/* S347 */
NIDO_TEST(context, the_programs_own_handler_of_faults_is_called)
{
    const struct sigaction handler = {.sa_handler = open_the_trap};

    trap = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(ne(ptr, trap, MAP_FAILED));
    cr_assert(zero(int, sigaction(SIGSEGV, &handler, NULL)));
    cr_expect(zero(int, nido_test_run(step_into_the_trap, NULL)));
    cr_expect(eq(int, trapped, SIGSEGV));
    munmap(trap, 1);
}

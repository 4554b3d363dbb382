/* SPDX-License-Identifier: MIT */
/* coro/stack/stack.h: guarded stacks, pooled by size. */
#include "coro/stack/stack.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "nido_test.h"

enum { KIB = 1024, SIZE = 64 * KIB, IN_SLAB = 64 };
#define GIB ((size_t)1 << 30)

static struct nidoi_stacks stacks;

static struct nidoi_stack *take(size_t size)
{
    struct nidoi_stack *stack = NULL;

    cr_assert(eq(int, nidoi_stacks_take(&stacks, nidoi_stacks_class(&stacks, size), &stack), 0));
    return stack;
}

static void put(struct nidoi_stack *stack)
{
    nidoi_stacks_put(&stacks, stack, 0);
}

static size_t room(const struct nidoi_stack *stack)
{
    return (size_t)((const char *)stack - stack->bottom);
}

static void take_many(struct nidoi_stack **out, int n)
{
    for (int i = 0; i < n; i++) {
        out[i] = take(SIZE);
        memset(out[i]->bottom, 0x5a, 64);
    }
}

static void put_many(struct nidoi_stack **from, int n)
{
    for (int i = 0; i < n; i++) put(from[i]);
}

NIDO_TEST(stack, sizes_and_their_guards_are_rounded_up_to_powers_of_two)
{
    cr_expect(eq(sz, nidoi_stacks_round(0), 128 * KIB));
    cr_expect(eq(sz, nidoi_stacks_round(64 * KIB), 128 * KIB));
    cr_expect(eq(sz, nidoi_stacks_round(64 * KIB + 1), 256 * KIB));
    cr_expect(eq(sz, nidoi_stacks_round(NIDOI_STACK_DEFAULT), 256 * KIB));
    cr_expect(eq(sz, nidoi_stacks_round(NIDOI_STACK_DEFAULT + 1), 512 * KIB));
    cr_expect(eq(sz, nidoi_stacks_round(GIB), 2 * GIB));
    cr_expect(eq(sz, nidoi_stacks_round(GIB + 1), 0));
    cr_expect(eq(sz, nidoi_stacks_round(SIZE_MAX), 0));
}

NIDO_TEST(stack, every_byte_between_guard_and_record_is_usable)
{
    struct nidoi_stack *stack;

    nidoi_stacks_init(&stacks);
    stack = take(SIZE);
    cr_expect(eq(sz, room(stack) + sizeof *stack, SIZE));
    memset(stack->bottom, 0x5a, room(stack));
    cr_expect(eq(sz, stacks.in_use, 1));
    put(stack);
    cr_expect(eq(sz, stacks.in_use, 0));
    nidoi_stacks_deinit(&stacks);
}

NIDO_TEST(stack, each_size_has_a_class_of_its_own)
{
    struct nidoi_stack *small, *large;

    nidoi_stacks_init(&stacks);
    small = take(16 * KIB);
    large = take(GIB);
    cr_expect(eq(sz, room(large) + sizeof *large + NIDOI_STACK_GUARD, 2 * GIB));
    put(large);
    put(small);
    cr_expect(eq(ptr, take(16 * KIB), small));
    put(small);
    nidoi_stacks_deinit(&stacks);
}

NIDO_TEST(stack, no_class_is_larger_than_a_gibibyte)
{
    nidoi_stacks_init(&stacks);
    cr_expect(eq(ptr, nidoi_stacks_class(&stacks, GIB + 1), NULL));
    cr_expect(eq(ptr, nidoi_stacks_class(&stacks, SIZE_MAX), NULL));
    nidoi_stacks_deinit(&stacks);
}

/* ---- Guards ---- */

Test(stack, a_write_below_the_bottom_is_caught, .signal = SIGSEGV)
{
    nidoi_stacks_init(&stacks);
    *(volatile char *)(take(SIZE)->bottom - 1) = 1;
}

Test(stack, a_write_at_the_far_end_of_the_guard_is_caught, .signal = SIGSEGV)
{
    nidoi_stacks_init(&stacks);
    *(volatile char *)(take(SIZE)->bottom - 64 * KIB) = 1;
}

/* The distance from the last usable byte to a neighbour's memory. */
NIDO_TEST(stack, no_frame_of_less_than_64_kib_steps_over_the_guard)
{
    struct nidoi_stack *stack;

    nidoi_stacks_init(&stacks);
    for (size_t size = 1; size <= 1024 * KIB; size *= 2) {
        stack = take(size);
        cr_expect(ge(sz, room(stack) + sizeof *stack, size));
        cr_expect(ge(sz, nidoi_stacks_round(size) - room(stack) - sizeof *stack, 64 * KIB));
        put(stack);
    }
    nidoi_stacks_deinit(&stacks);
}

Test(stack, a_guard_made_by_protection_catches_too, .signal = SIGSEGV)
{
    faults_begin();
    faults_fail(FAULT_guard, FAULT_ALWAYS, -EINVAL);
    nidoi_stacks_init(&stacks);
    *(volatile char *)(take(SIZE)->bottom - 1) = 1;
}

Test(stack, a_stack_taken_again_still_has_its_guard, .signal = SIGSEGV)
{
    struct nidoi_stack *many[IN_SLAB + 1];

    nidoi_stacks_init(&stacks);
    take_many(many, IN_SLAB + 1);
    put_many(many, IN_SLAB + 1);
    nidoi_stacks_trim(&stacks, NIDO_SEC(1));
    take_many(many, IN_SLAB + 1);
    for (int i = 0; i <= IN_SLAB; i++) *(volatile char *)(many[i]->bottom - 1) = 1;
}

NIDO_TEST(stack, a_kernel_without_guard_advice_is_asked_once)
{
    struct nidoi_stack *stack, *other;

    faults_begin();
    faults_fail(FAULT_guard, FAULT_ALWAYS, -EINVAL);
    nidoi_stacks_init(&stacks);
    stack = take(SIZE);
    other = take(128 * KIB);
    cr_expect(eq(ulong, faults_count(FAULT_guard), 1));
    cr_expect(eq(ulong, faults_count(FAULT_protect_none), 2 * IN_SLAB));
    put(other);
    put(stack);
    nidoi_stacks_deinit(&stacks);
    faults_end();
}

/* ---- Failures ---- */

/* The nth call of `kind` fails when a first stack is taken: that is reported as `expected`, nothing
 * is left, and the next try succeeds. */
static void fails_cleanly(enum fault kind, unsigned nth, int code, int expected)
{
    struct nidoi_stack *stack = NULL;

    faults_fail(kind, nth, code);
    nidoi_stacks_init(&stacks);
    cr_expect(
        eq(int, nidoi_stacks_take(&stacks, nidoi_stacks_class(&stacks, SIZE), &stack), expected));
    cr_expect(eq(ptr, stack, NULL));
    cr_expect(eq(sz, stacks.in_use, 0));
    cr_expect(eq(ulong, faults_count(FAULT_map) - faults_count(FAULT_unmap), kind == FAULT_map));
    faults_forget(kind);
    put(take(SIZE));
    nidoi_stacks_deinit(&stacks);
}

NIDO_TEST(stack, without_memory_for_a_slab_nothing_is_taken)
{
    faults_begin();
    fails_cleanly(FAULT_memory, 1, 0, -ENOMEM);
    faults_end();
}

NIDO_TEST(stack, without_address_space_nothing_is_taken)
{
    faults_begin();
    fails_cleanly(FAULT_map, 1, -ENOMEM, -ENOMEM);
    faults_end();
}

NIDO_TEST(stack, guards_that_fail_give_the_slab_back)
{
    faults_begin();
    fails_cleanly(FAULT_guard, 1, -ENOMEM, -ENOMEM);
    faults_end();
}

NIDO_TEST(stack, too_many_mappings_are_told_from_too_little_memory)
{
    for (unsigned nth = 1; nth <= IN_SLAB; nth++) {
        faults_begin();
        faults_fail(FAULT_guard, FAULT_ALWAYS, -EINVAL);
        fails_cleanly(FAULT_protect_none, nth, -ENOMEM, -EAGAIN);
        faults_end();
    }
}

/* ---- The user's memory ---- */

NIDO_TEST(stack, the_users_memory_becomes_a_stack)
{
    char *memory = malloc(SIZE + 1);
    struct nidoi_stack *stack;

    nidoi_stacks_init(&stacks);
    stack = nidoi_stacks_adopt(memory + 1, SIZE); /* not aligned */
    cr_expect(eq(ptr, stack->bottom, memory + 1));
    cr_expect(memory + 1 + SIZE >= (char *)(stack + 1));
    cr_expect(eq(sz, (uintptr_t)(stack + 1) % 16, 0));
    cr_expect(gt(sz, room(stack), SIZE - 256));
    memset(stack->bottom, 0x5a, room(stack));
    put(stack);
    cr_expect(eq(sz, nidoi_stacks_class(&stacks, SIZE)->warm_count, 0),
              "it does not enter the pool");
    nidoi_stacks_deinit(&stacks);
    free(memory);
}

NIDO_TEST(stack, too_little_memory_makes_no_stack)
{
    static char memory[NIDOI_STACK_LEAST];

    cr_expect(eq(ptr, nidoi_stacks_adopt(memory, sizeof memory - 1), NULL));
    cr_expect(eq(ptr, nidoi_stacks_adopt(memory, 0), NULL));
    cr_expect(eq(ptr, nidoi_stacks_adopt(NULL, SIZE), NULL));
    cr_expect(ne(ptr, nidoi_stacks_adopt(memory, sizeof memory), NULL));
}

/* ---- The pool ---- */

NIDO_TEST(stack, the_one_returned_last_is_taken_first)
{
    struct nidoi_stack *a, *b;

    nidoi_stacks_init(&stacks);
    a = take(SIZE);
    b = take(SIZE);
    put(a);
    put(b);
    cr_expect(eq(ptr, take(SIZE), b));
    cr_expect(eq(ptr, take(SIZE), a));
    put(b);
    put(a);
    nidoi_stacks_deinit(&stacks);
}

NIDO_TEST(stack, a_warm_stack_costs_no_system_call)
{
    unsigned long before;

    faults_begin();
    nidoi_stacks_init(&stacks);
    put(take(SIZE));
    before = faults_count(FAULT_guard);
    for (int i = 0; i < 100; i++) put(take(SIZE));
    cr_expect(eq(ulong, faults_count(FAULT_map), 1));
    cr_expect(eq(ulong, faults_count(FAULT_guard), before));
    cr_expect(eq(ulong, faults_count(FAULT_release_pages), 0));
    nidoi_stacks_deinit(&stacks);
    faults_end();
}

NIDO_TEST(stack, a_slab_holds_many_and_all_are_unmapped_at_the_end)
{
    enum { MANY = 10 * IN_SLAB };
    struct nidoi_stack *many[MANY];

    faults_begin();
    nidoi_stacks_init(&stacks);
    take_many(many, MANY);
    cr_expect(eq(ulong, faults_count(FAULT_map), MANY / IN_SLAB));
    put_many(many, MANY);
    nidoi_stacks_deinit(&stacks);
    cr_expect(eq(ulong, faults_count(FAULT_unmap), MANY / IN_SLAB));
    faults_end();
}

/* ---- Trimming ---- */

enum { PEAK = 640, KEPT = 64 };
static struct nidoi_stack *peak[PEAK];

static void make_a_peak(void)
{
    nidoi_stacks_init(&stacks);
    take_many(peak, PEAK);
    put_many(peak, PEAK);
}

/* Trims every half second from `now` on until nothing is left to do. */
static void trim_to_the_end(int64_t now)
{
    while (stacks.trim_at != NIDO_NEVER) {
        while (nidoi_stacks_trim(&stacks, now)) continue;
        now += NIDO_MS(500);
    }
}

NIDO_TEST(stack, a_peak_is_given_back_when_nobody_wants_it_any_more)
{
    faults_begin();
    make_a_peak();
    trim_to_the_end(0);
    cr_expect(eq(sz, nidoi_stacks_class(&stacks, SIZE)->warm_count, KEPT));
    cr_expect(eq(ulong, faults_count(FAULT_release_pages), PEAK - KEPT));
    cr_expect(gt(ulong, faults_count(FAULT_unmap), 0), "slabs that are wholly cold go");
    nidoi_stacks_deinit(&stacks);
    cr_expect(eq(ulong, faults_count(FAULT_unmap), faults_count(FAULT_map)));
    faults_end();
}

NIDO_TEST(stack, nothing_is_given_back_before_its_time)
{
    faults_begin();
    make_a_peak();
    cr_expect(not(nidoi_stacks_trim(&stacks, NIDO_SEC(1) - 1)));
    cr_expect(eq(ulong, faults_count(FAULT_release_pages), 0));
    nidoi_stacks_deinit(&stacks);
    faults_end();
}

NIDO_TEST(stack, one_trim_does_no_more_than_a_batch)
{
    unsigned long before = 0;
    int64_t now = 0;

    faults_begin();
    make_a_peak();
    while (stacks.trim_at != NIDO_NEVER) {
        nidoi_stacks_trim(&stacks, now += NIDO_SEC(1));
        cr_expect(le(ulong, faults_count(FAULT_release_pages) - before, 64));
        before = faults_count(FAULT_release_pages);
    }
    nidoi_stacks_deinit(&stacks);
    faults_end();
}

NIDO_TEST(stack, stacks_that_were_wanted_meanwhile_stay)
{
    faults_begin();
    make_a_peak();
    nidoi_stacks_trim(&stacks, NIDO_SEC(1));
    take_many(peak, PEAK - KEPT);
    put_many(peak, PEAK - KEPT);
    while (nidoi_stacks_trim(&stacks, NIDO_SEC(2))) continue;
    cr_expect(ge(sz, nidoi_stacks_class(&stacks, SIZE)->warm_count, PEAK - KEPT));
    nidoi_stacks_deinit(&stacks);
    faults_end();
}

NIDO_TEST(stack, few_warm_stacks_are_never_given_back)
{
    nidoi_stacks_init(&stacks);
    take_many(peak, KEPT);
    put_many(peak, KEPT);
    cr_expect(eq(i64, stacks.trim_at, NIDO_NEVER));
    nidoi_stacks_deinit(&stacks);
}

NIDO_TEST(stack, a_cooled_stack_has_lost_its_pages_and_works_again)
{
    int fresh = 0;

    make_a_peak();
    trim_to_the_end(0);
    for (int i = 0; i < PEAK; i++) {
        peak[i] = take(SIZE);
        fresh += peak[i]->bottom[0] == 0;
        memset(peak[i]->bottom, 0x5a, room(peak[i]));
    }
    cr_expect(eq(int, fresh, PEAK - KEPT));
    put_many(peak, PEAK);
    nidoi_stacks_deinit(&stacks);
}

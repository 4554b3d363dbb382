/* SPDX-License-Identifier: MIT */
/* Making tasks: when they begin, what they are given, and who may add them to which group. */
#include <string.h>

#include "group_help.h"

static int mark(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

static int spawn_and_look(void *unused)
{
    nido_group group;
    bool begun = false;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, mark, &begun)));
    cr_expect(not(begun));
    cr_expect(zero(int, nido_yield()));
    cr_expect(begun);
    return nido_group_close(&group, 0);
}

/* S11 */
NIDO_TEST(spawn, a_child_does_not_begin_before_its_parent_waits)
{
    cr_expect(zero(int, nido_test_run(spawn_and_look, NULL)));
}

struct order {
    int count, seen[8];
};

static struct order order;

static int sign(void *arg)
{
    order.seen[order.count++] = (int)(intptr_t)arg;
    return 0;
}

static int five_in_a_row(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 5; i++) cr_expect(zero(int, nido_spawn(&group, sign, result(i))));
    return nido_group_close(&group, 0);
}

NIDO_TEST(spawn, children_begin_in_the_order_of_their_spawns)
{
    cr_expect(zero(int, nido_test_run(five_in_a_row, NULL)));
    cr_expect(eq(int, order.count, 5));
    for (int i = 0; i < 5; i++) cr_expect(eq(int, order.seen[i], i));
}

static int ten_thousand(void *unused)
{
    nido_group group;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 10000; i++) cr_assert(zero(int, nido_spawn(&group, give, NULL)));
    cr_expect(eq(sz, nido_group_live(&group), 10000));
    rc = nido_group_close(&group, 0);
    cr_expect(zero(sz, nido_group_live(&group)));
    return rc;
}

/* S13 */
NIDO_TEST(spawn, ten_thousand_children_come_and_go)
{
    cr_expect(zero(int, nido_test_run(ten_thousand, NULL)));
}

static int into_a_cancelled_group(void *unused)
{
    nido_group group;
    bool begun = false;
    nido_task task = {1, 2, 3};

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_group_cancel(&group, 0, NULL)));
    cr_expect(eq(int, nido_spawn(&group, mark, &begun), -ECANCELED));
    cr_expect(eq(int, nido_spawn_with(&group, mark, &begun, NULL, &task), -ECANCELED));
    cr_expect(eq(int, nido_spawn_wait(&group, mark, &begun), -ECANCELED));
    cr_expect(eq(int, nido_start(&group, mark, &begun, NULL), -ECANCELED));
    cr_expect(eq(int, (int)task.id, 3), "untouched on failure");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(not(begun));
    return 0;
}

/* S34 */
NIDO_TEST(spawn, a_cancelled_group_takes_nobody)
{
    cr_expect(zero(int, nido_test_run(into_a_cancelled_group, NULL)));
}

static int cancelled_before_its_turn(void *unused)
{
    nido_group group;
    struct plan child = {.ns = 1};

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &child)));
    cr_expect(zero(int, nido_group_cancel(&group, 0, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, child.runs, 1));
    cr_expect(eq(int, child.met, -ECANCELED));
    return 0;
}

/* S35 */
NIDO_TEST(spawn, who_was_spawned_runs_once_even_if_cancelled_before)
{
    cr_expect(zero(int, nido_test_run(cancelled_before_its_turn, NULL)));
}

struct offer {
    nido_group *group;
    void *arg;
    nido_fn *fn;
    int rc;
};

/* Spawns into somebody else's group. */
static int bring_in(void *arg)
{
    struct offer *offer = arg;

    offer->rc = nido_spawn(offer->group, offer->fn, offer->arg);
    return 0;
}

static int into_a_strangers_cancelled_group(void *unused)
{
    nido_group around, group;
    bool begun = false;
    struct offer offer = {&group, &begun, mark, 1};

    (void)unused;
    nido_group_open(&around, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&around, bring_in, &offer)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_group_cancel(&group, 0, NULL)));
    nido_scope shield;
    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_scope_close(&shield, 0)));
    cr_expect(eq(int, offer.rc, -ESHUTDOWN));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(not(begun));
    return nido_group_close(&around, 0);
}

NIDO_TEST(spawn, a_stranger_to_a_cancelled_group_is_told_shutdown)
{
    cr_expect(zero(int, nido_test_run(into_a_strangers_cancelled_group, NULL)));
}

static int spawn_a_grandchild(void *arg)
{
    struct offer *offer = arg;
    int err = nido_sleep(NIDO_SEC(1));

    return err ? err : bring_in(offer);
}

static int close_over_a_grandchild(void *unused)
{
    nido_group group;
    struct plan grandchild = {.ns = NIDO_SEC(5)};
    struct offer offer = {&group, &grandchild, follow, 1};

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, spawn_a_grandchild, &offer)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, offer.rc));
    cr_expect(eq(int, grandchild.runs, 1));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(7)));
    return 0;
}

/* S37 */
NIDO_TEST(spawn, a_closing_group_takes_grandchildren_while_a_child_lives)
{
    cr_expect(zero(int, nido_test_run(close_over_a_grandchild, NULL)));
}

static int finishing(void *arg)
{
    nido_group *group = arg;

    nido_group_open(group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(group, give, NULL)));
    return nido_group_close(group, 0);
}

/* The queue is: the group's opener, the outsider, the group's child. The outsider yields once, so
 * that it comes after the child, whose end put the opener behind it. */
static int offer_late(void *arg)
{
    cr_expect(zero(int, nido_yield()));
    return bring_in(arg);
}

static int into_a_finishing_group(void *unused)
{
    nido_group group, inner;
    bool begun = false;
    struct offer offer = {&inner, &begun, mark, 1};

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, finishing, &inner)));
    cr_expect(zero(int, nido_spawn(&group, offer_late, &offer)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, offer.rc, -ESHUTDOWN));
    cr_expect(not(begun));
    return 0;
}

/* S38 */
NIDO_TEST(spawn, a_finishing_group_is_shut_for_outsiders)
{
    cr_expect(zero(int, nido_test_run(into_a_finishing_group, NULL)));
}

static int into_a_closed_group(void *unused)
{
    nido_group group;
    intptr_t value = 3;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&group, 3), 3));
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EBADF));
    cr_expect(eq(int, nido_spawn_copy(&group, give, &value, sizeof value), -EBADF));
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, NULL, NULL), -EBADF));
    cr_expect(eq(int, nido_spawn_wait(&group, give, NULL), -EBADF));
    cr_expect(eq(int, nido_start(&group, give, NULL, NULL), -EBADF));
    return 0;
}

NIDO_TEST(spawn, a_closed_group_takes_nobody)
{
    cr_expect(zero(int, nido_test_run(into_a_closed_group, NULL)));
}

static int read_copy(void *arg)
{
    cr_expect(zero(uint, (unsigned)((uintptr_t)arg % 16)));
    return memcmp(arg, "the old bytes", 13) == 0 ? 0 : -EIO;
}

static int overwrite(void *unused)
{
    nido_group group;
    char bytes[1025] = "the old bytes";

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn_copy(&group, read_copy, bytes, 13)));
    cr_expect(zero(int, nido_spawn_copy(&group, read_copy, bytes, 1024)));
    cr_expect(eq(int, nido_spawn_copy(&group, read_copy, bytes, 1025), -EINVAL));
    memset(bytes, 'x', sizeof bytes);
    return nido_group_close(&group, 0);
}

/* S62 */
NIDO_TEST(spawn, a_copied_argument_is_the_childs_own)
{
    cr_expect(zero(int, nido_test_run(overwrite, NULL)));
}

static int bad_options(void *unused)
{
    nido_group group;
    nido_spawn_options good, bad;
    static char memory[65536];

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_spawn_options_init(&good);
    cr_expect(eq(sz, good.size, sizeof good));
    bad = good, bad.size = 0;
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, &bad, NULL), -EINVAL));
    bad = good, bad.stack_size = SIZE_MAX;
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, &bad, NULL), -EINVAL));
    bad = good, bad.copy = memory, bad.copy_size = 1025;
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, &bad, NULL), -EINVAL));
    bad = good, bad.memory = memory;
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, &bad, NULL), -EINVAL));
    bad = good, bad.memory = memory, bad.stack_size = 100;
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, &bad, NULL), -EINVAL));
    cr_expect(eq(int, nido_spawn(&group, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_spawn_copy(&group, NULL, memory, 1), -EINVAL));
    cr_expect(eq(int, nido_spawn_wait(&group, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_start(&group, NULL, NULL, NULL), -EINVAL));
    cr_expect(zero(sz, nido_group_live(&group)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(spawn, bad_options_are_refused)
{
    cr_expect(zero(int, nido_test_run(bad_options, NULL)));
}

/* (A local may lie elsewhere: ASan has a stack of its own for those that it watches.) */
static int stand_within(void *memory)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    return here - (uintptr_t)memory < 65536 ? nido_yield() : -EFAULT;
}

static int on_own_memory(void *unused)
{
    static char memory[65536];
    nido_group group;
    nido_spawn_options options;
    nido_task task;
    int rc = 1;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_spawn_options_init(&options);
    options.memory = memory;
    options.stack_size = sizeof memory;
    for (int i = 0; i < 3; i++) {
        cr_expect(zero(int, nido_spawn_with(&group, stand_within, memory, &options, &task)));
        cr_expect(zero(int, nido_join(task, &rc)));
        cr_expect(zero(int, rc));
    }
    return nido_group_close(&group, 0);
}

NIDO_TEST(spawn, a_task_may_stand_on_the_callers_memory)
{
    cr_expect(zero(int, nido_test_run(on_own_memory, NULL)));
}

static int use_much(void *unused)
{
    char much[300000];

    (void)unused;
    memset(much, 1, sizeof much);
    return nido_yield() + much[299999] - 1;
}

static int with_large_stacks(void *unused)
{
    nido_group group;
    nido_group_options options;
    nido_spawn_options larger;

    (void)unused;
    nido_group_options_init(&options);
    options.stack_size = 512 << 10;
    nido_group_open_with(&group, &options);
    nido_spawn_options_init(&larger);
    larger.stack_size = 1 << 20;
    cr_expect(zero(int, nido_spawn(&group, use_much, NULL)));
    cr_expect(zero(int, nido_spawn_with(&group, use_much, NULL, &larger, NULL)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(spawn, stack_sizes_are_the_groups_or_the_tasks)
{
    cr_expect(zero(int, nido_test_run(with_large_stacks, NULL)));
}

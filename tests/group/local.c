/* SPDX-License-Identifier: MIT */
/* Values of a task's own: set, replaced, destroyed at its end. */
#include "group_help.h"

static int destroyed[4];
static int destroyed_count, parked;

static void note(void *value)
{
    destroyed[destroyed_count++] = *(int *)value;
    parked = nido_yield();
}

static const nido_local first = {.destroy = note}, second = {.destroy = note}, plain;

static int values[] = {10, 11, 12};

static int set_two(void *unused)
{
    (void)unused;
    cr_expect(zero(ptr, nido_local_get(&first)));
    cr_expect(zero(int, nido_local_set(&first, &values[0])));
    cr_expect(zero(int, nido_local_set(&second, &values[1])));
    cr_expect(zero(int, nido_local_set(&plain, &values[2])));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(ptr, nido_local_get(&first), &values[0]));
    cr_expect(eq(ptr, nido_local_get(&second), &values[1]));
    cr_expect(eq(ptr, nido_local_get(&plain), &values[2]));
    cr_expect(zero(int, destroyed_count));
    return 0;
}

NIDO_TEST(local, values_are_destroyed_at_the_end_last_set_first)
{
    cr_expect(zero(int, nido_test_run(set_two, NULL)));
    cr_expect(eq(int, destroyed_count, 2));
    cr_expect(eq(int, destroyed[0], 11));
    cr_expect(eq(int, destroyed[1], 10));
    cr_expect(eq(int, parked, -EDEADLK), "nothing may park there");
}

static int replace_and_remove(void *unused)
{
    (void)unused;
    cr_expect(zero(int, nido_local_set(&first, NULL)), "nothing to remove");
    cr_expect(zero(int, nido_local_set(&first, &values[0])));
    cr_expect(zero(int, nido_local_set(&first, &values[1])));
    cr_expect(eq(ptr, nido_local_get(&first), &values[1]));
    cr_expect(zero(int, nido_local_set(&first, NULL)));
    cr_expect(zero(ptr, nido_local_get(&first)));
    return 0;
}

NIDO_TEST(local, a_replaced_or_removed_value_is_the_callers_again)
{
    cr_expect(zero(int, nido_test_run(replace_and_remove, NULL)));
    cr_expect(zero(int, destroyed_count));
}

static int set_mine(void *value)
{
    int err = nido_local_set(&first, value);

    if (!err) err = nido_yield();
    cr_expect(eq(ptr, nido_local_get(&first), value));
    return err;
}

static int one_each(void *unused)
{
    nido_group group;

    (void)unused;
    cr_expect(zero(int, nido_local_set(&plain, &values[2])));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) cr_expect(zero(int, nido_spawn(&group, set_mine, &values[i])));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(ptr, nido_local_get(&first)), "children's values are theirs");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, destroyed_count, 2));
    return 0;
}

NIDO_TEST(local, every_task_has_values_of_its_own)
{
    cr_expect(zero(int, nido_test_run(one_each, NULL)));
}

static void set_again(void *value);
static const nido_local phoenix = {.destroy = set_again};

static void set_again(void *value)
{
    destroyed_count++;
    if (*(int *)value == 10) cr_expect(zero(int, nido_local_set(&phoenix, &values[1])));
}

static int set_a_phoenix(void *unused)
{
    (void)unused;
    return nido_local_set(&phoenix, &values[0]);
}

NIDO_TEST(local, a_value_that_a_destructor_sets_is_destroyed_too)
{
    cr_expect(zero(int, nido_test_run(set_a_phoenix, NULL)));
    cr_expect(eq(int, destroyed_count, 2));
}

static int set_and_fail(void *unused)
{
    (void)unused;
    cr_expect(zero(int, nido_local_set(&first, &values[0])));
    return nido_fail(-EIO, "with a value set");
}

static void keep_quiet(void *ctx, const nido_error *error)
{
    *(int *)ctx = nido_error_code(error);
}

NIDO_TEST(local, values_of_a_failed_task_are_destroyed_too)
{
    int code = 0;
    nido_options options = nido_test_virtual();

    options.on_error = keep_quiet;
    options.ctx = &code;
    cr_expect(eq(int, nido_run(set_and_fail, NULL, &options), -EIO));
    cr_expect(eq(int, code, -EIO));
    cr_expect(eq(int, destroyed_count, 1));
}

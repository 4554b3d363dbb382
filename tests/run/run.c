/* SPDX-License-Identifier: MIT */
/* The runtime: its results, its options, and what calls answer where there is none. */
#include "group_help.h"

/* S1 */
NIDO_TEST(run, returns_what_the_root_returns)
{
    cr_expect(eq(int, nido_run(give, result(7), NULL), 7));
    cr_expect(zero(int, nido_run(give, result(0), NULL)));
    cr_expect(eq(int, nido_test_run(give, result(7)), 7));
}

/* S2: the guard around every test counts the descriptors. */
NIDO_TEST(run, a_failing_root_fails_the_run)
{
    cr_expect(eq(int, nido_run(give, result(-EIO), NULL), -EIO));
}

static int a_few_children(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) cr_expect(zero(int, nido_spawn(&group, give, result(i))));
    return nido_group_close(&group, 3);
}

/* S4 */
NIDO_TEST(run, a_thread_may_run_again_and_again)
{
    for (int i = 0; i < 100; i++) cr_expect(eq(int, nido_run(a_few_children, NULL, NULL), 3));
}

/* S10 */
NIDO_TEST(run, waiting_calls_without_a_runtime_are_refused)
{
    nido_event event;
    intptr_t value = 5;

    nido_event_init(&event, "nobody's");
    cr_expect(eq(int, nido_sleep(1), -EPERM));
    cr_expect(eq(int, nido_sleep_until(nido_now()), -EPERM));
    cr_expect(eq(int, nido_yield(), -EPERM));
    cr_expect(eq(int, nido_check(), -EPERM));
    cr_expect(eq(int, nido_event_wait(&event), -EPERM));
    cr_expect(eq(int, nido_join((nido_task){1, 1, 1}, NULL), -EPERM));
    cr_expect(eq(int, nido_started(value), -EPERM));
    cr_expect(zero(int, nido_event_deinit(&event)));
}

NIDO_TEST(run, task_calls_without_a_runtime_say_so)
{
    static const nido_local key;
    nido_task stranger = {1, 1, 1};

    cr_expect(eq(int, nido_try_join(stranger, NULL), -EPERM));
    cr_expect(eq(int, nido_task_cancel(stranger, 0, NULL), -EPERM));
    cr_expect(eq(int, nido_task_forget(stranger), -EPERM));
    cr_expect(eq(int, nido_local_set(&key, &stranger), -EPERM));
    cr_expect(zero(ptr, nido_local_get(&key)));
    cr_expect(zero(ulong, nido_self().id));
    cr_expect(zero(sz, nido_stack_used()));
    cr_expect(eq(str, (char *)nido_task_name(stranger), ""));
    cr_expect(zero(ptr, nido_task_spawn_place(stranger)));
    cr_expect(not(nido_task_was_cancelled(stranger)));
    cr_expect(zero(ptr, nido_rt_self()));
    nido_set_name("nobody");
}

NIDO_TEST(run, a_group_opened_without_a_runtime_is_faulty)
{
    nido_group group;
    intptr_t value = 5;

    nido_group_open(&group, NIDO_FAIL_FAST, "faulty");
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EPERM));
    cr_expect(eq(int, nido_spawn_copy(&group, give, &value, sizeof value), -EPERM));
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, NULL, NULL), -EPERM));
    cr_expect(eq(int, nido_spawn_wait(&group, give, NULL), -EPERM));
    cr_expect(eq(int, nido_start(&group, give, NULL, &value), -EPERM));
    cr_expect(eq(int, nido_group_cancel(&group, 0, NULL), -EPERM));
    cr_expect(zero(sz, nido_group_live(&group)));
    cr_expect(eq(int, nido_group_close(&group, 0), -EPERM));
    cr_expect(eq(int, nido_group_close(&group, 0), -EPERM));
    cr_expect(eq(int, (int)value, 5));
}

static int never(nido_group *group, void *arg)
{
    (void)group;
    *(bool *)arg = true;
    return 0;
}

NIDO_TEST(run, with_group_without_a_runtime_does_not_call_the_body)
{
    bool called = false;

    cr_expect(eq(int, nido_with_group(NIDO_FAIL_FAST, never, &called), -EPERM));
    cr_expect(not(called));
}

NIDO_TEST(run, clocks_work_without_a_runtime)
{
    int64_t now = nido_now();

    cr_expect(gt(i64, now, 0));
    cr_expect(ge(i64, nido_after(NIDO_SEC(1)), now + NIDO_SEC(1)));
    cr_expect(eq(i64, nido_after(NIDO_NEVER), NIDO_NEVER));
}

static int run_inside(void *unused)
{
    (void)unused;
    return nido_run(give, NULL, NULL);
}

NIDO_TEST(run, a_run_inside_a_run_is_refused)
{
    cr_expect(eq(int, nido_run(run_inside, NULL, NULL), -EBUSY));
}

NIDO_TEST(run, options_start_as_zeros)
{
    nido_options options, zeros = {.size = sizeof zeros};

    nido_options_init(&options);
    cr_expect(eq(sz, options.size, sizeof options));
    cr_expect(zero(sz, options.stack_size));
    cr_expect(zero(uint, options.max_tasks));
    cr_expect(zero(uint, options.flags));
    cr_expect(eq(int, options.clock, NIDO_CLOCK_REAL));
    cr_expect(zero(i64, options.grace_ns));
    cr_expect(zero(i64, options.spin_ns));
    cr_expect(zero(i64, options.timer_slack_ns));
    cr_expect(zero(ptr, options.ctx));
    cr_expect(zero(int, nido_run(give, NULL, &zeros)));
}

static int run_with(nido_options options)
{
    return nido_run(give, result(1), &options);
}

NIDO_TEST(run, bad_options_are_refused)
{
    nido_options good = nido_test_virtual(), bad = good;

    cr_expect(eq(int, run_with(good), 1));
    bad.size = 0;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    bad = good, bad.stack_size = SIZE_MAX;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    bad = good, bad.stack_size = SIZE_MAX / 2 + 2;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    bad = good, bad.flags = 1u << 31;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    bad = good, bad.clock = (enum nido_clock)7;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    bad = good, bad.grace_ns = -1;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    bad = good, bad.spin_ns = -1;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    bad = good, bad.timer_slack_ns = -1;
    cr_expect(eq(int, run_with(bad), -EINVAL));
    cr_expect(eq(int, nido_run(NULL, NULL, &good), -EINVAL));
}

NIDO_TEST(run, a_strict_run_works_like_any_other)
{
    nido_options options = nido_test_virtual();

    options.flags = NIDO_RUN_STRICT;
    cr_expect(eq(int, nido_run(a_few_children, NULL, &options), 3));
}

NIDO_TEST(run, a_tiny_stack_is_rounded_up)
{
    nido_options options = nido_test_virtual();

    options.stack_size = 1;
    cr_expect(eq(int, nido_run(give, result(4), &options), 4));
}

static int one_too_many(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, NULL)));
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EAGAIN));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), "max_tasks"), NULL));
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_spawn(&group, give, NULL)), "the first one has left its place");
    return nido_group_close(&group, 0);
}

NIDO_TEST(run, max_tasks_bounds_the_living)
{
    nido_options options = nido_test_virtual();

    options.max_tasks = 2;
    cr_expect(zero(int, nido_run(one_too_many, NULL, &options)));
}

NIDO_TEST(run, a_root_that_returns_a_stray_cancel_broke_a_rule)
{
    cr_expect(eq(int, nido_run(give, result(-ECANCELED), NULL), -EPROTO));
}

NIDO_TEST(run, exit_status_is_0_or_1)
{
    cr_expect(zero(int, nido_exit_status(0)));
    cr_expect(zero(int, nido_exit_status(7)));
    cr_expect(eq(int, nido_exit_status(-EIO), 1));
    cr_expect(eq(int, nido_exit_status(INT32_MIN), 1));
}

static int look_at_the_clock(void *unused)
{
    (void)unused;
    cr_expect(eq(i64, nido_now(), NIDO_SEC(1)));
    cr_expect(zero(int, nido_sleep(NIDO_SEC(3600))));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(3601)));
    return 0;
}

NIDO_TEST(run, the_virtual_clock_starts_at_a_second_and_jumps)
{
    cr_expect(zero(int, nido_test_run(look_at_the_clock, NULL)));
}

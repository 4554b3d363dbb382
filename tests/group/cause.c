/* SPDX-License-Identifier: MIT */
/* Why a task is cancelled: nido_cancel_cause. */
#include "inside_help.h"

/* Goes on to the end of its first wait and keeps the cause. */
static int note_cause(void *arg)
{
    int rc = nido_sleep(NIDO_SEC(3600));

    nido_cancel_cause(arg);
    return rc;
}

INSIDE(cause, an_undisturbed_task_has_none)
{
    nido_cause cause = {.kind = NIDO_CAUSE_CANCEL};

    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_NONE));
    cr_expect(eq(str, (char *)cause.reason, ""));
    cr_expect(eq(str, cause.task_name, ""));
}

NIDO_TEST(cause, a_thread_without_a_runtime_has_none)
{
    nido_cause cause = {.kind = NIDO_CAUSE_CANCEL};

    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_NONE));
    cr_expect(eq(str, (char *)cause.reason, ""));
}

INSIDE(cause, a_cancel_tells_who_when_and_why)
{
    nido_scope scope;
    nido_cause cause;
    int64_t now = nido_now();

    nido_set_name("canceller");
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, -ENODATA, "no more data");
    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_CANCEL));
    cr_expect(eq(int, cause.code, -ENODATA));
    cr_expect(eq(str, (char *)cause.reason, "no more data"));
    cr_expect(eq(i64, cause.when, now));
    cr_expect(eq(u64, cause.task, nido_task_id(nido_self())));
    cr_expect(eq(str, cause.task_name, "canceller"));
    nido_scope_close(&scope, 0);
    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_NONE), "the cause outlives its scope");
}

INSIDE(cause, a_cancel_without_a_reason_has_an_empty_one)
{
    nido_scope scope;
    nido_cause cause;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    nido_cancel_cause(&cause);
    cr_expect(eq(str, (char *)cause.reason, ""));
    nido_scope_close(&scope, 0);
}

INSIDE(cause, a_deadline_is_nobodys_doing)
{
    nido_scope scope;
    nido_cause cause;
    int64_t end = nido_now() + 5;

    nido_deadline_open(&scope, end);
    nido_sleep(100);
    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_DEADLINE));
    cr_expect(eq(int, cause.code, -ETIMEDOUT));
    cr_expect(eq(u64, cause.task, 0));
    cr_expect(eq(str, cause.task_name, ""));
    cr_expect(eq(i64, cause.when, end));
    nido_scope_close(&scope, 0);
}

static int fail(void *unused)
{
    (void)unused;
    nido_set_name("culprit");
    return -EIO;
}

/* S76 */
INSIDE(cause, the_failure_of_a_sibling_names_it)
{
    nido_group group;
    nido_cause cause = {.kind = NIDO_CAUSE_NONE};
    nido_task culprit;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, note_cause, &cause);
    culprit = begin_kept(&group, fail, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_FAILURE));
    cr_expect(eq(int, cause.code, -EIO));
    cr_expect(eq(u64, cause.task, nido_task_id(culprit)));
    cr_expect(eq(str, cause.task_name, "culprit"));
}

static int win(void *unused)
{
    (void)unused;
    return 7;
}

INSIDE(cause, losers_know_that_the_race_is_over)
{
    nido_group group;
    nido_cause cause = {.kind = NIDO_CAUSE_NONE};

    nido_group_open(&group, NIDO_RACE, NULL);
    begin(&group, note_cause, &cause);
    begin(&group, win, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 7));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_RACE));
}

INSIDE(cause, a_service_is_released)
{
    nido_group group;
    nido_spawn_options options;
    nido_cause cause = {.kind = NIDO_CAUSE_NONE};

    nido_spawn_options_init(&options);
    options.service = true;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn_with(&group, note_cause, &cause, &options, NULL), 0));
    nido_yield();
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_RELEASE));
}

static int shut_down(void *cause)
{
    nido_rt *rt = nido_rt_self();

    cr_expect(eq(int, nido_rt_shutdown(rt, "closing time"), 0));
    nido_rt_release(rt);
    return note_cause(cause);
}

NIDO_TEST(cause, a_shutdown_gives_its_reason)
{
    nido_cause cause = {.kind = NIDO_CAUSE_NONE};

    cr_expect(eq(int, nido_test_run(shut_down, &cause), -EINTR));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_SHUTDOWN));
    cr_expect(eq(int, cause.code, -EINTR));
    cr_expect(eq(str, (char *)cause.reason, "closing time"));
}

static int wait_in_vain(void *cause)
{
    nido_event event;
    int rc;

    nido_event_init(&event, NULL);
    rc = nido_event_wait(&event);
    nido_cancel_cause(cause);
    return rc;
}

static void hear_nothing(void *unused, const char *text)
{
    (void)unused;
    (void)text;
}

NIDO_TEST(cause, a_deadlock_is_one)
{
    nido_cause cause = {.kind = NIDO_CAUSE_NONE};
    nido_options options = nido_test_virtual();

    options.on_report = hear_nothing;
    cr_expect(eq(int, nido_run(wait_in_vain, &cause, &options), -EDEADLK));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_DEADLOCK));
    cr_expect(eq(int, cause.code, -EDEADLK));
}

/* S100 */
INSIDE(cause, a_later_deadline_does_not_replace_the_failure_of_a_sibling)
{
    nido_group_options options;
    nido_group group;
    nido_scope shield;
    nido_cause cause;

    nido_group_options_init(&options);
    options.deadline = nido_now() + 10;
    nido_group_open_with(&group, &options);
    begin(&group, fail, NULL);
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(eq(int, nido_sleep(20), 0));
    nido_scope_close(&shield, 0);
    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_FAILURE));
    cr_expect(eq(int, nido_group_close(&group, -ECANCELED), -EIO));
}

INSIDE(cause, the_first_of_two_scopes_cancelled_is_the_cause)
{
    nido_scope outer, inner;
    nido_cause cause;

    nido_scope_open(&outer);
    nido_scope_open(&inner);
    nido_scope_cancel(&inner, 0, "first");
    nido_scope_cancel(&outer, 0, "second");
    nido_cancel_cause(&cause);
    cr_expect(eq(str, (char *)cause.reason, "first"));
    nido_scope_close(&inner, 0);
    nido_cancel_cause(&cause);
    cr_expect(eq(str, (char *)cause.reason, "second"));
    nido_scope_close(&outer, 0);
}

INSIDE(cause, a_second_cancel_changes_nothing)
{
    nido_scope scope;
    nido_cause cause;

    nido_scope_open(&scope);
    cr_expect(eq(int, nido_scope_cancel(&scope, -ENODATA, "first"), 0));
    cr_expect(eq(int, nido_scope_cancel(&scope, -EIO, "second"), -EALREADY));
    nido_cancel_cause(&cause);
    cr_expect(eq(str, (char *)cause.reason, "first"));
    cr_expect(eq(int, cause.code, -ENODATA));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ENODATA));
}

INSIDE(cause, a_cause_outside_a_shield_is_not_felt_inside)
{
    nido_scope scope, shield;
    nido_cause cause;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, "outside");
    nido_shield_open(&shield, NIDO_NEVER);
    nido_cancel_cause(&cause);
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_NONE));
    nido_scope_close(&shield, 0);
    nido_scope_close(&scope, 0);
}

/* ---- Names outlive the tasks ---- */

static nido_task begin_named(nido_group *group, const char *name, nido_fn *fn, void *arg)
{
    nido_spawn_options options;
    nido_task task = {0};

    nido_spawn_options_init(&options);
    options.name = name;
    cr_expect(zero(int, nido_spawn_with(group, fn, arg, &options, &task)));
    return task;
}

INSIDE(cause, the_winner_of_a_race_is_named)
{
    nido_group group;
    nido_cause cause = {.kind = NIDO_CAUSE_NONE};
    nido_task winner;

    nido_group_open(&group, NIDO_RACE, NULL);
    begin(&group, note_cause, &cause);
    winner = begin_named(&group, "the winner", win, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 7));
    cr_expect(eq(u64, cause.task, winner.id));
    cr_expect(eq(str, cause.task_name, "the winner"));
}

static int cancel_it(void *group)
{
    return nido_group_cancel(group, -EPIPE, "we are full");
}

INSIDE(cause, a_canceller_that_has_ended_is_named)
{
    nido_group group, others;
    nido_cause cause = {.kind = NIDO_CAUSE_NONE};
    nido_task boss;

    nido_group_open(&others, NIDO_FAIL_FAST, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, note_cause, &cause);
    boss = begin_named(&others, "a boss whose name has forty-one letters..", cancel_it, &group);
    cr_expect(eq(int, nido_group_close(&group, 0), -EPIPE));
    cr_expect(eq(u64, cause.task, boss.id));
    cr_expect(eq(str, cause.task_name, "a boss whose name has forty-one"), "31 of them");
    cr_expect(zero(int, nido_group_close(&others, 0)));
}

static int cancel_under_another_name(void *scope)
{
    nido_set_name("before");
    nido_scope_cancel(scope, 0, NULL);
    nido_set_name("after");
    return 0;
}

INSIDE(cause, the_name_is_that_of_the_moment)
{
    nido_group group;
    nido_scope scope;
    nido_cause cause;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_scope_open(&scope);
    begin(&group, cancel_under_another_name, &scope);
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    nido_cancel_cause(&cause);
    cr_expect(eq(str, cause.task_name, "before"));
    cr_expect(zero(int, nido_scope_close(&scope, 0)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

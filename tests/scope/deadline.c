/* SPDX-License-Identifier: MIT */
/* Deadlines: when they strike, who reports them, what moves them. */
#include "coro/scope/deadline.h"
#include "inside_help.h"

#define HOUR NIDO_SEC(3600)

/* Lets time pass while the task runs. */
static void work(int64_t ns)
{
    struct nidoi_clock *clock = &nidoi_loop_self()->clock;

    nidoi_clock_jump(clock, clock->now + ns);
}

/* S127 */
INSIDE(deadline, work_done_in_time_succeeds_and_leaves_no_timer)
{
    nido_scope scope;
    int64_t start = nido_now();

    nido_timeout_open(&scope, NIDO_SEC(3));
    cr_expect(eq(int, nido_scope_close(&scope, nido_sleep(NIDO_SEC(1))), 0));
    cr_expect(eq(i64, nido_now(), start + NIDO_SEC(1)));
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(eq(i64, nidoi_deadline_next(nidoi_loop_self()), NIDO_NEVER));
}

/* S128 */
INSIDE(deadline, an_inner_deadline_does_not_stop_the_outer_scope)
{
    nido_scope outer, inner;
    int64_t start = nido_now();

    nido_timeout_open(&outer, NIDO_SEC(5));
    nido_timeout_open(&inner, NIDO_SEC(1));
    cr_expect(eq(int, nido_scope_close(&inner, nido_sleep(HOUR)), -ETIMEDOUT));
    cr_expect(nido_scope_fired(&inner));
    cr_expect(not(nido_scope_fired(&outer)));
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), 0));
    cr_expect(eq(int, nido_scope_close(&outer, nido_sleep(HOUR)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now(), start + NIDO_SEC(5)));
}

/* S130 */
INSIDE(deadline, of_equal_deadlines_the_outermost_reports)
{
    nido_scope outer, middle, inner;
    int64_t end = nido_after(NIDO_SEC(1));

    nido_deadline_open(&outer, end);
    nido_deadline_open(&middle, end);
    nido_deadline_open(&inner, end);
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&inner, -ECANCELED), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&middle, -ECANCELED), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ETIMEDOUT));
    cr_expect(nido_scope_fired(&inner) && nido_scope_fired(&middle) && nido_scope_fired(&outer));
}

struct inner {
    int64_t end;
    int closed;
};

static int in_its_own_deadline(void *arg)
{
    struct inner *self = arg;
    nido_scope scope;

    nido_deadline_open(&scope, self->end);
    self->closed = nido_scope_close(&scope, nido_sleep(HOUR));
    return self->closed;
}

/* S130 Here each deadline is in the timer of a task of its own, in either order. */
INSIDE(deadline, equal_deadlines_of_two_tasks_are_the_outer_ones_too)
{
    int64_t end = nido_after(NIDO_SEC(1));

    for (int inner_first = 0; inner_first < 2; inner_first++, end += NIDO_SEC(1)) {
        struct inner child = {.end = end};
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        if (!inner_first) nido_scope_move(nido_group_scope(&group), end);
        begin(&group, in_its_own_deadline, &child);
        nido_yield();
        if (inner_first) nido_scope_move(nido_group_scope(&group), end);
        cr_expect(eq(int, nido_group_close(&group, 0), -ETIMEDOUT));
        cr_expect(eq(int, child.closed, -ECANCELED));
    }
}

/* S131 */
INSIDE(deadline, an_outer_one_that_passes_during_the_clean_up_reports)
{
    nido_scope outer, inner, shield;

    nido_timeout_open(&outer, NIDO_SEC(2));
    nido_timeout_open(&inner, NIDO_SEC(1));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    nido_shield_open(&shield, NIDO_NEVER);
    cr_expect(eq(int, nido_scope_close(&shield, nido_sleep(NIDO_SEC(3))), 0));
    cr_expect(eq(int, nido_scope_close(&inner, -ECANCELED), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ETIMEDOUT));
}

/* S131 Without a wait in between: the close itself sees that the outer one has passed. */
INSIDE(deadline, an_outer_one_that_passes_during_work_reports)
{
    nido_scope outer, inner;

    nido_timeout_open(&outer, NIDO_SEC(2));
    nido_timeout_open(&inner, NIDO_SEC(1));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    work(NIDO_SEC(5));
    cr_expect(eq(int, nido_scope_close(&inner, -ECANCELED), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ETIMEDOUT));
}

/* S133 */
INSIDE(deadline, work_finished_late_is_done_and_the_scope_has_fired)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(not(nido_scope_fired(&scope)));
    work(NIDO_SEC(2));
    cr_expect(nido_scope_fired(&scope));
    cr_expect(eq(int, nido_scope_close(&scope, 7), 7));
    cr_expect(nido_scope_fired(&scope));
}

/* S133 Nobody asks before the close. */
INSIDE(deadline, a_scope_closed_late_has_fired)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_SEC(1));
    work(NIDO_SEC(2));
    cr_expect(eq(int, nido_scope_close(&scope, 7), 7));
    cr_expect(nido_scope_fired(&scope));
}

/* S134 */
INSIDE(deadline, a_failure_after_the_deadline_is_that_failure)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -EIO), -EIO));
    cr_expect(nido_scope_fired(&scope));
}

/* S136 S137 */
INSIDE(deadline, no_time_at_all_lets_the_block_in_and_fails_its_first_wait)
{
    static const int64_t lengths[] = {0, -1, INT64_MIN};

    for (int i = 0; i < 3; i++) {
        nido_scope scope;
        int64_t start = nido_now();

        nido_timeout_open(&scope, lengths[i]);
        cr_expect(nido_cancelled());
        cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
        cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
        cr_expect(nido_scope_fired(&scope));
        nido_timeout_open(&scope, lengths[i]);
        cr_expect(eq(int, nido_scope_close(&scope, 5), 5), "a block without a wait succeeds");
        cr_expect(eq(i64, nido_now(), start));
    }
}

INSIDE(deadline, a_past_instant_is_one_that_has_expired)
{
    static const int64_t instants[] = {INT64_MIN, -1, 0, 1};

    for (int i = 0; i < 4; i++) {
        nido_scope scope;

        nido_deadline_open(&scope, instants[i]);
        cr_expect(eq(int, nido_yield(), -ECANCELED));
        cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    }
}

/* S139 */
INSIDE(deadline, never_makes_no_timer_and_does_not_wrap)
{
    nido_scope scope;
    nido_group group;
    struct sleeper child = {.ns = 10};

    cr_expect(eq(i64, nido_after(NIDO_NEVER), NIDO_NEVER));
    cr_expect(eq(i64, nido_after(NIDO_NEVER - 1), NIDO_NEVER));
    cr_expect(lt(i64, nido_after(INT64_MIN), nido_now()));
    nido_timeout_open(&scope, NIDO_NEVER);
    cr_expect(eq(i64, nido_deadline(), NIDO_NEVER));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleeper, &child);
    cr_expect(eq(int, nido_yield(), 0));
    cr_expect(eq(sz, nidoi_loop_self()->timers.count, 1), "the sleeper has the only timer");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
}

/* ---- Moving ---- */

/* S140 */
INSIDE(deadline, one_moved_later_strikes_later)
{
    nido_scope scope;
    int64_t start = nido_now();

    nido_deadline_open(&scope, start + 10);
    cr_expect(eq(int, nido_sleep(5), 0));
    cr_expect(eq(int, nido_scope_move(&scope, start + 30), 0));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + 30));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
}

struct mover {
    nido_scope *scope;
    int64_t wait, to;
};

/* The second sleep is the earliest timer known while the moved one strikes. */
static int move_later(void *arg)
{
    struct mover *self = arg;
    int rc;

    nido_sleep(self->wait);
    rc = nido_scope_move(self->scope, self->to);
    nido_sleep(self->wait * 4);
    return rc;
}

INSIDE(deadline, one_moved_by_another_task_wakes_the_sleeper_at_the_new_instant)
{
    static const int64_t ends[] = {20, 500};

    for (int i = 0; i < 2; i++) {
        nido_scope scope;
        nido_group group;
        int64_t start = nido_now();
        struct mover mover = {&scope, 10, start + ends[i]};

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        begin(&group, move_later, &mover);
        nido_deadline_open(&scope, start + 100);
        cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
        cr_expect(eq(i64, nido_now(), start + ends[i]));
        cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
        cr_expect(eq(int, nido_group_close(&group, 0), 0));
    }
}

INSIDE(deadline, a_scope_without_one_can_be_given_one_and_relieved_of_it)
{
    nido_scope scope;
    int64_t start = nido_now();

    nido_scope_open(&scope);
    cr_expect(eq(int, nido_scope_move(&scope, start + 10), 0));
    cr_expect(eq(i64, nido_deadline(), start + 10));
    cr_expect(eq(int, nido_scope_move(&scope, NIDO_NEVER), 0));
    cr_expect(eq(int, nido_sleep(20), 0));
    cr_expect(eq(int, nido_scope_move(&scope, start + 30), 0));
    cr_expect(eq(int, nido_sleep(20), -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + 30));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
}

/* S142 */
INSIDE(deadline, one_that_has_fired_or_passed_cannot_be_moved)
{
    nido_scope scope;

    nido_timeout_open(&scope, 10);
    nido_sleep(HOUR);
    cr_expect(eq(int, nido_scope_move(&scope, NIDO_NEVER), -EALREADY));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));

    nido_timeout_open(&scope, 10);
    work(20);
    cr_expect(eq(int, nido_scope_move(&scope, NIDO_NEVER), -EALREADY));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));

    nido_timeout_open(&scope, 10);
    nido_scope_cancel(&scope, -ENODATA, NULL);
    cr_expect(eq(int, nido_scope_move(&scope, NIDO_NEVER), -EALREADY));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ENODATA));
}

INSIDE(deadline, one_moved_to_the_past_strikes_at_the_next_point)
{
    nido_scope scope;

    nido_timeout_open(&scope, 10);
    cr_expect(eq(int, nido_scope_move(&scope, INT64_MIN), 0));
    cr_expect(nido_cancelled());
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
}

/* S143 */
INSIDE(deadline, extending_the_inner_scope_does_not_extend_the_outer)
{
    nido_scope outer, inner;
    int64_t start = nido_now();

    nido_deadline_open(&outer, start + 10);
    nido_deadline_open(&inner, start + 5);
    cr_expect(eq(i64, nido_deadline(), start + 5));
    cr_expect(eq(int, nido_scope_move(&inner, start + 100), 0));
    cr_expect(eq(i64, nido_deadline(), start + 10));
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + 10));
    cr_expect(eq(int, nido_scope_close(&inner, -ECANCELED), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ETIMEDOUT));
}

/* ---- Beside completions ---- */

/* S148 */
INSIDE(deadline, a_second_timeout_works_in_the_clean_up_after_the_first)
{
    nido_scope first, shield, second;
    int64_t start = nido_now();

    nido_timeout_open(&first, 10);
    cr_expect(eq(int, nido_sleep(HOUR), -ECANCELED));
    nido_shield_open(&shield, NIDO_SEC(1));
    nido_timeout_open(&second, 10);
    cr_expect(eq(int, nido_scope_close(&second, nido_sleep(HOUR)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now(), start + 20));
    cr_expect(eq(int, nido_scope_close(&shield, 0), 0));
    cr_expect(eq(int, nido_scope_close(&first, -ECANCELED), -ETIMEDOUT));
}

static int set_and_dawdle(void *event)
{
    nido_event_set(event);
    work(NIDO_SEC(10));
    return 0;
}

/* S154, with an event */
INSIDE(deadline, one_that_passes_before_a_released_waiter_runs_comes_too_late)
{
    nido_group group;
    nido_event event;
    nido_scope scope;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, set_and_dawdle, &event);
    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(eq(int, nido_event_wait(&event), 0));
    cr_expect(eq(int, nido_check(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

INSIDE(deadline, one_that_passes_during_work_is_noticed_by_the_sixteenth_call_at_the_latest)
{
    nido_event event;
    nido_scope scope;
    int calls = 1;

    nido_event_init(&event, NULL);
    nido_event_set(&event);
    nido_timeout_open(&scope, NIDO_SEC(1));
    work(NIDO_SEC(2));
    for (; nido_event_wait(&event) == 0 && calls < 100; calls++) {
    }
    cr_expect(le(int, calls, 16));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
}

INSIDE(deadline, a_check_notices_at_once_and_a_question_fires_nothing)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_SEC(1));
    work(NIDO_SEC(2));
    cr_expect(not(nido_cancelled()), "the question reads no clock");
    cr_expect(eq(int, nido_check(), -ECANCELED));
    cr_expect(nido_cancelled());
    cr_expect(eq(i64, nido_deadline(), INT64_MIN));
    nido_scope_close(&scope, 0);
}

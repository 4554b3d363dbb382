/* SPDX-License-Identifier: MIT */
/* Cancelling: what it does to waits, to tasks, to groups, and to those whom it does not concern. */
#include "inside_help.h"

#define HOUR NIDO_SEC(3600)

/* S79 */
INSIDE(cancel, a_parked_sleep_ends_in_the_same_tick)
{
    nido_group group;
    struct sleeper child = {.ns = HOUR};
    int64_t start = nido_now();

    nido_group_open(&group, NIDO_FAIL_FAST, "sleepers");
    begin(&group, sleeper, &child);
    nido_yield();
    cr_expect(eq(int, nido_group_cancel(&group, 0, "enough"), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, child.rc, -ECANCELED));
    cr_expect(eq(i64, child.at, start));
}

static int nothing(void *unused)
{
    (void)unused;
    return 7;
}

static int forbidden(void *unused)
{
    (void)unused;
    cr_expect(false, "this task must not run");
    return 0;
}

/* S80 */
INSIDE(cancel, every_waiting_call_is_refused_even_if_it_could_complete_at_once)
{
    nido_group group;
    nido_event event;
    nido_ticker ticker;
    nido_task over;
    int64_t tick;
    int rc = 99;
    intptr_t value = 99;

    nido_event_init(&event, NULL);
    nido_event_set(&event);
    cr_expect(eq(int, nido_ticker_init(&ticker, 1, NIDO_SKIP), 0));
    tick = ticker.next;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    over = begin_kept(&group, nothing, NULL);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    cr_expect(eq(int, nido_event_wait(&event), -ECANCELED));
    cr_expect(eq(int, nido_join(over, &rc), -ECANCELED));
    cr_expect(eq(int, rc, 99));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_sleep(0), -ECANCELED));
    cr_expect(eq(int, nido_sleep_until(0), -ECANCELED));
    cr_expect(eq(int, nido_spawn_wait(&group, forbidden, NULL), -ECANCELED));
    cr_expect(eq(int, nido_start(&group, forbidden, NULL, &value), -ECANCELED));
    cr_expect(eq(i64, value, 99));
    cr_expect(eq(int, nido_ticker_wait(&ticker), -ECANCELED));
    cr_expect(eq(i64, ticker.next, tick), "the tick was used up");
    cr_expect(eq(int, nido_group_close(&group, -ECANCELED), 0));
}

/* S82 */
INSIDE(cancel, calls_that_only_give_back_or_ask_still_work)
{
    nido_group group;
    nido_scope scope;
    nido_event event;
    nido_task over;
    int rc = 0;

    nido_event_init(&event, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    over = begin_kept(&group, nothing, NULL);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    cr_expect(eq(int, nido_event_set(&event), 0));
    cr_expect(eq(int, nido_event_reset(&event), 0));
    cr_expect(eq(int, nido_try_join(over, &rc), 0));
    cr_expect(eq(int, rc, 7));
    cr_expect(eq(int, nido_task_forget(over), 0));
    nido_scope_open(&scope);
    cr_expect(eq(int, nido_scope_cancel(&scope, -ENODATA, NULL), 0));
    cr_expect(eq(int, nido_scope_close(&scope, 3), 3));
    cr_expect(eq(int, nido_event_deinit(&event), 0));
    cr_expect(eq(int, nido_group_close(&group, 5), 5));
}

static int cancelled_from_the_start(void *arg)
{
    int *steps = arg;

    *steps = 1;
    if (nido_yield() == -ECANCELED) *steps = 2;
    return -ECANCELED;
}

/* S83 */
INSIDE(cancel, a_body_cancelled_before_it_starts_runs_to_its_first_point)
{
    nido_group group;
    nido_scope scope;
    int steps = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, cancelled_from_the_start, &steps);
    nido_group_cancel(&group, 0, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, steps, 2));

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, -ENODATA, NULL);
    cr_expect(eq(int, nido_scope_close(&scope, cancelled_from_the_start(&steps)), -ENODATA));
    cr_expect(eq(int, steps, 2));
}

/* S85 */
INSIDE(cancel, an_inner_cancel_does_not_touch_the_outer_tasks)
{
    nido_group outer, inner;
    struct sleeper outside = {.ns = 10}, inside = {.ns = 10};

    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    begin(&outer, sleeper, &outside);
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    begin(&inner, sleeper, &inside);
    nido_yield();
    nido_group_cancel(&inner, 0, NULL);
    cr_expect(eq(int, nido_group_close(&inner, 0), 0));
    cr_expect(eq(int, nido_group_close(&outer, 0), 0));
    cr_expect(eq(int, inside.rc, -ECANCELED));
    cr_expect(eq(int, outside.rc, 0));
}

/* S86 */
INSIDE(cancel, a_task_that_cancels_its_own_scope_notices_at_the_next_point)
{
    nido_scope scope;

    nido_scope_open(&scope);
    cr_expect(not(nido_cancelled()));
    cr_expect(eq(int, nido_scope_cancel(&scope, -ENODATA, "myself"), 0));
    cr_expect(nido_cancelled());
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ENODATA));
}

static int translate(void *unused)
{
    (void)unused;
    return nido_sleep(HOUR) == -ECANCELED ? -EIO : 0;
}

/* S88 */
INSIDE(cancel, a_task_that_turns_its_cancel_into_another_code_has_failed)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, translate, NULL);
    nido_yield();
    nido_group_cancel(&group, -ENODATA, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
}

/* S89 */
INSIDE(cancel, what_follows_an_absorbed_cancel_works_normally)
{
    nido_scope scope;
    int64_t start = nido_now();

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    cr_expect(eq(int, nido_scope_close(&scope, nido_yield()), 0));
    cr_expect(not(nido_cancelled()));
    cr_expect(eq(int, nido_check(), 0));
    cr_expect(eq(int, nido_sleep(5), 0));
    cr_expect(eq(i64, nido_now(), start + 5));
}

/* S91 */
INSIDE(cancel, the_outer_of_two_cancelled_scopes_absorbs)
{
    nido_scope outer, inner;

    nido_scope_open(&outer);
    nido_scope_open(&inner);
    nido_scope_cancel(&inner, -ENODATA, NULL);
    nido_scope_cancel(&outer, -ENOLINK, NULL);
    cr_expect(eq(int, nido_scope_close(&inner, nido_yield()), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ENOLINK));
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

/* S92 */
INSIDE(cancel, a_check_tests_and_never_yields)
{
    nido_group group;
    nido_scope scope;
    int ran = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, count, &ran);
    for (int i = 0; i < 1000; i++) cr_expect(eq(int, nido_check(), 0));
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    for (int i = 0; i < 1000; i++) cr_expect(eq(int, nido_check(), -ECANCELED));
    cr_expect(eq(int, ran, 0), "a check has let another task run");
    nido_scope_close(&scope, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, ran, 1));
}

/* S94 */
INSIDE(cancel, a_task_cancelled_by_its_handle_ends_alone)
{
    nido_group group;
    struct sleeper one = {.ns = 10}, other = {.ns = 10};
    nido_task first, second;
    int rc = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    first = begin_kept(&group, sleeper, &one);
    second = begin_kept(&group, sleeper, &other);
    nido_yield();
    cr_expect(not(nido_task_was_cancelled(first)));
    cr_expect(eq(int, nido_task_cancel(first, -ENODATA, "you"), 0));
    cr_expect(eq(int, nido_task_cancel(first, 0, "again"), -EALREADY));
    cr_expect(eq(int, nido_join(first, &rc), 0));
    cr_expect(eq(int, rc, -ENODATA));
    cr_expect(nido_task_was_cancelled(first));
    cr_expect(eq(int, nido_join(second, &rc), 0));
    cr_expect(eq(int, rc, 0));
    cr_expect(not(nido_task_was_cancelled(second)));
    cr_expect(eq(int, nido_group_close(&group, 0), 0), "a cancelled task is no failure");
    cr_expect(eq(int, one.rc, -ECANCELED));
}

/* S95 */
INSIDE(cancel, a_task_that_has_ended_cannot_be_cancelled)
{
    nido_group group;
    nido_task kept, stale = {.slot = 1, .id = 0};
    int rc = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    kept = begin_kept(&group, nothing, NULL);
    nido_yield();
    cr_expect(eq(int, nido_task_cancel(kept, 0, NULL), -ESRCH));
    cr_expect(eq(int, nido_task_cancel(stale, 0, NULL), -ESRCH));
    cr_expect(eq(int, nido_join(kept, &rc), 0));
    cr_expect(eq(int, rc, 7));
    cr_expect(not(nido_task_was_cancelled(kept)));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_task_cancel(kept, 0, NULL), -ESRCH));
}

/* S109 */
INSIDE(cancel, members_that_finish_anyway_make_the_close_succeed)
{
    nido_scope outer;
    nido_group group;
    int ran = 0;

    nido_scope_open(&outer);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, count, &ran);
    nido_scope_cancel(&outer, -ENODATA, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, ran, 1));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&outer, -ECANCELED), -ENODATA));
}

static int finish_in_a_cancelled_scope(void *arg)
{
    *(bool *)arg = nido_cancelled();
    return 7;
}

/* S107 */
INSIDE(cancel, a_task_that_finishes_in_the_batch_of_its_cancel_keeps_its_result)
{
    nido_group group;
    bool felt = false;
    nido_task task;
    int rc = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    task = begin_kept(&group, finish_in_a_cancelled_scope, &felt);
    cr_expect(eq(int, nido_task_cancel(task, -ENODATA, NULL), 0));
    cr_expect(eq(int, nido_join(task, &rc), 0));
    cr_expect(eq(int, rc, 7));
    cr_expect(felt);
    cr_expect(not(nido_task_was_cancelled(task)));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

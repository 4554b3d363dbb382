/* SPDX-License-Identifier: MIT */
/* Sleeping and yielding: never short, in order, and cheap for the kernel. */
#include <stdlib.h>

#include "coro/runtime/loop.h"
#include "faults.h"
#include "inside_help.h"
#include "seeded.h"

#define HOUR NIDO_SEC(3600)

INSIDE(sleep, a_sleep_ends_at_its_instant)
{
    int64_t start = nido_now();

    cr_expect(eq(int, nido_sleep(1), 0));
    cr_expect(eq(i64, nido_now(), start + 1));
    cr_expect(eq(int, nido_sleep_until(start + 7), 0));
    cr_expect(eq(i64, nido_now(), start + 7));
    cr_expect(eq(int, nido_sleep(HOUR), 0));
    cr_expect(eq(i64, nido_now(), start + 7 + HOUR));
}

/* S370 */
INSIDE(sleep, a_day_of_virtual_time_asks_the_kernel_nothing)
{
    faults_begin();
    cr_expect(eq(int, nido_sleep(24 * HOUR), 0));
    cr_expect(eq(ulong, faults_count(FAULT_backend_wait), 0));
    faults_end();
}

static int doze(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        int64_t start = nido_now();

        cr_expect(eq(int, nido_sleep(NIDO_US(900)), 0));
        cr_expect(ge(i64, nido_now(), start + NIDO_US(900)), "a sleep ended early");
    }
    return 0;
}

/* S145 The real clock: one poll each, so the rest of a millisecond is not spent in polling. */
NIDO_TEST(sleep, a_sleep_below_a_millisecond_costs_one_poll)
{
    faults_begin();
    cr_expect(eq(int, nido_run(doze, NULL, NULL), 0));
    cr_expect(le(ulong, faults_count(FAULT_backend_wait), 20));
    cr_expect(gt(ulong, faults_count(FAULT_backend_wait), 0));
    faults_end();
}

/* S145 With a peer outside, so that the kernel is asked before each jump of the clock. */
INSIDE(sleep, a_thousand_short_sleeps_cost_a_thousand_polls)
{
    nido_rt *peer = nido_rt_self();
    int64_t start = nido_now();

    faults_begin();
    faults_fail(FAULT_backend_wait, FAULT_ALWAYS, 0);
    for (int i = 1; i <= 1000; i++) {
        cr_expect(eq(int, nido_sleep(NIDO_US(900)), 0));
        cr_expect(eq(i64, nido_now(), start + i * NIDO_US(900)));
    }
    cr_expect(eq(ulong, faults_count(FAULT_backend_wait), 1000));
    faults_end();
    nido_rt_release(peer);
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static void expect_others_first(int (*wait)(int64_t), int64_t ns)
{
    nido_group group;
    nido_scope scope;
    int64_t start = nido_now();
    int ran = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 10; i++) begin(&group, count, &ran);
    cr_expect(eq(int, wait(ns), 0));
    cr_expect(eq(int, ran, 10));
    cr_expect(eq(i64, nido_now(), start));
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    begin(&group, count, &ran);
    cr_expect(eq(int, wait(ns), -ECANCELED));
    cr_expect(eq(int, ran, 10), "a refused call must not yield");
    nido_scope_close(&scope, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

/* S146 */
INSIDE(sleep, a_sleep_of_nothing_lets_others_run_first)
{
    expect_others_first(nido_sleep, 0);
    expect_others_first(nido_sleep, -5);
    expect_others_first(nido_sleep, INT64_MIN);
    expect_others_first(nido_sleep_until, 0);
    expect_others_first(nido_sleep_until, nido_now());
}

static int cancel_it(void *scope)
{
    return nido_scope_cancel(scope, 0, NULL);
}

INSIDE(sleep, a_yield_tests_after_it_has_yielded)
{
    nido_group group;
    nido_scope scope;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_scope_open(&scope);
    begin(&group, cancel_it, &scope);
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), 0));
    nido_scope_open(&scope);
    begin(&group, cancel_it, &scope);
    cr_expect(eq(int, nido_sleep(0), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

INSIDE(sleep, an_endless_sleep_ends_by_a_cancel)
{
    nido_group group;
    struct sleeper child = {.ns = NIDO_NEVER};

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleeper, &child);
    nido_sleep(HOUR);
    cr_expect(eq(int, child.rc, 1));
    nido_group_cancel(&group, 0, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, child.rc, -ECANCELED));
}

INSIDE(sleep, a_cancelled_sleep_leaves_no_alarm_behind)
{
    nido_scope scope;
    nido_event event;
    int64_t start = nido_now();

    nido_deadline_open(&scope, start + 5);
    cr_expect(eq(int, nido_scope_close(&scope, nido_sleep(10)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now(), start + 5));
    nido_event_init(&event, NULL);
    nido_deadline_open(&scope, start + 20);
    cr_expect(eq(int, nido_scope_close(&scope, nido_event_wait(&event)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now(), start + 20));
    cr_expect(eq(int, nido_sleep_until(start + 30), 0));
    cr_expect(eq(i64, nido_now(), start + 30));
}

/* ---- Sleeps beside deadlines ---- */

INSIDE(sleep, one_that_ends_with_a_deadline_has_ended)
{
    nido_scope scope;
    int64_t end = nido_after(10);

    nido_deadline_open(&scope, end);
    cr_expect(eq(int, nido_sleep_until(end), 0));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
}

INSIDE(sleep, one_that_ends_with_the_deadline_of_its_group_has_ended)
{
    nido_group_options options;
    nido_group group;
    struct sleeper early = {.ns = 10}, late = {.ns = 11};

    nido_group_options_init(&options);
    options.deadline = nido_after(10);
    nido_group_open_with(&group, &options);
    begin(&group, sleeper, &early);
    begin(&group, sleeper, &late);
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIMEDOUT));
    cr_expect(eq(int, early.rc, 0));
    cr_expect(eq(int, late.rc, -ECANCELED));
}

static int work_past(void *when)
{
    nidoi_clock_jump(&nidoi_loop_self()->clock, *(int64_t *)when);
    return nido_check();
}

/* The deadline is noticed by a task that runs, before the loop looks at the clock again. */
INSIDE(sleep, one_that_ends_with_a_deadline_noticed_by_a_busy_task_has_ended)
{
    nido_group_options options;
    nido_group group;
    struct sleeper child = {.ns = 10};
    int64_t end = nido_after(10);

    nido_group_options_init(&options);
    options.deadline = end;
    nido_group_open_with(&group, &options);
    begin(&group, sleeper, &child);
    begin(&group, work_past, &end);
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIMEDOUT));
    cr_expect(eq(int, child.rc, 0));
}

static int lie_down_late(void *unused)
{
    struct seeded seeded = {1};
    nido_scope scope;

    (void)unused;
    for (int i = 0; i < 20000; i++) {
        int rc;

        nido_deadline_open(&scope, nido_after(seeded_below(&seeded, 1000)));
        rc = nido_scope_close(&scope, nido_sleep(1 + seeded_below(&seeded, 100)));
        cr_expect(rc == 0 || rc == -ETIMEDOUT);
    }
    return 0;
}

/* The real clock: now and then both instants pass between the entry of the sleep and its park, and
 * a grace makes the cancel look at the clock once more. */
NIDO_TEST(sleep, deadline_and_alarm_may_pass_while_a_task_lies_down)
{
    nido_options options;

    nido_options_init(&options);
    options.grace_ns = NIDO_SEC(1);
    cr_expect(eq(int, nido_run(lie_down_late, NULL, &options), 0));
}

/* ---- Many ---- */

enum { MANY = 2000 };

static struct {
    int number[MANY];
    int count;
} woken;

struct numbered {
    int number;
    int64_t when;
};

static int sleep_in_turn(void *arg)
{
    struct numbered *self = arg;

    cr_expect(eq(int, nido_sleep_until(self->when), 0));
    cr_expect(eq(i64, nido_now(), self->when));
    woken.number[woken.count++] = self->number;
    return 0;
}

static int by_instant(const void *a, const void *b)
{
    const struct numbered *first = a, *second = b;

    if (first->when != second->when) return first->when < second->when ? -1 : 1;
    return first->number - second->number;
}

INSIDE(sleep, sleepers_wake_in_order_and_equal_ones_as_they_went_to_sleep)
{
    static struct numbered all[MANY];
    struct seeded seeded = {7};
    nido_group group;
    int misplaced = 0;

    woken.count = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < MANY; i++) {
        all[i] = (struct numbered){i, nido_after(1 + seeded_below(&seeded, 300))};
        begin(&group, sleep_in_turn, &all[i]);
    }
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    qsort(all, MANY, sizeof *all, by_instant);
    for (int i = 0; i < MANY; i++) misplaced += woken.number[i] != all[i].number;
    cr_expect(eq(int, woken.count, MANY));
    cr_expect(eq(int, misplaced, 0));
}

/* ---- Clocks ---- */

INSIDE(sleep, the_virtual_clock_begins_at_one_second)
{
    cr_expect(eq(i64, nido_now(), NIDO_SEC(1)));
    cr_expect(eq(i64, nido_after(5), NIDO_SEC(1) + 5));
    cr_expect(eq(i64, nido_after(-5), NIDO_SEC(1) - 5));
}

NIDO_TEST(sleep, a_thread_without_a_runtime_has_the_monotonic_clock)
{
    int64_t before = nidoi_sys_now(), now = nido_now();

    cr_expect(le(i64, before, now));
    cr_expect(le(i64, now, nidoi_sys_now()));
    cr_expect(eq(i64, nido_after(NIDO_NEVER), NIDO_NEVER));
}

/* What an idle loop asks the kernel for, which here answers at once that nothing has come. */
static struct {
    int asked, astray;
} naps;

static int note_nap(int backend, backend_event *events, int n, int64_t ns)
{
    (void)backend, (void)events, (void)n;
    naps.asked++;
    naps.astray += (nidoi_loop_self()->sched.now + ns) % HOUR != 0;
    return 0;
}

static int sleep_a_moment(void *unused)
{
    int64_t start = nido_now();

    (void)unused;
    cr_expect(zero(int, nido_sleep(NIDO_US(200))));
    cr_expect(ge(i64, nido_now(), start + NIDO_US(200)), "never early");
    cr_expect(lt(i64, nido_now(), start + HOUR), "an awake loop serves everybody at his own time");
    return 0;
}

NIDO_TEST(sleep, with_a_slack_the_kernel_is_asked_for_its_multiples_alone)
{
    nido_options options;

    nido_options_init(&options);
    options.timer_slack_ns = HOUR;
    naps.asked = naps.astray = 0;
    faults_begin();
    nidoi_sys.BACKEND_WAIT = note_nap;
    cr_expect(zero(int, nido_run(sleep_a_moment, NULL, &options)));
    faults_end();
    cr_expect(gt(int, naps.asked, 0));
    cr_expect(zero(int, naps.astray));
}

static int sleep_exactly(void *unused)
{
    int64_t start = nido_now();

    (void)unused;
    cr_expect(zero(int, nido_sleep(1)));
    cr_expect(eq(i64, nido_now(), start + 1));
    return 0;
}

NIDO_TEST(sleep, virtual_time_knows_no_slack)
{
    nido_options options = nido_test_virtual();

    options.timer_slack_ns = HOUR;
    cr_expect(zero(int, nido_run(sleep_exactly, NULL, &options)));
}

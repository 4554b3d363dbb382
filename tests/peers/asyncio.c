/* SPDX-License-Identifier: MIT */
/* What the published tests of Python's asyncio check of it, checked of nido. The comment of each
 * test names the peer's test that it is after, and what nido intends otherwise. */
#include "sync_help.h"

#include <fcntl.h>

#include "group_help.h"
#include "io_help.h"
#include "proc_help.h"

/* ---- test_taskgroups.py ---- */

/* A group whose tasks and body are plans; what its close says. */
static int run_plans(struct plan *plans, int n, struct plan *body)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < n; i++) begin(&group, follow, &plans[i]);
    return nido_group_close(&group, body ? follow(body) : 0);
}

/* test_taskgroup_01, test_taskgroup_04, test_taskgroup_09, test_taskgroup_10,
 * test_cancel_children_on_child_error. */
INSIDE(asyncio, a_group_gives_the_first_failure_of_tasks_and_body)
{
    static const struct {
        int first, second, body, rc;
        int64_t end; /* ms */
        int met;     /* by the second task */
    } cases[] = {
        {0, 0, 0, 0, 200, 0},
        {-EIO, 0, 0, -EIO, 100, -ECANCELED},
        {0, -EIO, 0, -EIO, 200, 0},
        {0, 0, -EPERM, -EPERM, 50, -ECANCELED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan plans[2] = {{.ns = NIDO_MS(100), .rc = cases[i].first},
                                {.ns = NIDO_MS(200), .rc = cases[i].second}};
        struct plan body = {.ns = NIDO_MS(50), .rc = cases[i].body};
        int64_t start = nido_now();

        cr_expect(eq(int, run_plans(plans, 2, &body), cases[i].rc), "case %zu", i);
        cr_expect(eq(i64, nido_now() - start, NIDO_MS(cases[i].end)), "case %zu", i);
        cr_expect(eq(int, plans[1].met, cases[i].met), "case %zu", i);
    }
}

/* test_taskgroup_03: one task is cancelled, and the others go on. */
INSIDE(asyncio, a_task_that_is_cancelled_alone_is_no_failure)
{
    struct plan plans[2] = {{.ns = NIDO_SEC(1)}, {.ns = NIDO_MS(200), .rc = 11}};
    nido_group group;
    nido_task task;
    int rc = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    task = begin_kept(&group, follow, &plans[0]);
    nido_sleep(NIDO_MS(150));
    cr_expect(zero(int, nido_task_cancel(task, -EINTR, NULL)));
    begin(&group, follow, &plans[1]);
    cr_expect(zero(int, nido_join(task, &rc)));
    cr_expect(eq(int, rc, -EINTR));
    cr_expect(nido_task_was_cancelled(task));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, plans[1].met));
}

struct runner {
    struct plan plans[5];
    struct plan body;
    int spoil; /* what a task makes of its cancel */
    int rc;
};

static int follow_and_spoil(void *arg)
{
    struct plan *plan = arg;
    int rc = follow(plan);

    return rc < 0 && plan->rc < 0 ? plan->rc : rc;
}

static int run_five(void *arg)
{
    struct runner *self = arg;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 5; i++) {
        self->plans[i] = (struct plan){.ns = NIDO_SEC(5), .rc = self->spoil};
        begin(&group, follow_and_spoil, &self->plans[i]);
    }
    self->rc = nido_group_close(&group, follow_and_spoil(&self->body));
    return self->rc;
}

/* test_cancellation, test_taskgroup_07, test_taskgroup_08, test_taskgroup_18, test_taskgroup_22: the
 * task with the group is cancelled. What a task or the body makes of it is a failure. */
INSIDE(asyncio, a_cancel_of_a_groups_task_reaches_all_in_it)
{
    static const struct {
        int spoil, body, rc;
    } cases[] = {{0, 0, -ECANCELED}, {-EDOM, 0, -EDOM}, {0, -EBADMSG, -EBADMSG}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct runner runner = {.spoil = cases[i].spoil,
                                .body = {.ns = NIDO_SEC(10), .rc = cases[i].body}};
        nido_group group;
        nido_task task;

        nido_group_open(&group, NIDO_WAIT_ALL, NULL);
        task = begin_kept(&group, run_five, &runner);
        nido_sleep(NIDO_MS(100));
        nido_task_cancel(task, 0, NULL);
        cr_expect(
            eq(int, nido_group_close(&group, 0), cases[i].rc == -ECANCELED ? 0 : cases[i].rc));
        cr_expect(eq(int, runner.rc, cases[i].rc), "case %zu", i);
        for (int n = 0; n < 5; n++) cr_expect(eq(int, runner.plans[n].met, -ECANCELED));
        cr_expect(eq(int, runner.body.met, -ECANCELED));
    }
}

struct nested {
    struct plan outer, inner;
    int inner_rc;
};

static int run_nested(struct nested *self)
{
    nido_group groups[2];
    int rc;

    nido_group_open(&groups[0], NIDO_FAIL_FAST, "outer");
    begin(&groups[0], follow, &self->outer);
    nido_group_open(&groups[1], NIDO_FAIL_FAST, "inner");
    begin(&groups[1], follow, &self->inner);
    self->inner_rc = rc = nido_group_close(&groups[1], 0);
    return nido_group_close(&groups[0], rc);
}

/* test_taskgroup_13, test_taskgroup_14. In asyncio the inner group's failure comes out wrapped; in
 * nido a single failure passes up as itself. */
INSIDE(asyncio, of_nested_groups_a_failure_passes_up_and_cancels_down)
{
    struct nested outer = {.outer = {.ns = NIDO_MS(100), .rc = -ERANGE},
                           .inner = {.ns = NIDO_SEC(10)}};
    struct nested inner = {.outer = {.ns = NIDO_SEC(10)},
                           .inner = {.ns = NIDO_MS(100), .rc = -ERANGE}};

    cr_expect(eq(int, run_nested(&outer), -ERANGE));
    cr_expect(eq(int, outer.inner_rc, -ECANCELED));
    cr_expect(eq(int, outer.inner.met, -ECANCELED));
    cr_expect(eq(int, run_nested(&inner), -ERANGE));
    cr_expect(eq(int, inner.inner_rc, -ERANGE));
    cr_expect(eq(int, inner.outer.met, -ECANCELED));
}

/* test_taskgroup_15: a task fails while the body, cancelled, is still cleaning up. */
static int clean_up_slowly(void *rc)
{
    int met = nido_sleep(NIDO_SEC(10));
    nido_scope shield;

    nido_shield_open(&shield, NIDO_SEC(1));
    nido_sleep(NIDO_MS(500));
    nido_scope_close(&shield, 0);
    *(int *)rc = met;
    return met;
}

static int crash_in_shield(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_shield_open(&shield, NIDO_SEC(1));
    nido_sleep(NIDO_MS(300));
    nido_scope_close(&shield, 0);
    return -EIO;
}

static int crash_and_clean_up(void *met)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, crash_in_shield, NULL);
    return nido_group_close(&group, clean_up_slowly(met));
}

INSIDE(asyncio, a_failure_during_the_clean_up_after_a_cancel_is_the_result)
{
    int64_t start = nido_now();
    int met = 0;

    cr_expect(eq(int, nido_with_timeout(NIDO_MS(100), crash_and_clean_up, &met), -EIO));
    cr_expect(eq(int, met, -ECANCELED));
    cr_expect(eq(i64, nido_now() - start, NIDO_MS(600)));
}

/* test_taskgroup_23: a task that has ended leaves nothing of itself in its group. */
INSIDE(asyncio, a_group_counts_the_living)
{
    struct plan plans[10] = {0};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 10; i++) {
        nido_sleep(NIDO_MS(100));
        plans[i].ns = NIDO_MS(300);
        begin(&group, follow, &plans[i]);
        cr_expect(le(sz, nido_group_live(&group), 4));
    }
    nido_sleep(NIDO_SEC(1));
    cr_expect(zero(sz, nido_group_live(&group)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

static int hydras;

static int hydra(void *group)
{
    int rc = nido_sleep(NIDO_MS(10));

    hydras++;
    if (rc == 0) rc = nido_spawn(group, hydra, group);
    if (rc == 0) rc = nido_spawn(group, hydra, group);
    return rc;
}

static int hercules(void *unused)
{
    (void)unused;
    while (hydras < 10) nido_sleep(NIDO_MS(15));
    return -EIO;
}

/* test_taskgroup_24, test_taskgroup_25: tasks that spawn into their own group, without end. */
INSIDE(asyncio, a_group_that_grows_by_itself_ends_by_a_failure)
{
    nido_group group;

    hydras = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, hydra, &group);
    begin(&group, hercules, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(ge(int, hydras, 10));
}

static int spawn_after_cancel(void *arg)
{
    int rc = nido_sleep(NIDO_SEC(1));

    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_spawn(arg, give, NULL), -ECANCELED));
    return rc;
}

/* test_taskgroup_no_create_task_after_failure, test_taskgroup_finished. */
INSIDE(asyncio, a_group_takes_no_task_after_a_failure_or_its_end)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, give, result(-EIO));
    begin(&group, spawn_after_cancel, &group);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EBADF));
}

static int note_name(void *name)
{
    snprintf(name, 32, "%s", nido_task_name(nido_self()));
    return 0;
}

/* test_taskgroup_task_name, test_name. */
INSIDE(asyncio, a_task_has_the_name_it_was_given)
{
    nido_spawn_options options;
    char seen[32] = "";
    nido_group group;
    nido_task task;

    nido_spawn_options_init(&options);
    options.name = "example name";
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn_with(&group, note_name, seen, &options, &task)));
    cr_expect(zero(int, strcmp(nido_task_name(task), "example name")));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, strcmp(seen, "example name")));
}

/* test_cancelling_level_preserved, test_cancellation_does_not_leak_out_of_tg. */
INSIDE(asyncio, a_group_that_failed_leaves_its_task_as_it_was)
{
    for (int i = 0; i < 3; i++) {
        struct plan plan = {.rc = -EIO}, body = {.ns = NIDO_SEC(1)};

        cr_expect(eq(int, run_plans(&plan, 1, &body), -EIO));
        cr_expect(not(nido_cancelled()));
        cr_expect(zero(int, nido_yield()));
    }
}

/* test_nested_groups_both_cancelled, test_error_and_cancel: the inner failure is handled, and the
 * outer cancel is still there afterwards. */
INSIDE(asyncio, an_inner_failure_that_was_handled_hides_no_outer_cancel)
{
    nido_group outer, inner;

    nido_group_open(&outer, NIDO_FAIL_FAST, NULL);
    nido_group_open(&inner, NIDO_FAIL_FAST, NULL);
    begin(&inner, give, result(-EDOM));
    begin(&outer, give, result(-ERANGE));
    cr_expect(eq(int, nido_group_close(&inner, 0), -EDOM));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_group_close(&outer, -ECANCELED), -ERANGE));
    cr_expect(zero(int, nido_yield()));
}

/* ---- test_timeouts.py, test_waitfor.py ---- */

/* test_timeout_basic, test_timeout_not_called, test_timeout_disabled, test_timeout_zero,
 * test_timeout_in_the_past_sleep_zero, test_foreign_exception_passed. */
INSIDE(asyncio, a_timeout_ends_what_takes_longer)
{
    static const struct {
        int64_t timeout, ns;
        int result, rc;
        bool fired;
    } cases[] = {
        {NIDO_MS(10), NIDO_SEC(10), 0, -ETIMEDOUT, true},
        {NIDO_SEC(10), NIDO_MS(10), 0, 0, false},
        {NIDO_NEVER, NIDO_MS(10), 0, 0, false},
        {0, NIDO_SEC(10), 0, -ETIMEDOUT, true},
        {0, 0, 0, -ETIMEDOUT, true},
        {-NIDO_SEC(11), 0, 0, -ETIMEDOUT, true},
        {NIDO_SEC(10), 0, -ENOKEY, -ENOKEY, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan plan = {.ns = cases[i].ns, .rc = cases[i].result};
        nido_scope scope;

        nido_timeout_open(&scope, cases[i].timeout);
        cr_expect(eq(int, nido_scope_close(&scope, follow(&plan)), cases[i].rc), "case %zu", i);
        cr_expect(eq(int, nido_scope_fired(&scope), cases[i].fired), "case %zu", i);
    }
}

/* test_nested_timeouts: of two at the same instant the outer one raises. */
INSIDE(asyncio, of_two_timeouts_at_one_instant_the_outer_says_so)
{
    int64_t deadline = nido_after(NIDO_MS(10));
    nido_scope outer, inner;
    int rc;

    nido_deadline_open(&outer, deadline);
    nido_deadline_open(&inner, deadline);
    rc = nido_scope_close(&inner, nido_sleep(NIDO_SEC(10)));
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(nido_scope_fired(&inner));
    rc = nido_scope_close(&outer, rc);
    cr_expect(eq(int, rc, -ETIMEDOUT));
    cr_expect(nido_scope_fired(&outer));
}

/* test_nested_timeouts_loop_busy: the inner one is handled, and the outer one stops what follows. */
INSIDE(asyncio, what_follows_an_inner_timeout_is_stopped_by_the_outer)
{
    nido_scope outer, inner;

    nido_timeout_open(&outer, NIDO_MS(100));
    nido_timeout_open(&inner, NIDO_MS(10));
    cr_expect(eq(int, nido_scope_close(&inner, nido_sleep(NIDO_SEC(1))), -ETIMEDOUT));
    cr_expect(eq(int, nido_scope_close(&outer, nido_sleep(NIDO_SEC(10))), -ETIMEDOUT));
}

static int spoil_timeout(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_SEC(1)) < 0 ? -EDOM : 0;
}

/* test_foreign_exception_on_timeout, test_nested_timeout_in_finally. */
INSIDE(asyncio, a_failure_of_the_clean_up_replaces_the_timeout)
{
    cr_expect(eq(int, nido_with_timeout(NIDO_MS(10), spoil_timeout, NULL), -EDOM));
}

/* test_foreign_cancel_doesnt_timeout_if_not_expired. */
INSIDE(asyncio, a_cancel_from_outside_is_no_timeout)
{
    nido_scope outer, scope;
    int rc;

    nido_scope_open(&outer);
    nido_timeout_open(&scope, NIDO_SEC(10));
    nido_scope_cancel(&outer, 0, NULL);
    rc = nido_scope_close(&scope, nido_sleep(NIDO_SEC(10)));
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(zero(int, nido_scope_close(&outer, rc)));
}

/* test_reschedule: another task moves the deadline, and takes it away. */
struct moved {
    nido_scope scope;
    int rc;
};

static int sleep_under_deadline(void *arg)
{
    struct moved *self = arg;

    nido_timeout_open(&self->scope, NIDO_SEC(10));
    self->rc = nido_scope_close(&self->scope, nido_sleep(NIDO_SEC(50)));
    return 0;
}

INSIDE(asyncio, another_task_may_move_a_deadline_and_take_it_away)
{
    struct moved moved;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleep_under_deadline, &moved);
    nido_sleep(NIDO_SEC(1));
    cr_expect(zero(int, nido_scope_move(&moved.scope, nido_after(NIDO_SEC(20)))));
    nido_sleep(NIDO_SEC(15));
    cr_expect(zero(int, nido_scope_move(&moved.scope, NIDO_NEVER)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, moved.rc));
    cr_expect(not(nido_scope_fired(&moved.scope)));
    cr_expect(eq(int, nido_scope_move(&moved.scope, 0), -EBADF), "test_timeout_finished");
}

/* test_timeout_after_cancellation: a cancel of a task of asyncio is delivered once, and what follows
 * runs undisturbed. A cancelled scope of nido stays so, and clean-up that waits needs a shield. */
INSIDE(asyncio, clean_up_that_waits_needs_a_shield_and_may_time_out)
{
    nido_scope scope, shield, inner;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    nido_shield_open(&shield, NIDO_SEC(5));
    nido_timeout_open(&inner, 0);
    cr_expect(eq(int, nido_scope_close(&inner, nido_sleep(NIDO_SEC(1))), -ETIMEDOUT));
    cr_expect(zero(int, nido_sleep(NIDO_SEC(1))));
    cr_expect(zero(int, nido_scope_close(&shield, 0)));
    cr_expect(zero(int, nido_scope_close(&scope, -ECANCELED)));
}

static int end_at(void *event)
{
    return nido_event_wait(event) < 0 ? -ECANCELED : 7;
}

static int join_result(void *task)
{
    int value = 0, rc = nido_join(*(nido_task *)task, &value);

    return rc < 0 ? rc : value;
}

/* test_wait_for_race_condition, test_wait_for_does_not_suppress_cancellation: a result that came
 * before the cancel is had, and the cancel is seen at the next wait. */
SYNC_TEST(asyncio, a_result_that_came_before_the_cancel_is_had)
{
    nido_event event;
    nido_task task;
    struct call call;

    nido_event_init(&event, NULL);
    task = begin_kept(group, end_at, &event);
    call_make(group, &call, join_result, &task);
    nido_event_set(&event);
    nido_yield(); /* the task ends, and the one that joins it has not run yet */
    call_cancel(&call);
    let_run();
    cr_expect(eq(int, call.rc, 7));
    cr_expect(eq(int, call.next, -ECANCELED));
}

/* ---- test_locks.py ---- */

static int lock_once(void *mutex)
{
    int rc = nido_mutex_lock(mutex);

    return rc == 0 ? nido_mutex_unlock(mutex) : rc;
}

/* test_acquire_cancel, test_cancel_race, test_finished_waiter_cancelled: the lock is released and
 * its next owner cancelled, in both orders; the one behind gets it. */
SYNC_TEST(asyncio, a_lock_passes_over_a_waiter_that_is_cancelled)
{
    for (int cancel_first = 0; cancel_first < 2; cancel_first++) {
        struct call calls[2];
        nido_mutex mutex;

        nido_mutex_init(&mutex, NULL);
        cr_expect(zero(int, nido_mutex_lock(&mutex)));
        for (int i = 0; i < 2; i++) call_make(group, &calls[i], lock_once, &mutex);
        if (cancel_first) call_cancel(&calls[0]);
        cr_expect(zero(int, nido_mutex_unlock(&mutex)));
        if (!cancel_first) call_cancel(&calls[0]);
        let_run();
        cr_expect(eq(int, calls[0].rc, cancel_first ? -ECANCELED : 0));
        cr_expect(zero(int, calls[1].rc));
        cr_expect(zero(int, nido_mutex_deinit(&mutex)), "it is free");
    }
}

/* test_release_not_acquired. */
INSIDE(asyncio, only_what_is_held_is_released)
{
    nido_mutex mutex;
    nido_sem sem;

    nido_mutex_init(&mutex, NULL);
    cr_expect(eq(int, nido_mutex_unlock(&mutex), -EPERM));
    nido_sem_init(&sem, 1, 1, NULL);
    cr_expect(eq(int, nido_sem_release(&sem), -EOVERFLOW), "of a bounded semaphore");
}

static int wait_event(void *event)
{
    return nido_event_wait(event);
}

/* EventTests.test_wait, test_clear_with_waiters: set and reset at once, the waiters pass. asyncio
 * lets the task that comes last pass first, for it need not wait; so does nido. */
SYNC_TEST(asyncio, an_event_that_is_set_and_cleared_has_released_its_waiters)
{
    struct call calls[3];
    nido_event event;

    nido_event_init(&event, NULL);
    for (int i = 0; i < 2; i++) call_make(group, &calls[i], wait_event, &event);
    nido_event_set(&event);
    nido_event_reset(&event);
    call_make(group, &calls[2], wait_event, &event);
    cr_expect(zero(int, calls[0].rc));
    cr_expect(zero(int, calls[1].rc));
    cr_expect(eq(int, calls[2].rc, WAITING));
    cr_expect(lt(u32, calls[0].end, calls[1].end));
    nido_event_set(&event);
    nido_event_set(&event);
    let_run();
    cr_expect(zero(int, calls[2].rc));
}

struct place {
    nido_mutex mutex;
    nido_cond cond;
    bool ready;
};

static void place_init(struct place *place)
{
    *place = (struct place){.ready = false};
    nido_mutex_init(&place->mutex, NULL);
    nido_cond_init(&place->cond, NULL);
}

static int wait_for_notice(void *arg)
{
    struct place *place = arg;
    int rc = nido_mutex_lock(&place->mutex);

    if (rc < 0) return rc;
    rc = nido_cond_wait(&place->cond, &place->mutex);
    cr_expect(zero(int, nido_mutex_unlock(&place->mutex)), "it is ours, however the wait ended");
    return rc;
}

/* ConditionTests.test_wait, test_notify, test_notify_all. */
SYNC_TEST(asyncio, a_condition_notifies_as_many_as_asked_in_their_order)
{
    struct call calls[4];
    struct place place;

    place_init(&place);
    for (int i = 0; i < 4; i++) call_make(group, &calls[i], wait_for_notice, &place);
    nido_cond_notify(&place.cond);
    let_run();
    cr_expect(zero(int, calls[0].rc));
    cr_expect(eq(int, calls[1].rc, WAITING));
    nido_mutex_lock(&place.mutex);
    nido_cond_notify(&place.cond);
    nido_cond_notify(&place.cond);
    let_run();
    cr_expect(eq(int, calls[1].rc, WAITING), "the lock is ours");
    nido_mutex_unlock(&place.mutex);
    let_run();
    cr_expect(zero(int, calls[1].rc));
    cr_expect(zero(int, calls[2].rc));
    cr_expect(eq(int, calls[3].rc, WAITING));
    nido_cond_notify_all(&place.cond);
    let_run();
    cr_expect(zero(int, calls[3].rc));
}

/* ConditionTests.test_wait_cancel_contested: while another holds the lock, the cancelled wait waits
 * for it, and owns it when it returns. */
SYNC_TEST(asyncio, a_cancelled_wait_for_a_condition_takes_the_lock_again)
{
    struct place place;
    struct call call;

    place_init(&place);
    call_make(group, &call, wait_for_notice, &place);
    nido_mutex_lock(&place.mutex);
    call_cancel(&call);
    let_run();
    cr_expect(eq(int, call.rc, WAITING));
    nido_mutex_unlock(&place.mutex);
    let_run();
    cr_expect(eq(int, call.rc, -ECANCELED));
}

/* ConditionTests.test_wait_cancel_after_notify: asyncio gives the notification of a task that is
 * cancelled on to the next; in nido the notified task has it, and returns so. */
SYNC_TEST(asyncio, a_notification_before_a_cancel_is_not_lost)
{
    struct call calls[2];
    struct place place;

    place_init(&place);
    for (int i = 0; i < 2; i++) call_make(group, &calls[i], wait_for_notice, &place);
    nido_cond_notify(&place.cond);
    call_cancel(&calls[0]);
    let_run();
    cr_expect(zero(int, calls[0].rc));
    cr_expect(eq(int, calls[0].next, -ECANCELED));
    cr_expect(eq(int, calls[1].rc, WAITING));
    nido_cond_notify(&place.cond);
    let_run();
}

/* ConditionTests.test_wait_unacquired; notify needs no lock in nido. */
INSIDE(asyncio, a_wait_for_a_condition_needs_the_lock)
{
    struct place place;

    place_init(&place);
    cr_expect(eq(int, nido_cond_wait(&place.cond, &place.mutex), -EPERM));
    cr_expect(zero(int, nido_cond_notify(&place.cond)));
}

static int acquire(void *sem)
{
    return nido_sem_acquire(sem);
}

/* SemaphoreTests.test_acquire_fifo_order, test_acquire_cancel, test_acquire_cancel_before_awoken,
 * test_acquire_hang: permits go to waiters in their order, past those that are cancelled. */
SYNC_TEST(asyncio, permits_go_in_order_past_waiters_that_are_cancelled)
{
    struct call calls[5];
    nido_sem sem;

    nido_sem_init(&sem, 0, 5, NULL);
    for (int i = 0; i < 5; i++) call_make(group, &calls[i], acquire, &sem);
    for (int i = 0; i < 2; i++) call_cancel(&calls[i]);
    nido_sem_release(&sem);
    call_cancel(&calls[2]); /* too late: the permit is its own */
    nido_sem_release(&sem);
    let_run();
    for (int i = 0; i < 2; i++) cr_expect(eq(int, calls[i].rc, -ECANCELED));
    for (int i = 2; i < 4; i++) cr_expect(zero(int, calls[i].rc));
    cr_expect(lt(u32, calls[2].end, calls[3].end));
    cr_expect(eq(int, calls[4].rc, WAITING));
    nido_sem_release(&sem);
    let_run();
}

static int meet(void *barrier)
{
    return nido_barrier_wait(barrier);
}

/* BarrierTests.test_filling_one_task, test_abort_barrier, test_reset_barrier; in asyncio a cancelled
 * waiter breaks the barrier or not by its state, in nido by a flag. */
SYNC_TEST(asyncio, a_barrier_lets_all_pass_or_is_aborted_for_all)
{
    for (int aborts = 0; aborts < 2; aborts++) {
        struct call calls[3];
        nido_barrier barrier;

        nido_barrier_init(&barrier, 3, 0, NULL);
        for (int i = 0; i < 2; i++) call_make(group, &calls[i], meet, &barrier);
        if (aborts) nido_barrier_abort(&barrier);
        call_make(group, &calls[2], meet, &barrier);
        for (int i = 0; i < 3; i++)
            cr_expect(eq(int, calls[i].rc, aborts ? -EPIPE : i == 2), "of %d", i);
        nido_barrier_reset(&barrier);
        for (int i = 0; i < 3; i++) call_make(group, &calls[i], meet, &barrier);
        for (int i = 0; i < 3; i++) cr_expect(eq(int, calls[i].rc, i == 2));
    }
}

/* ---- test_queues.py ---- */

static nido_chan *queue;

static int get(void *item)
{
    return nido_chan_recv(queue, item);
}

static int put(void *item)
{
    return nido_chan_send(queue, item);
}

static void queue_new(size_t capacity)
{
    cr_assert(zero(int, nido_chan_new(sizeof(int), capacity, NULL, NULL, &queue)));
}

/* test_get_cancelled_race, test_cancelled_getters_not_being_held_in_self_getters: an item comes as
 * the first of two getters is cancelled. */
SYNC_TEST(asyncio, an_item_that_comes_as_a_getter_is_cancelled_goes_to_the_next)
{
    int items[2] = {0}, item = 1;
    struct call calls[2];

    queue_new(4);
    for (int i = 0; i < 2; i++) call_make(group, &calls[i], get, &items[i]);
    call_cancel(&calls[0]);
    cr_expect(zero(int, nido_chan_try_send(queue, &item)));
    let_run();
    cr_expect(eq(int, calls[0].rc, -ECANCELED));
    cr_expect(zero(int, calls[1].rc));
    cr_expect(eq(int, items[1], 1));
    nido_chan_free(queue);
}

/* test_put_cancelled_race: of two putters the first is cancelled as a place comes free. */
SYNC_TEST(asyncio, a_place_that_comes_free_as_a_putter_is_cancelled_goes_to_the_next)
{
    int items[3] = {1, 2, 3}, got = 0;
    struct call calls[2];

    queue_new(1);
    cr_expect(zero(int, nido_chan_send(queue, &items[0])));
    for (int i = 0; i < 2; i++) call_make(group, &calls[i], put, &items[1 + i]);
    call_cancel(&calls[0]);
    cr_expect(zero(int, nido_chan_try_recv(queue, &got)));
    cr_expect(eq(int, got, 1));
    let_run();
    cr_expect(eq(int, calls[0].rc, -ECANCELED));
    cr_expect(zero(int, calls[1].rc));
    cr_expect(zero(int, nido_chan_try_recv(queue, &got)));
    cr_expect(eq(int, got, 3));
    nido_chan_free(queue);
}

/* test_shutdown_empty, test_shutdown_nonempty, test_shutdown_immediate: waiters are refused; what is
 * in the queue is still given out, or not. */
SYNC_TEST(asyncio, a_queue_that_is_shut_down_refuses_and_gives_out_what_is_left)
{
    for (int immediate = 0; immediate < 2; immediate++) {
        int items[2] = {1, 2}, got = 0;
        struct call call;

        queue_new(1);
        nido_chan_send(queue, &items[0]);
        call_make(group, &call, put, &items[1]);
        if (immediate) nido_chan_close_recv(queue);
        if (!immediate) nido_chan_close_send(queue);
        let_run();
        cr_expect(eq(int, call.rc, -EPIPE));
        cr_expect(eq(int, nido_chan_recv(queue, &got), immediate ? -EPIPE : 0));
        cr_expect(eq(int, nido_chan_recv(queue, &got), -EPIPE));
        nido_chan_free(queue);
    }
}

static int work_off(void *latch)
{
    int item, rc;

    while ((rc = nido_chan_recv(queue, &item)) == 0) {
        nido_sleep(item);
        nido_latch_done(latch);
    }
    return rc == -EPIPE ? 0 : rc;
}

/* test_task_done, test_join_empty_queue: a count of unfinished work beside the queue. nido has that
 * as an object of its own, and too many task_done are refused too. */
SYNC_TEST(asyncio, a_join_waits_until_all_work_is_done)
{
    int64_t start = nido_now();
    nido_latch latch;

    nido_latch_init(&latch, 0, NULL);
    cr_expect(zero(int, nido_latch_wait(&latch)));
    queue_new(100);
    for (int i = 0; i < 2; i++) begin(group, work_off, &latch);
    for (int i = 1; i <= 100; i++) {
        nido_latch_add(&latch, 1);
        nido_chan_send(queue, &i);
    }
    cr_expect(zero(int, nido_latch_wait(&latch)));
    cr_expect(ge(i64, nido_now() - start, 5050 / 2));
    cr_expect(eq(int, nido_latch_done(&latch), -EINVAL), "test_task_done_underflow");
    nido_chan_close_send(queue);
    let_run();
    nido_chan_free(queue);
}

/* ---- test_staggered.py, test_tasks.py ---- */

static struct plan racers[2];

static int race(int first, int second)
{
    nido_group group;

    racers[0] = (struct plan){.ns = NIDO_MS(100), .rc = first};
    racers[1] = (struct plan){.ns = NIDO_MS(200), .rc = second};
    nido_group_open(&group, NIDO_RACE, NULL);
    for (int i = 0; i < 2; i++) begin(&group, follow, &racers[i]);
    return nido_group_close(&group, 42);
}

/* test_one_successful, test_first_error_second_successful, test_none_successful, test_empty. */
INSIDE(asyncio, the_first_success_of_a_race_is_its_value)
{
    nido_group empty;

    cr_expect(eq(int, race(1, 2), 1));
    cr_expect(eq(int, racers[1].met, -ECANCELED));
    cr_expect(eq(int, race(-EIO, 2), 2));
    cr_expect(zero(int, racers[1].met));
    cr_expect(eq(int, race(-EIO, -EDOM), -EIO));
    cr_expect(eq(sz, nido_error_suppressed_count(nido_error_last()), 1));
    nido_group_open(&empty, NIDO_RACE, NULL);
    cr_expect(eq(int, nido_group_close(&empty, 42), 42));
}

static int shielded_sleep(void *met)
{
    nido_scope shield;
    int rc;

    nido_shield_open(&shield, NIDO_SEC(60));
    rc = nido_sleep(NIDO_SEC(1));
    *(int *)met = rc;
    return nido_scope_close(&shield, rc);
}

/* test_shield_effect: asyncio's shield lets its caller go and the inner task run on; nido's keeps the
 * caller until the work inside is done, for no task outlives its group. */
INSIDE(asyncio, a_shielded_task_is_finished_and_then_the_cancel_comes)
{
    int64_t start = nido_now();
    nido_group group;
    int met = 1;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, shielded_sleep, &met);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, met));
    cr_expect(eq(i64, nido_now() - start, NIDO_SEC(1)));
}

static int ignore_once(void *count)
{
    for (int i = 0; i < 3; i++) *(int *)count += nido_sleep(NIDO_SEC(1)) == -ECANCELED;
    return 3;
}

/* test_cancel_task_ignoring: asyncio's task that catches its cancel goes on undisturbed; in nido
 * each further wait is refused, and its result counts if it is no cancel. */
INSIDE(asyncio, a_task_that_ignores_its_cancel_meets_it_at_each_wait)
{
    nido_group group;
    nido_task task;
    int count = 0, rc = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    task = begin_kept(&group, ignore_once, &count);
    nido_yield();
    cr_expect(zero(int, nido_task_cancel(task, 0, NULL)));
    cr_expect(eq(int, nido_task_cancel(task, 0, NULL), -EALREADY));
    cr_expect(zero(int, nido_join(task, &rc)));
    cr_expect(eq(int, rc, 3));
    cr_expect(eq(int, count, 3));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

/* ---- test_streams.py, test_sock_lowlevel.py, test_sendfile.py ---- */

static int read_three(void *fds)
{
    size_t done = 9;
    char buf[8];
    int rc = nido_read_full(*(int *)fds, buf, 8, &done);

    return rc < 0 ? rc : (int)done;
}

/* test_readexactly_eof, test_exception_cancel, test_read_zero. */
SYNC_TEST(asyncio, a_full_read_that_meets_the_end_or_a_cancel)
{
    struct call call;
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_expect(zero(int, (int)nido_read(fds[0], &call, 0)));
    call_make(group, &call, read_three, &fds[0]);
    call_cancel(&call);
    let_run();
    cr_expect(eq(int, call.rc, -ECANCELED));
    call_make(group, &call, read_three, &fds[0]);
    cr_expect(eq(int, (int)nido_write(fds[1], "abc", 3), 3));
    shutdown(fds[1], SHUT_WR);
    let_run();
    nido_test_wait_all_parked();
    cr_expect(eq(int, call.rc, -EPIPE));
    io_close_pair(fds);
}

static int pour(void *fd)
{
    static char block[1 << 18];
    int rc = 0;

    for (int i = 0; i < 8 && rc == 0; i++)
        rc = nido_write_all(*(int *)fd, block, sizeof block, NULL);
    shutdown(*(int *)fd, SHUT_WR);
    return rc;
}

/* test_huge_content. */
SYNC_TEST(asyncio, two_megabytes_arrive_whole)
{
    static char block[65536];
    size_t total = 0;
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    begin(group, pour, &fds[0]);
    for (ssize_t n; (n = nido_read(fds[1], block, sizeof block)) > 0;) total += (size_t)n;
    cr_expect(eq(sz, total, 1 << 21));
    io_close_pair(fds);
}

/* test_sock_sendfile_success, test_sock_sendfile_with_offset_and_count,
 * test_sock_sendfile_zero_size. */
SYNC_TEST(asyncio, a_file_is_sent_from_an_offset_to_a_count)
{
    FILE *file = tmpfile();
    char buf[16] = "";
    size_t done = 9;
    int fds[2];

    cr_assert(ne(ptr, file, NULL));
    fputs("0123456789", file);
    fflush(file);
    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_expect(zero(int, nido_sendfile(fds[0], fileno(file), 2, 5, &done)));
    cr_expect(eq(sz, done, 5));
    cr_expect(zero(int, nido_read_full(fds[1], buf, 5, NULL)));
    cr_expect(zero(int, memcmp(buf, "23456", 5)));
    cr_expect(zero(int, nido_sendfile(fds[0], fileno(file), 0, 0, &done)));
    cr_expect(zero(sz, done));
    cr_expect(eq(int, nido_sendfile(fds[0], fileno(file), 8, 5, &done), -EPIPE));
    cr_expect(eq(sz, done, 2), "the file ended");
    fclose(file);
    io_close_pair(fds);
}

/* ---- test_subprocess.py ---- */

/* test_communicate, test_empty_input, test_devnull_input, test_stdin_broken_pipe,
 * test_communicate_ignore_broken_pipe. */
CHILDREN(asyncio, a_program_is_fed_and_heard)
{
    static char large[1 << 20];
    static const struct {
        const char *script, *input;
        size_t length;
        const char *out;
        int code;
    } cases[] = {
        {"cat", "some data", 9, "some data", 0},
        {"cat", NULL, 0, "", 0},
        {"cat; exit 7", "", 0, "", 7},
        {"exec <&-; echo gone", large, sizeof large, "gone\n", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nido_proc_options options = SHELL((char *)cases[i].script);
        nido_proc_result result;

        cr_expect(zero(int, nido_proc_run(&options, cases[i].input, cases[i].length, &result)));
        cr_expect(eq(int, result.status.code, cases[i].code), "case %zu", i);
        cr_expect(eq(str, result.out, (char *)cases[i].out), "case %zu", i);
        nido_proc_result_free(&result);
    }
}

/* test_kill, test_terminate, test_send_signal, test_kill_issue43884. */
CHILDREN(asyncio, a_child_that_is_killed_tells_the_signal)
{
    static const int numbers[] = {SIGKILL, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        nido_proc child = begin_cat();

        cr_expect(zero(int, nido_proc_kill(&child, numbers[i])));
        expect_signal(&child, numbers[i]);
        cr_expect(eq(int, nido_proc_kill(&child, numbers[i]), -ESRCH));
        let_go(&child);
    }
}

static int wait_for_child(void *child)
{
    return nido_proc_wait(child, NULL);
}

/* test_cancel_process_wait: the child and its status are left alone. */
CHILDREN(asyncio, a_cancelled_wait_for_a_child_leaves_it_running)
{
    nido_proc child = begin_cat();
    nido_group group;
    struct call call;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_make(&group, &call, wait_for_child, &child);
    call_cancel(&call);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, call.rc, -ECANCELED));
    cr_expect(zero(int, nido_proc_kill(&child, 0)));
    end_input(&child);
    expect_exit(&child, 0);
    let_go(&child);
}

/* ---- test_base_events.py, test_unix_events.py, test_runners.py ---- */

static ssize_t jobs_result(void *arg)
{
    return (ssize_t)(intptr_t)arg;
}

/* test_run_in_executor: a result and a failure come back. */
INSIDE(asyncio, a_job_gives_its_result_or_its_failure)
{
    cr_expect(eq(int, (int)nido_offload(jobs_result, result(42)), 42));
    cr_expect(eq(int, (int)nido_offload(jobs_result, result(-EDOM)), -EDOM));
}

static int raise_interrupt(void *unused)
{
    (void)unused;
    raise(SIGINT);
    return nido_sleep(NIDO_NEVER);
}

/* test_signal_cancel_sleep: the first Ctrl-C cancels the main task. */
NIDO_TEST(asyncio, an_interrupt_cancels_the_root)
{
    nido_options options = nido_test_virtual();

    signal(SIGINT, SIG_DFL); /* a background job of a script ignores it */
    options.signals = true;
    cr_expect(eq(int, nido_run(raise_interrupt, NULL, &options), -EINTR));
    cr_expect(eq(int, nido_exit_status(-EINTR), 128 + SIGINT));
}

static int run_again(void *unused)
{
    (void)unused;
    return nido_run(give, NULL, NULL);
}

/* test_asyncio_run_from_running_loop. */
NIDO_TEST(asyncio, a_run_inside_a_run_is_refused)
{
    cr_expect(eq(int, nido_run(run_again, NULL, NULL), -EBUSY));
    cr_expect(eq(int, nido_run(give, result(9), NULL), 9));
}

/* SPDX-License-Identifier: MIT */
/* What Trio's published tests check of Trio, checked of nido. The comment of each test names the
 * peer's test that it is after, and what nido intends otherwise. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "sync_help.h"

#include "group_help.h"
#include "inside_help.h"
#include "io_help.h"

static int sleep_forever(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_NEVER);
}

static int open_group(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    return nido_group_close(&group, 0);
}

/* ---- test_run.py: tasks and their groups ---- */

static int turns[6], turn;

static int take_three_turns(void *me)
{
    for (int i = 0; i < 3; i++) {
        turns[turn++] = (int)(intptr_t)me;
        nido_yield();
    }
    return 0;
}

/* test_basic_interleave. Trio allows both orders of each round; nido promises first in, first out. */
INSIDE(trio, two_tasks_that_yield_take_turns)
{
    nido_group group;

    turn = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, take_three_turns, result(1));
    begin(&group, take_three_turns, result(2));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 6; i++) cr_expect(eq(int, turns[i], 1 + i % 2));
}

/* test_task_crash_propagation, test_child_crash_wakes_parent, test_main_and_task_both_crash,
 * test_two_child_crashes. Where Trio raises a group of exceptions, nido gives the first code and
 * keeps the others in the error. */
INSIDE(trio, a_failure_wakes_all_and_the_first_is_the_result)
{
    static const struct {
        int first, second, body, rc;
        size_t others;
    } cases[] = {
        {-EIO, 0, 0, -EIO, 0},
        {-EIO, -EPERM, 0, -EIO, 1},
        {-EIO, 0, -ENOENT, -EIO, 1},
        {0, 0, -ENOENT, -ENOENT, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan looper = {.ns = NIDO_NEVER};
        nido_group group;
        int rc;

        nido_fail(0, "%s", "");
        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        begin(&group, follow, &looper);
        begin(&group, give, result(cases[i].first));
        begin(&group, give, result(cases[i].second));
        nido_sleep(0);
        rc = nido_group_close(&group, cases[i].body);
        cr_expect(eq(int, rc, cases[i].rc), "case %zu", i);
        cr_expect(eq(int, looper.met, -ECANCELED), "case %zu", i);
        cr_expect(eq(sz, nido_error_suppressed_count(nido_error_last()), cases[i].others));
    }
}

/* test_cancel_edge_cases. */
INSIDE(trio, a_cancel_may_be_repeated_and_is_seen_at_each_wait)
{
    nido_scope scope;

    nido_scope_open(&scope);
    cr_expect(zero(int, nido_scope_cancel(&scope, 0, NULL)));
    cr_expect(eq(int, nido_scope_cancel(&scope, 0, NULL), -EALREADY));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_sleep(NIDO_NEVER), -ECANCELED));
    cr_expect(zero(int, nido_scope_close(&scope, -ECANCELED)));
    cr_expect(nido_scope_was_cancelled(&scope));
}

/* test_precancelled_task: what is spawned into a cancelled group runs in Trio; nido refuses it, and
 * the argument stays the caller's. */
INSIDE(trio, a_cancelled_group_takes_no_task)
{
    struct plan before = {0}, after = {0};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, follow, &before);
    nido_group_cancel(&group, 0, NULL);
    cr_expect(eq(int, nido_spawn(&group, follow, &after), -ECANCELED));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, before.runs, 1));
    cr_expect(eq(int, before.met, -ECANCELED));
    cr_expect(zero(int, after.runs));
}

static int crash(void *unused)
{
    nido_scope shield;

    (void)unused;
    nido_shield_open(&shield, NIDO_NEVER);
    nido_sleep(1);
    nido_scope_close(&shield, 0);
    return -EBADMSG;
}

/* test_cancel_scope_exceptiongroup_filtering: the cancels are absorbed, the failure passes. */
INSIDE(trio, of_cancels_and_a_failure_the_failure_gets_out)
{
    nido_scope outer;
    nido_group group;
    int rc;

    nido_scope_open(&outer);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, sleep_forever, NULL);
    begin(&group, sleep_forever, NULL);
    begin(&group, crash, NULL);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    nido_scope_cancel(&outer, 0, NULL);
    rc = nido_group_close(&group, -ECANCELED);
    cr_expect(eq(int, rc, -EBADMSG));
    cr_expect(eq(int, nido_scope_close(&outer, rc), -EBADMSG));
}

/* test_cancel_inheritance: a nursery's tasks are cancelled with the scope around it. */
INSIDE(trio, a_cancel_reaches_the_tasks_of_groups_inside)
{
    struct plan leaf = {.ns = NIDO_NEVER};
    nido_scope outer;
    nido_group middle, inner;
    int rc;

    nido_scope_open(&outer);
    nido_group_open(&middle, NIDO_FAIL_FAST, NULL);
    nido_group_open(&inner, NIDO_FAIL_FAST, NULL);
    begin(&inner, follow, &leaf);
    nido_yield();
    nido_scope_cancel(&outer, -ESTALE, NULL);
    rc = nido_group_close(&inner, 0);
    cr_expect(eq(int, rc, -ECANCELED));
    rc = nido_group_close(&middle, rc);
    cr_expect(eq(int, nido_scope_close(&outer, rc), -ESTALE));
    cr_expect(eq(int, leaf.met, -ECANCELED));
}

/* test_cancel_shield_abort: the end of a shield delivers what came meanwhile. Trio switches a
 * shield off; nido closes it, or moves its end. */
INSIDE(trio, a_sleeper_behind_a_shield_is_cancelled_when_the_shield_ends)
{
    struct plan sleeper = {.ns = NIDO_NEVER};
    nido_scope outer, shield;
    nido_group group;

    nido_scope_open(&outer);
    nido_scope_cancel(&outer, 0, NULL);
    nido_shield_open(&shield, NIDO_NEVER);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, follow, &sleeper);
    cr_expect(zero(int, nido_sleep(1)));
    cr_expect(zero(int, sleeper.met));
    nido_scope_move(&shield, nido_now());
    cr_expect(eq(int, nido_group_close(&group, 0), -ECANCELED));
    cr_expect(eq(int, sleeper.met, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&shield, -ECANCELED), -ECANCELED));
    cr_expect(zero(int, nido_scope_close(&outer, -ECANCELED)));
}

/* test_basic_timeout: a deadline set later, moved, and taken with its scope. */
INSIDE(trio, a_deadline_can_be_set_moved_and_outlived)
{
    int64_t start = nido_now();
    nido_scope scope;

    nido_scope_open(&scope);
    cr_expect(eq(i64, nido_deadline(), NIDO_NEVER));
    nido_scope_move(&scope, start + NIDO_SEC(1));
    cr_expect(eq(i64, nido_deadline(), start + NIDO_SEC(1)));
    cr_expect(zero(int, nido_scope_close(&scope, 0)));
    cr_expect(zero(int, nido_sleep(NIDO_SEC(2))));
    cr_expect(not(nido_scope_was_cancelled(&scope)));

    start = nido_now();
    nido_scope_open(&scope);
    nido_scope_move(&scope, start + NIDO_SEC(10));
    cr_expect(zero(int, nido_sleep(NIDO_SEC(5))));
    nido_scope_move(&scope, start + NIDO_SEC(1));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    cr_expect(nido_scope_fired(&scope));
}

/* test_cancel_scope_nesting: of two that are cancelled the outer one absorbs; a cancel that no call
 * met before its scope ended is gone. */
INSIDE(trio, of_nested_scopes_the_outer_absorbs)
{
    nido_scope scopes[3];
    int rc;

    for (int i = 0; i < 3; i++) nido_scope_open(&scopes[i]);
    nido_scope_cancel(&scopes[2], -ENOENT, NULL);
    nido_scope_cancel(&scopes[1], -ESTALE, NULL);
    rc = nido_scope_close(&scopes[2], nido_sleep(NIDO_NEVER));
    cr_expect(eq(int, rc, -ECANCELED));
    rc = nido_scope_close(&scopes[1], rc);
    cr_expect(eq(int, rc, -ESTALE));
    cr_expect(zero(int, nido_scope_close(&scopes[0], 0)));
    cr_expect(not(nido_scope_was_cancelled(&scopes[0])));

    nido_scope_open(&scopes[0]);
    nido_scope_cancel(&scopes[0], -ENOENT, NULL);
    cr_expect(zero(int, nido_scope_close(&scopes[0], 0)));
    cr_expect(zero(int, nido_yield()));
}

/* test_yield_briefly_checks_for_timeout. */
INSIDE(trio, a_yield_meets_a_deadline_that_has_passed)
{
    nido_scope scope;
    nido_scope shield;

    nido_timeout_open(&scope, NIDO_SEC(5));
    cr_expect(zero(int, nido_yield()));
    nido_shield_open(&shield, NIDO_NEVER);
    nido_sleep(NIDO_SEC(10));
    nido_scope_close(&shield, 0);
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    nido_scope_close(&scope, -ECANCELED);
}

/* test_current_effective_deadline. */
INSIDE(trio, the_effective_deadline_is_the_earliest_up_to_the_shield)
{
    int64_t start = nido_now();
    nido_scope outer, inner, shield;

    nido_deadline_open(&outer, start + 5);
    nido_deadline_open(&inner, start + 10);
    cr_expect(eq(i64, nido_deadline(), start + 5));
    nido_scope_move(&inner, start + 3);
    cr_expect(eq(i64, nido_deadline(), start + 3));
    nido_scope_move(&inner, start + 10);
    cr_expect(eq(i64, nido_deadline(), start + 5));
    nido_shield_open(&shield, 10);
    cr_expect(eq(i64, nido_deadline(), start + 10));
    nido_scope_cancel(&outer, 0, NULL);
    cr_expect(eq(i64, nido_deadline(), start + 10));
    nido_scope_close(&shield, 0);
    cr_expect(eq(i64, nido_deadline(), INT64_MIN));
    nido_scope_close(&inner, 0);
    nido_scope_close(&outer, 0);
    cr_expect(eq(i64, nido_deadline(), NIDO_NEVER));
}

/* test_cancel_scope_deadline_duplicates. */
INSIDE(trio, a_deadline_moved_ten_thousand_times_is_one_deadline)
{
    int64_t start = nido_now();
    nido_scope scope;

    nido_scope_open(&scope);
    for (int i = 0; i < 10000; i++) {
        nido_scope_move(&scope, start + NIDO_SEC(9998));
        nido_scope_move(&scope, start + NIDO_SEC(9999));
    }
    cr_expect(zero(int, nido_sleep(NIDO_MS(10))));
    cr_expect(eq(int, nido_sleep(NIDO_NEVER), -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + NIDO_SEC(9999)));
    nido_scope_close(&scope, -ECANCELED);
}

static int deep(void *left)
{
    intptr_t n = (intptr_t)left;
    nido_scope scope;

    if (n == 0) return nido_sleep(NIDO_NEVER);
    nido_scope_open(&scope);
    return nido_scope_close(&scope, deep(result((int)n - 1)));
}

/* test_very_deep_cancel_scope_nesting: as many as a stack of 192 KiB has room for under each checker. */
INSIDE(trio, a_cancel_goes_through_two_hundred_scopes)
{
    nido_scope outer;

    nido_timeout_open(&outer, NIDO_SEC(1));
    cr_expect(eq(int, nido_scope_close(&outer, deep(result(200))), -ETIMEDOUT));
}

static int spawn_one_more(void *arg)
{
    nido_group *group = arg;

    nido_yield();
    return nido_spawn(group, give, result(0));
}

/* test_nursery_closure: a child keeps its nursery open for others; then it is closed. */
INSIDE(trio, a_child_may_spawn_while_its_group_closes_and_no_task_afterwards)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, spawn_one_more, &group);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, nido_spawn(&group, give, NULL), -EBADF));
}

/* test_trivial_yields: opening and closing an empty nursery yields in Trio; in nido it does not, and
 * is no cancellation point in either. */
INSIDE(trio, an_empty_group_is_no_cancellation_point)
{
    cr_expect(NIDO_TEST_IS_NO_POINT(open_group(NULL)));
    cr_expect(NIDO_TEST_IS_POINT(nido_yield()));
    cr_expect(NIDO_TEST_IS_POINT(nido_sleep(0)));
}

/* ---- test_run.py: start ---- */

static int sleep_then_start(void *seconds)
{
    int64_t ns = NIDO_SEC((intptr_t)seconds);
    int rc = nido_sleep(ns);

    if (rc == 0) rc = nido_started((intptr_t)seconds);
    return rc == 0 ? nido_sleep(ns) : rc;
}

/* test_nursery_start, the happy path. */
INSIDE(trio, a_start_returns_the_value_and_leaves_the_task_to_the_group)
{
    for (int seconds = 1; seconds <= 2; seconds++) {
        int64_t start = nido_now();
        intptr_t value = 0;
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        cr_expect(zero(int, nido_start(&group, sleep_then_start, result(seconds), &value)));
        cr_expect(eq(int, (int)value, seconds));
        cr_expect(eq(sz, nido_group_live(&group), 1));
        cr_expect(eq(i64, nido_now() - start, NIDO_SEC(seconds)));
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(i64, nido_now() - start, NIDO_SEC(2 * seconds)));
    }
}

static int start_twice(void *unused)
{
    (void)unused;
    cr_expect(zero(int, nido_started(0)));
    cr_expect(eq(int, nido_started(0), -EALREADY));
    return 0;
}

static int start_and_crash(void *unused)
{
    (void)unused;
    nido_started(0);
    return -EIO;
}

/* test_nursery_start, what goes wrong. In a cancelled scope Trio runs the task to its first wait;
 * nido's start is refused on entry, and the task is never made. */
INSIDE(trio, a_start_that_goes_wrong_says_how)
{
    static const struct {
        nido_fn *fn;
        int arg, rc, end;
    } cases[] = {
        {start_twice, 0, 0, 0},
        {give, -EIO, -EIO, 0}, /* crashed before it was ready */
        {give, 0, -EPROTO, 0}, /* ended without a word */
        {start_and_crash, 0, 0, -EIO},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        cr_expect(eq(int, nido_start(&group, cases[i].fn, result(cases[i].arg), NULL), cases[i].rc),
                  "case %zu", i);
        cr_expect(eq(int, nido_group_close(&group, 0), cases[i].end), "case %zu", i);
        cr_expect(eq(int, nido_start(&group, give, NULL, NULL), -EBADF));
    }
}

static int start_cancelled(void *group)
{
    nido_scope scope;
    int rc;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    rc = nido_start(group, start_and_crash, NULL, NULL);
    cr_expect(eq(int, rc, -ECANCELED));
    return nido_scope_close(&scope, rc);
}

/* test_nursery_start, "if the call to start() is cancelled". */
INSIDE(trio, a_start_in_a_cancelled_scope_makes_no_task)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, start_cancelled(&group)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

struct nursery {
    nido_group target;
    bool before;
    int met[2];
};

static int hold_open(void *arg)
{
    struct nursery *self = arg;
    int rc;

    nido_group_open(&self->target, NIDO_FAIL_FAST, "target");
    rc = nido_started(0);
    if (rc == 0) rc = nido_sleep(NIDO_NEVER);
    return nido_group_close(&self->target, rc);
}

static int sleep_and_note(void *met)
{
    return *(int *)met = nido_sleep(NIDO_NEVER);
}

/* It has sleeping children of its own when it joins the target. */
static int join_with_children(void *arg)
{
    struct nursery *self = arg;
    nido_group own;

    nido_group_open(&own, NIDO_FAIL_FAST, "own");
    for (int i = 0; i < 2; i++) begin(&own, sleep_and_note, &self->met[i]);
    nido_yield();
    if (self->before) nido_group_cancel(&self->target, 0, NULL);
    nido_started(0);
    return nido_group_close(&own, 0);
}

/* test_nursery_start_with_cancelled_nursery: sleeping tasks that are moved under a cancelled scope,
 * or under one that is cancelled then, wake. */
INSIDE(trio, tasks_that_sleep_and_come_under_a_cancelled_scope_wake)
{
    for (int before = 0; before < 2; before++) {
        struct nursery nursery = {.before = before};
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        cr_expect(zero(int, nido_start(&group, hold_open, &nursery, NULL)));
        cr_expect(zero(int, nido_start(&nursery.target, join_with_children, &nursery, NULL)));
        if (!before) nido_group_cancel(&nursery.target, 0, NULL);
        cr_expect(zero(int, nido_group_close(&group, 0)));
        for (int i = 0; i < 2; i++) cr_expect(eq(int, nursery.met[i], -ECANCELED));
    }
}

static int start_slowly(void *unused)
{
    int rc = nido_sleep(NIDO_SEC(2));

    (void)unused;
    if (rc == 0) rc = nido_started(0);
    return rc == 0 ? nido_sleep(NIDO_SEC(3)) : rc;
}

static int start_in(void *group)
{
    return nido_start(group, start_slowly, NULL, NULL);
}

/* test_nursery_start_keeps_nursery_open. */
INSIDE(trio, pending_starts_keep_a_group_open)
{
    int64_t start = nido_now();
    nido_group outer, inner;

    nido_group_open(&outer, NIDO_FAIL_FAST, NULL);
    nido_group_open(&inner, NIDO_FAIL_FAST, NULL);
    begin(&outer, start_in, &inner);
    nido_sleep(NIDO_SEC(1));
    begin(&outer, start_in, &inner);
    cr_expect(zero(int, nido_group_close(&inner, 0)));
    cr_expect(eq(i64, nido_now() - start, NIDO_SEC(6)));
    cr_expect(zero(int, nido_group_close(&outer, 0)));
}

/* ---- test_run.py: system tasks; run_sync_soon ---- */

static int note_release(void *kind)
{
    int rc = nido_sleep(NIDO_NEVER);
    nido_cause cause;

    nido_cancel_cause(&cause);
    *(int *)kind = (int)cause.kind;
    return rc;
}

/* test_spawn_system_task, test_system_task_crash: it ends after the main task, and its crash ends
 * everything. nido has services, in any group, and their failure is the group's. */
INSIDE(trio, a_service_ends_after_the_others_and_its_failure_is_the_groups)
{
    nido_spawn_options options;
    struct plan plan = {.ns = 5, .rc = -EIO}, main_task = {.ns = NIDO_SEC(1)};
    nido_group group;
    int kind = -1;

    nido_spawn_options_init(&options);
    options.service = true;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn_with(&group, note_release, &kind, &options, NULL)));
    begin(&group, follow, &main_task);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, main_task.met));
    cr_expect(eq(int, kind, NIDO_CAUSE_RELEASE));

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn_with(&group, follow, &plan, &options, NULL)));
    begin(&group, follow, &main_task);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, main_task.met, -ECANCELED));
}

enum { POSTS = 1000 };

static int posted, posts_in_order;
static nido_rt *runtime;

static int count_post(void *number)
{
    posts_in_order += (intptr_t)number == posted;
    posted++;
    return 0;
}

static void *post_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < POSTS; i++) nido_post(runtime, count_post, result(i));
    return NULL;
}

/* test_TrioToken_run_sync_soon_FIFO, test_TrioToken_run_sync_soon_massive_queue,
 * test_TrioToken_run_sync_soon_too_late. */
NIDO_TEST(trio, posts_of_a_thread_arrive_in_order_and_none_after_the_run)
{
    nido_rt *rt = NULL;
    pthread_t thread;

    posted = posts_in_order = 0;
    cr_assert(zero(int, nido_rt_new(NULL, &rt)));
    cr_assert(zero(int, nido_rt_start(rt, give, NULL)));
    runtime = rt;
    nido_rt_retain(rt);
    pthread_create(&thread, NULL, post_many, NULL);
    pthread_join(thread, NULL);
    while (nido_rt_step(rt) == 1) continue;
    cr_expect(eq(int, posted, POSTS));
    cr_expect(eq(int, posts_in_order, POSTS));
    nido_rt_free(rt);
    cr_expect(eq(int, nido_post(runtime, count_post, NULL), -ESHUTDOWN));
    nido_rt_release(runtime);
}

static int post_again(void *unused)
{
    (void)unused;
    posted++;
    nido_post(runtime, post_again, NULL);
    return 0;
}

/* test_TrioToken_run_sync_soon_starvation_resistance. */
INSIDE(trio, a_post_that_posts_itself_again_starves_no_task)
{
    posted = 0;
    runtime = nido_rt_self();
    nido_post(runtime, post_again, NULL);
    for (int i = 0; i < 200; i++) cr_expect(zero(int, nido_yield()));
    cr_expect(gt(int, posted, 0));
    nido_rt_release(runtime);
}

/* ---- test_io.py, test_highlevel_open_tcp_stream.py ---- */

static int wait_readable(void *fd)
{
    return nido_wait_fd(*(int *)fd, NIDO_IN);
}

static int read_one(void *fd)
{
    char byte;

    return (int)nido_read(*(int *)fd, &byte, 1);
}

/* test_double_read: a second reader is refused. Trio refuses a second wait too; nido's waits for a
 * descriptor are open to any number, its reads are not. */
INSIDE(trio, a_second_reader_is_refused_and_a_second_wait_is_not)
{
    nido_group group;
    struct call call;
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_make(&group, &call, read_one, &fds[0]);
    cr_expect(eq(int, read_one(&fds[0]), -EBUSY));
    begin(&group, wait_readable, &fds[0]);
    begin(&group, wait_readable, &fds[0]);
    nido_yield();
    cr_expect(eq(int, (int)nido_write(fds[1], "ab", 2), 2));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, call.rc, 1));
    io_close_pair(fds);
}

/* test_interrupted_by_close, test_close_at_bad_time_for_receive_some. */
INSIDE(trio, a_close_wakes_readers_and_waiters)
{
    struct call calls[3];
    nido_group group;
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_make(&group, &calls[0], read_one, &fds[0]);
    for (int i = 1; i < 3; i++) call_make(&group, &calls[i], wait_readable, &fds[0]);
    io_close_pair(fds);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 3; i++) cr_expect(eq(int, calls[i].rc, -EBADF));
}

static int stream_in(void *fd)
{
    static char block[65536];
    size_t done;

    for (size_t left = 1 << 20; left; left -= done) {
        size_t most = left < sizeof block ? left : sizeof block;
        int rc = nido_read_full(*(int *)fd, block, most, &done);

        if (rc < 0) return rc;
    }
    return 0;
}

static int stream_out(void *fd)
{
    static char block[1 << 20];

    return nido_write_all(*(int *)fd, block, sizeof block, NULL);
}

/* test_socket_simultaneous_read_write, test_socket_actual_streaming. */
INSIDE(trio, a_megabyte_goes_in_both_directions_at_once)
{
    nido_group group;
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) {
        begin(&group, stream_in, &fds[i]);
        begin(&group, stream_out, &fds[i]);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    io_close_pair(fds);
}

/* test_one_host_quick_fail, test_basic_fallthrough, test_all_fail: an address that refuses is left
 * for the next at once, and when all refuse the first failure is told with the others. */
INSIDE(trio, an_address_that_refuses_is_left_for_the_next)
{
    struct sockaddr_in addresses[3];
    struct addrinfo list[3];
    socklen_t length = sizeof addresses[2];
    int dead = nido_listen("127.0.0.1", "0", NULL), live = nido_listen("127.0.0.1", "0", NULL);
    int64_t start = nido_now();
    int fd;

    cr_assert(ge(int, dead, 0));
    cr_assert(ge(int, live, 0));
    getsockname(dead, (struct sockaddr *)&addresses[0], &length);
    getsockname(live, (struct sockaddr *)&addresses[2], &length);
    addresses[1] = addresses[0];
    nido_close(dead);
    for (int i = 0; i < 3; i++) {
        list[i] = (struct addrinfo){.ai_family = AF_INET,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_addr = (struct sockaddr *)&addresses[i],
                                    .ai_addrlen = sizeof addresses[i],
                                    .ai_next = i < 2 ? &list[i + 1] : NULL};
    }
    fd = nido_dial_any(list, NULL);
    cr_expect(ge(int, fd, 0));
    nido_close(fd);
    list[1].ai_next = NULL;
    cr_expect(eq(int, nido_dial_any(list, NULL), -ECONNREFUSED));
    cr_expect(eq(sz, nido_error_suppressed_count(nido_error_last()), 1));
    cr_expect(eq(i64, nido_now(), start));
    cr_expect(eq(int, nido_dial_any(NULL, NULL), -EINVAL), "test_no_hosts");
    nido_close(live);
}

/* ---- test_threads.py ---- */

static atomic_int job_state;
static atomic_bool job_may_go;

static ssize_t blocking_job(void *unused)
{
    (void)unused;
    job_state = 1;
    while (!job_may_go) sched_yield();
    job_state = 2;
    return 0;
}

static void no_drop(void *ctx, void *arg, int rc)
{
    (void)ctx, (void)arg, (void)rc;
}

static int abandon_job(void *unused)
{
    (void)unused;
    return (int)nido_offload_abandon(blocking_job, NULL, no_drop, NULL);
}

static int wait_for_job(void *unused)
{
    (void)unused;
    return (int)nido_offload(blocking_job, NULL);
}

static void await_job(int state)
{
    while (job_state != state) nido_yield();
}

/* test_run_in_worker_thread_cancellation: an abandoned job is left, one that is waited for holds its
 * caller, and before it begins a call is a cancellation point. */
INSIDE(trio, a_cancel_leaves_an_abandoned_job_and_waits_for_another)
{
    for (int abandon = 0; abandon < 2; abandon++) {
        struct call call;
        nido_group group;

        job_state = 0;
        job_may_go = false;
        nido_group_open(&group, NIDO_WAIT_ALL, NULL);
        call_spawn(&group, &call, abandon ? abandon_job : wait_for_job, NULL);
        await_job(1);
        call_cancel(&call);
        let_run();
        cr_expect(eq(int, call.rc, abandon ? -ECANCELED : WAITING));
        job_may_go = true;
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(int, call.rc, abandon ? -ECANCELED : 0));
        await_job(2);
    }
    cr_expect(NIDO_TEST_IS_POINT(wait_for_job(NULL)));
}

static atomic_int running, high_water, ran;

static ssize_t limited_job(void *unused)
{
    int now = ++running, high = high_water;

    (void)unused;
    while (now > high && !atomic_compare_exchange_weak(&high_water, &high, now)) continue;
    sched_yield();
    ran++;
    running--;
    return 0;
}

static int offload_limited(void *limiter)
{
    nido_offload_options options;

    nido_offload_options_init(&options);
    options.limiter = limiter;
    return (int)nido_offload_with(limited_job, NULL, &options);
}

/* test_run_in_worker_thread_limiter. */
INSIDE(trio, a_limiter_bounds_the_jobs_that_run_at_once)
{
    static const uint32_t most[] = {1, 3, 5};

    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        nido_limiter limiter;
        nido_group group;

        running = high_water = ran = 0;
        nido_limiter_init(&limiter, most[i], NULL);
        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        for (uint32_t n = 0; n < 2 * most[i]; n++) begin(&group, offload_limited, &limiter);
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(int, ran, (int)(2 * most[i])));
        cr_expect(le(int, high_water, (int)most[i]));
        cr_expect(zero(int, nido_limiter_deinit(&limiter)));
    }
}

static int back_in_loop(void *level);

static ssize_t job_that_calls(void *level)
{
    return nido_call_in_loop(back_in_loop, level);
}

static int back_in_loop(void *level)
{
    intptr_t n = (intptr_t)level;

    return n ? 1 + (int)nido_offload(job_that_calls, result((int)n - 1)) : 0;
}

/* test_recursive_to_thread, test_from_thread_reuses_task. */
INSIDE(trio, jobs_and_their_tasks_may_call_each_other)
{
    cr_expect(eq(int, (int)nido_offload(job_that_calls, result(3)), 3));
}

static ssize_t ask_twice(void *unused)
{
    bool before = nido_job_cancelled();

    (void)unused;
    job_state = 1;
    while (!job_may_go) sched_yield();
    return !before && nido_job_cancelled() && nido_call_in_loop(give, NULL) == -ECANCELED;
}

static int ask_in_job(void *unused)
{
    (void)unused;
    return (int)nido_offload(ask_twice, NULL);
}

/* test_from_thread_host_cancelled, test_from_thread_check_cancelled_no_abandon. */
INSIDE(trio, a_job_can_ask_whether_its_caller_is_cancelled)
{
    struct call call;
    nido_group group;

    job_state = 0;
    job_may_go = false;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_spawn(&group, &call, ask_in_job, NULL);
    await_job(1);
    call_cancel(&call);
    job_may_go = true;
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, call.rc, 1));
    cr_expect(not(nido_job_cancelled()), "a task is no job");
}

/* ---- test_sync.py, test_channel.py ---- */

static int lock_and_end(void *mutex)
{
    return nido_mutex_lock(mutex);
}

static int lock_repair_unlock(void *mutex)
{
    int rc = nido_mutex_lock(mutex);

    cr_expect(eq(int, rc, -EOWNERDEAD));
    cr_expect(zero(int, nido_mutex_repair(mutex)));
    return nido_mutex_unlock(mutex);
}

/* test_lock_acquire_unowned_lock, test_lock_multiple_acquire, test_lock_handover: Trio refuses a
 * lock whose owner is gone; nido hands it over and says so, and it can be repaired. */
INSIDE(trio, the_lock_of_an_ended_owner_is_handed_over_with_eownerdead)
{
    nido_mutex mutex;
    nido_group group;

    nido_mutex_init(&mutex, "lock");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, lock_and_end, &mutex);
    begin(&group, lock_repair_unlock, &mutex);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_mutex_lock(&mutex)));
    cr_expect(zero(int, nido_mutex_unlock(&mutex)));
    cr_expect(zero(int, nido_mutex_deinit(&mutex)));
}

static int seat_count;

struct guest {
    nido_limiter *limiter;
    nido_event leave;
    bool seated;
};

static int sit(void *arg)
{
    struct guest *self = arg;
    nido_limiter_token token = {0};
    int rc = nido_limiter_acquire(self->limiter, &token);

    if (rc < 0) return rc;
    self->seated = true;
    seat_count++;
    nido_event_wait(&self->leave);
    seat_count--;
    return nido_limiter_release(self->limiter, &token);
}

/* test_CapacityLimiter_change_total_tokens. */
INSIDE(trio, a_limiter_that_changes_its_size_lends_exactly_that)
{
    struct guest guests[5] = {0};
    nido_limiter limiter;
    nido_group group;

    seat_count = 0;
    nido_limiter_init(&limiter, 2, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 5; i++) {
        guests[i].limiter = &limiter;
        nido_event_init(&guests[i].leave, NULL);
        begin(&group, sit, &guests[i]);
    }
    let_run();
    cr_expect(eq(int, seat_count, 2));
    cr_expect(guests[0].seated);
    cr_expect(guests[1].seated);
    cr_expect(zero(int, nido_limiter_resize(&limiter, 4)));
    let_run();
    cr_expect(eq(int, seat_count, 4));
    cr_expect(not(guests[4].seated));
    cr_expect(zero(int, nido_limiter_resize(&limiter, 1)));
    for (int i = 0; i < 3; i++) nido_event_set(&guests[i].leave);
    let_run();
    cr_expect(eq(int, seat_count, 1));
    cr_expect(not(guests[4].seated));
    for (int i = 3; i < 5; i++) nido_event_set(&guests[i].leave);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(guests[4].seated);
}

static nido_chan *line;
static int taken[5], taken_in_all;

static int consume(void *me)
{
    int item, rc;

    while ((rc = nido_chan_recv(line, &item)) == 0) {
        taken[(intptr_t)me]++;
        taken_in_all++;
    }
    return rc == -EPIPE ? 0 : rc;
}

/* test_channel_multiple_consumers. */
INSIDE(trio, each_consumer_of_a_channel_gets_some)
{
    nido_group group;

    taken_in_all = 0;
    cr_assert(zero(int, nido_chan_new(sizeof(int), 1, NULL, NULL, &line)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 5; i++) {
        taken[i] = 0;
        begin(&group, consume, result(i));
    }
    nido_yield();
    for (int i = 0; i < 10; i++) cr_expect(zero(int, nido_chan_send(line, &i)));
    nido_chan_close_send(line);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, taken_in_all, 10));
    for (int i = 0; i < 5; i++) cr_expect(ge(int, taken[i], 1));
    nido_chan_free(line);
}

static int receive_on_line(void *item)
{
    return nido_chan_recv(line, item);
}

static int send_on_line(void *item)
{
    return nido_chan_send(line, item);
}

/* test_channel_fairness: what is sent belongs to the task that waits for it, and so does a place. */
INSIDE(trio, an_item_or_a_place_goes_to_the_task_that_waits)
{
    int items[4] = {1, 2, 3, 0}, got = 0;
    nido_group group;
    struct call call;

    cr_assert(zero(int, nido_chan_new(sizeof(int), 1, NULL, NULL, &line)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    call_make(&group, &call, receive_on_line, &got);
    cr_expect(zero(int, nido_chan_try_send(line, &items[1])));
    cr_expect(eq(int, nido_chan_try_recv(line, &items[3]), -EAGAIN));
    let_run();
    cr_expect(eq(int, got, 2));

    cr_expect(zero(int, nido_chan_try_send(line, &items[0])));
    call_make(&group, &call, send_on_line, &items[1]);
    cr_expect(zero(int, nido_chan_try_recv(line, &got)));
    cr_expect(eq(int, nido_chan_try_send(line, &items[2]), -EAGAIN));
    cr_expect(zero(int, nido_chan_recv(line, &got)));
    cr_expect(eq(int, got, 2));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_chan_free(line);
}

/* test_553: a receive that timed out takes no later item with it. */
INSIDE(trio, a_receive_that_timed_out_is_out_of_the_channel)
{
    int item = 5, got = 0;
    nido_scope scope;

    cr_assert(zero(int, nido_chan_new(sizeof(int), 1, NULL, NULL, &line)));
    nido_timeout_open(&scope, NIDO_SEC(10));
    cr_expect(eq(int, nido_scope_close(&scope, nido_chan_recv(line, &got)), -ETIMEDOUT));
    cr_expect(zero(int, nido_chan_send(line, &item)));
    cr_expect(zero(int, nido_chan_try_recv(line, &got)));
    cr_expect(eq(int, got, 5));
    nido_chan_free(line);
}

/* ---- test_timeouts.py, test_signals.py, test_mock_clock.py, test_testing.py ---- */

/* test_move_on_after_moves_on_even_if_shielded. */
INSIDE(trio, a_shield_has_a_bound_of_its_own)
{
    int64_t start = nido_now();
    nido_scope outer, shield;
    int rc;

    nido_scope_open(&outer);
    nido_scope_cancel(&outer, 0, NULL);
    nido_shield_open(&shield, NIDO_SEC(1));
    rc = nido_scope_close(&shield, nido_sleep(NIDO_NEVER));
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(i64, nido_now(), start + NIDO_SEC(1)));
    cr_expect(zero(int, nido_scope_close(&outer, rc)));
}

/* test_timeouts_raise_value_error: Trio refuses a negative timeout; to nido it has passed. */
INSIDE(trio, a_negative_timeout_has_passed)
{
    int64_t start = nido_now();

    cr_expect(eq(int, nido_with_timeout(-1, sleep_forever, NULL), -ETIMEDOUT));
    cr_expect(zero(int, nido_sleep(-1)));
    cr_expect(eq(i64, nido_now(), start));
}

static int direct[2];

static void note_directly(int number)
{
    direct[number == SIGUSR2]++;
}

/* test_open_signal_receiver_no_starvation, test_catch_signals_race_condition_on_exit: two signals
 * alternate, and what was not taken is raised again at the end. */
INSIDE(trio, two_signals_alternate_and_what_was_not_taken_is_raised_again)
{
    nido_signal receiver;
    int previous = 0;
    sigset_t set;

    signal(SIGUSR1, note_directly);
    signal(SIGUSR2, note_directly);
    sigemptyset(&set);
    cr_expect(eq(int, nido_signal_open(&receiver, &set), -EINVAL), "_empty_fail");
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    cr_expect(zero(int, nido_signal_open(&receiver, &set)));
    for (int i = 0; i < 10; i++) {
        int got;

        raise(SIGUSR1);
        raise(SIGUSR2);
        got = nido_signal_wait(&receiver);
        cr_expect(gt(int, got, 0));
        cr_expect(ne(int, got, previous));
        previous = got;
    }
    while (nido_signal_try(&receiver) > 0) continue;
    raise(SIGUSR1);
    raise(SIGUSR2);
    nido_yield();
    cr_expect(zero(int, direct[0]));
    cr_expect(zero(int, direct[1]));
    cr_expect(zero(int, nido_signal_close(&receiver)));
    cr_expect(eq(int, direct[0], 1));
    cr_expect(eq(int, direct[1], 1));
}

/* test_mock_clock_autojump, test_wait_all_tasks_blocked_with_timeouts. */
INSIDE(trio, virtual_time_jumps_and_stands_still_until_all_are_parked)
{
    struct plan plan = {.ns = NIDO_SEC(5)};
    int64_t start = nido_now();
    nido_group group;

    for (int i = 0; i < 10; i++) cr_expect(zero(int, nido_sleep(NIDO_SEC(i))));
    cr_expect(eq(i64, nido_now() - start, NIDO_SEC(45)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, follow, &plan);
    nido_test_wait_all_parked();
    cr_expect(eq(int, plan.runs, 1));
    cr_expect(zero(i64, plan.end));
    nido_test_advance(NIDO_SEC(10));
    cr_expect(eq(i64, plan.end, start + NIDO_SEC(50)));
    cr_expect(eq(i64, nido_now(), start + NIDO_SEC(55)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

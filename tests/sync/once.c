/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

/* One caller of a once: its work waits for `go`, then gives `result`, unless it is cancelled. */
struct work {
    nido_once *once;
    nido_event go;
    int result;
    int runs;
    struct call call;
};

static int work_run(void *arg)
{
    struct work *work = arg;
    int rc;

    work->runs++;
    rc = nido_event_wait(&work->go);
    return rc ? rc : work->result;
}

static int do_once(void *arg)
{
    struct work *work = arg;

    return nido_once_do(work->once, work_run, work);
}

static void work_make(nido_group *group, struct work *work, nido_once *once, int result)
{
    work->once = once;
    work->result = result;
    work->runs = 0;
    nido_event_init(&work->go, "go");
    call_make(group, &work->call, do_once, work);
}

static void work_go(struct work *work)
{
    nido_event_set(&work->go);
    let_run();
}

SYNC_TEST(once, it_is_done_once_for_all)
{
    struct work works[3], late;
    nido_once once;

    nido_once_init(&once, "setup");
    for (int i = 0; i < 3; i++) work_make(group, &works[i], &once, 40 + i);
    cr_expect(eq(int, nido_once_deinit(&once), -EBUSY));
    work_go(&works[0]);
    work_make(group, &late, &once, 99);
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, works[i].call.rc, 40));
        cr_expect(eq(int, works[i].runs, i == 0));
    }
    cr_expect(eq(int, late.call.rc, 40));
    cr_expect(eq(int, late.runs, 0));
    cr_expect(eq(int, nido_once_deinit(&once), 0));
}

/* S214 */
SYNC_TEST(once, the_next_takes_over_from_a_cancelled_runner)
{
    struct work works[3];
    nido_once once;

    nido_once_init(&once, "setup");
    for (int i = 0; i < 3; i++) work_make(group, &works[i], &once, 40 + i);
    call_cancel(&works[0].call);
    let_run();
    cr_expect(eq(int, works[0].call.rc, -ECANCELED));
    cr_expect(eq(int, works[1].runs, 1));
    cr_expect(eq(int, works[2].call.rc, WAITING));
    work_go(&works[1]);
    cr_expect(eq(int, works[1].call.rc, 41));
    cr_expect(eq(int, works[2].call.rc, 41));
    cr_expect(eq(int, works[2].runs, 0));
}

/* S215 */
SYNC_TEST(once, a_failure_is_the_runners_own)
{
    struct work works[2];
    nido_once once;

    nido_once_init(&once, "setup");
    work_make(group, &works[0], &once, -EIO);
    work_make(group, &works[1], &once, 41);
    work_go(&works[0]);
    cr_expect(eq(int, works[0].call.rc, -EIO));
    cr_expect(eq(int, works[1].runs, 1));
    work_go(&works[1]);
    cr_expect(eq(int, works[1].call.rc, 41));
}

SYNC_TEST(once, after_a_failure_without_waiters_it_is_still_to_be_done)
{
    struct work first, second;
    nido_once once;

    nido_once_init(&once, "setup");
    work_make(group, &first, &once, -EIO);
    work_go(&first);
    work_make(group, &second, &once, 41);
    cr_expect(eq(int, second.runs, 1));
    work_go(&second);
    cr_expect(eq(int, second.call.rc, 41));
}

SYNC_TEST(once, who_waits_may_leave_without_touching_the_work)
{
    struct work works[3];
    nido_once once;

    nido_once_init(&once, "setup");
    for (int i = 0; i < 3; i++) work_make(group, &works[i], &once, 40 + i);
    call_cancel(&works[1].call);
    let_run();
    cr_expect(eq(int, works[1].call.rc, -ECANCELED));
    work_go(&works[0]);
    cr_expect(eq(int, works[0].call.rc, 40));
    cr_expect(eq(int, works[2].call.rc, 40));
}

SYNC_TEST(once, a_result_given_before_the_cancel_is_kept)
{
    struct work works[2];
    nido_once once;

    nido_once_init(&once, "setup");
    for (int i = 0; i < 2; i++) work_make(group, &works[i], &once, 40 + i);
    nido_event_set(&works[0].go);
    nido_yield(); /* the first has run, the second was given its result */
    call_cancel(&works[1].call);
    let_run();
    cr_expect(eq(int, works[1].call.rc, 40));
    cr_expect(eq(int, works[1].call.next, -ECANCELED));
}

SYNC_TEST(once, who_was_given_the_work_and_is_cancelled_passes_it_on)
{
    struct work works[3];
    nido_once once;

    nido_once_init(&once, "setup");
    work_make(group, &works[0], &once, -EIO);
    work_make(group, &works[1], &once, 41);
    work_make(group, &works[2], &once, 42);
    nido_event_set(&works[0].go);
    nido_yield(); /* the first has failed, the second is chosen */
    call_cancel(&works[1].call);
    let_run();
    cr_expect(eq(int, works[1].call.rc, -ECANCELED));
    cr_expect(eq(int, works[2].runs, 1));
    work_go(&works[2]);
    cr_expect(eq(int, works[2].call.rc, 42));
}

SYNC_TEST(once, nobody_comes_between_the_failure_and_the_next)
{
    struct work works[2], stranger;
    nido_once once;

    nido_once_init(&once, "setup");
    work_make(group, &works[0], &once, -EIO);
    work_make(group, &works[1], &once, 41);
    nido_event_set(&works[0].go);
    nido_yield(); /* the first has failed, the second is chosen but has not run */
    stranger.once = &once;
    stranger.runs = 0;
    nido_event_init(&stranger.go, "go");
    call_make(group, &stranger.call, do_once, &stranger);
    cr_expect(eq(int, works[1].runs, 1));
    cr_expect(eq(int, stranger.runs, 0));
    work_go(&works[1]);
    cr_expect(eq(int, stranger.call.rc, 41));
}

SYNC_TEST(once, a_call_refused_at_its_entry_runs_nothing)
{
    struct work work = {.runs = 0};
    nido_once once;

    nido_once_init(&once, "setup");
    work.once = &once;
    call_spawn(group, &work.call, do_once, &work);
    call_cancel(&work.call);
    let_run();
    cr_expect(eq(int, work.call.rc, -ECANCELED));
    cr_expect(eq(int, work.runs, 0));
    cr_expect(eq(int, nido_once_do(&once, NULL, NULL), -EINVAL));
}

static int answer(void *result)
{
    return *(int *)result;
}

static int do_it_again(void *once)
{
    int result = 1;

    return nido_once_do(once, answer, &result);
}

static int do_it_in_a_child(void *once)
{
    nido_group group;
    struct call child;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_spawn(&group, &child, do_it_again, once);
    nido_group_close(&group, 0);
    return child.rc;
}

SYNC_TEST(once, its_work_cannot_wait_for_itself)
{
    nido_once once;
    int result = 7;

    nido_once_init(&once, "setup");
    cr_expect(eq(int, nido_once_do(&once, do_it_again, &once), -EDEADLK));
    cr_expect(eq(int, nido_once_do(&once, do_it_in_a_child, &once), -EDEADLK));
    cr_expect(eq(int, nido_once_do(&once, answer, &result), 7));
}

/* ---- Failures that are shared ---- */

static int share(void *arg)
{
    struct work *work = arg;

    return nido_once_do_shared(work->once, work_run, work);
}

static void work_share(nido_group *group, struct work *work, nido_once *once, int result)
{
    work->once = once;
    work->result = result;
    work->runs = 0;
    nido_event_init(&work->go, "go");
    call_make(group, &work->call, share, work);
}

SYNC_TEST(once, a_shared_failure_reaches_all_that_wait_and_is_not_kept)
{
    struct work works[3], late;
    nido_once once;

    nido_once_init(&once, "setup");
    for (int i = 0; i < 3; i++) work_share(group, &works[i], &once, i ? 40 + i : -EIO);
    work_go(&works[0]);
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, works[i].call.rc, -EIO));
        cr_expect(eq(int, works[i].runs, i == 0));
    }
    work_share(group, &late, &once, 7);
    work_go(&late);
    cr_expect(eq(int, late.call.rc, 7));
}

SYNC_TEST(once, a_failure_is_shared_with_those_alone_that_ask_for_it)
{
    struct work first, tries, shares;
    nido_once once;

    nido_once_init(&once, "setup");
    work_make(group, &first, &once, -EIO);
    work_make(group, &tries, &once, 41);
    work_share(group, &shares, &once, 42);
    work_go(&first);
    cr_expect(eq(int, shares.call.rc, -EIO));
    cr_expect(eq(int, tries.runs, 1));
    work_go(&tries);
    cr_expect(eq(int, tries.call.rc, 41));
    cr_expect(eq(int, shares.runs, 0));
}

SYNC_TEST(once, a_cancel_of_the_runner_is_not_shared)
{
    struct work works[3];
    nido_once once;

    nido_once_init(&once, "setup");
    for (int i = 0; i < 3; i++) work_share(group, &works[i], &once, 40 + i);
    call_cancel(&works[0].call);
    let_run();
    cr_expect(eq(int, works[0].call.rc, -ECANCELED));
    cr_expect(eq(int, works[1].runs, 1));
    work_go(&works[1]);
    cr_expect(eq(int, works[1].call.rc, 41));
    cr_expect(eq(int, works[2].call.rc, 41));
}

SYNC_TEST(once, a_failure_given_before_the_cancel_is_kept)
{
    struct work works[2];
    nido_once once;

    nido_once_init(&once, "setup");
    for (int i = 0; i < 2; i++) work_share(group, &works[i], &once, -EIO);
    nido_event_set(&works[0].go);
    nido_yield(); /* the first has failed, the second was given its failure */
    call_cancel(&works[1].call);
    let_run();
    cr_expect(eq(int, works[1].call.rc, -EIO));
    cr_expect(eq(int, works[1].runs, 0));
}

/* ---- What is forgotten ---- */

SYNC_TEST(once, what_is_forgotten_is_done_again)
{
    int results[] = {1, 2};
    nido_once once;

    (void)group;
    nido_once_init(&once, "setup");
    cr_expect(eq(int, nido_once_forget(&once), 0));
    cr_expect(eq(int, nido_once_do(&once, answer, &results[0]), 1));
    cr_expect(eq(int, nido_once_do(&once, answer, &results[1]), 1));
    cr_expect(eq(int, nido_once_forget(&once), 0));
    cr_expect(eq(int, nido_once_do(&once, answer, &results[1]), 2));
    cr_expect(eq(int, nido_once_do(&once, answer, &results[0]), 2));
}

/* Two wait, then it is forgotten, then two ask. */
static void work_forgotten(nido_group *group, struct work works[5], nido_once *once, int first)
{
    nido_once_init(once, "setup");
    for (int i = 0; i < 5; i++) {
        if (i == 3) cr_expect(eq(int, nido_once_forget(once), 0));
        work_make(group, &works[i], once, i ? 40 + i : first);
    }
}

SYNC_TEST(once, work_that_is_forgotten_is_for_those_that_waited_already)
{
    struct work works[5];
    nido_once once;

    work_forgotten(group, works, &once, 40);
    work_go(&works[0]);
    for (int i = 0; i < 3; i++) cr_expect(eq(int, works[i].call.rc, 40));
    cr_expect(eq(int, works[3].runs, 1));
    cr_expect(eq(int, works[4].call.rc, WAITING));
    work_go(&works[3]);
    cr_expect(eq(int, works[3].call.rc, 43));
    cr_expect(eq(int, works[4].call.rc, 43));
    cr_expect(eq(int, nido_once_do(&once, answer, &works[4].result), 43));
}

SYNC_TEST(once, after_a_forgotten_failure_one_further_try_is_for_all)
{
    struct work works[5];
    nido_once once;

    work_forgotten(group, works, &once, -EIO);
    work_go(&works[0]);
    cr_expect(eq(int, works[1].runs, 1));
    work_go(&works[1]);
    for (int i = 1; i < 5; i++) cr_expect(eq(int, works[i].call.rc, 41));
}

SYNC_TEST(once, after_a_forgotten_run_is_cancelled_one_further_try_is_for_all)
{
    struct work works[5];
    nido_once once;

    work_forgotten(group, works, &once, 40);
    call_cancel(&works[0].call);
    let_run();
    cr_expect(eq(int, works[1].runs, 1));
    work_go(&works[1]);
    for (int i = 1; i < 5; i++) cr_expect(eq(int, works[i].call.rc, 41));
}

static int forget(void *arg)
{
    struct work *work = arg;

    return nido_once_forget(work->once);
}

SYNC_TEST(once, another_thread_may_not_touch_it_while_it_is_done)
{
    struct work work, stranger = {.runs = 0};
    nido_once once;

    nido_once_init(&once, "setup");
    stranger.once = &once;
    work_make(group, &work, &once, 41);
    cr_expect(eq(int, in_other_runtime(do_once, &stranger), -EXDEV));
    cr_expect(eq(int, on_plain_thread(do_once, &stranger), -EPERM));
    cr_expect(eq(int, in_other_runtime(forget, &stranger), -EXDEV));
    cr_expect(eq(int, on_plain_thread(forget, &stranger), -EPERM));
    work_go(&work);
    cr_expect(eq(int, work.call.rc, 41));
    cr_expect(eq(int, stranger.runs, 0));
}

static int be_stuck(void *arg)
{
    struct work first, second;
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    work_make(&group, &first, arg, 41);
    work_make(&group, &second, arg, 42);
    return nido_group_close(&group, 0);
}

NIDO_TEST(once, a_deadlock_names_it_and_its_runner)
{
    char report[4096];
    nido_once once;

    nido_once_init(&once, "setup");
    cr_expect(eq(int, run_for_report(be_stuck, &once, report), -EDEADLK));
    cr_expect(strstr(report, "waits for once \"setup\" of #") != NULL, "%s", report);
}

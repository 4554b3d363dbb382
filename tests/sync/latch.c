/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

static int wait_for(void *latch)
{
    return nido_latch_wait(latch);
}

static int done(void *latch)
{
    return nido_latch_done(latch);
}

static int add(void *latch)
{
    return nido_latch_add(latch, 1);
}

SYNC_TEST(latch, the_last_thing_done_releases_all)
{
    struct call a, b;
    nido_latch latch;

    nido_latch_init(&latch, 1, "work");
    cr_expect(eq(int, nido_latch_add(&latch, 1), 0));
    call_make(group, &a, wait_for, &latch);
    call_make(group, &b, wait_for, &latch);
    cr_expect(eq(int, nido_latch_done(&latch), 0));
    let_run();
    cr_expect(eq(int, a.rc, WAITING));
    cr_expect(eq(int, nido_latch_deinit(&latch), -EBUSY));
    cr_expect(eq(int, nido_latch_done(&latch), 0));
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, b.rc, 0));
    cr_expect(lt(u32, a.end, b.end));
    cr_expect(eq(int, nido_latch_wait(&latch), 0));
    cr_expect(eq(int, nido_latch_deinit(&latch), 0));
}

SYNC_TEST(latch, more_may_come_while_some_is_left)
{
    struct call a;
    nido_latch latch;

    nido_latch_init(&latch, 1, "work");
    call_make(group, &a, wait_for, &latch);
    cr_expect(eq(int, nido_latch_add(&latch, 2), 0));
    for (int i = 0; i < 2; i++) nido_latch_done(&latch);
    let_run();
    cr_expect(eq(int, a.rc, WAITING));
    nido_latch_done(&latch);
    let_run();
    cr_expect(eq(int, a.rc, 0));
}

SYNC_TEST(latch, it_may_begin_again_when_nobody_waits)
{
    struct call a;
    nido_latch latch;

    nido_latch_init(&latch, 0, "work");
    cr_expect(eq(int, nido_latch_wait(&latch), 0));
    cr_expect(eq(int, nido_latch_add(&latch, 1), 0));
    cr_expect(eq(int, nido_latch_done(&latch), 0));
    cr_expect(eq(int, nido_latch_add(&latch, 1), 0));
    call_make(group, &a, wait_for, &latch);
    cr_expect(eq(int, a.rc, WAITING));
    cr_expect(eq(int, nido_latch_done(&latch), 0));
    cr_expect(eq(int, nido_latch_add(&latch, 1), -EINVAL), "the waiter has not run yet");
    cr_expect(eq(int, nido_latch_deinit(&latch), -EBUSY));
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, nido_latch_add(&latch, 1), 0));
    cr_expect(eq(int, nido_latch_done(&latch), 0));
}

SYNC_TEST(latch, the_count_stays_within_its_bounds)
{
    nido_latch latch;

    nido_latch_init(&latch, 0, "work");
    cr_expect(eq(int, nido_latch_done(&latch), -EINVAL));
    cr_expect(eq(int, nido_latch_add(&latch, UINT32_MAX), 0));
    cr_expect(eq(int, nido_latch_add(&latch, 1), -EOVERFLOW));
    cr_expect(eq(int, nido_latch_done(&latch), 0));
    cr_expect(eq(int, nido_latch_add(&latch, 1), 0));
}

SYNC_TEST(latch, a_cancelled_waiter_goes_without_a_trace)
{
    struct call early, parked, released;
    nido_latch latch;

    nido_latch_init(&latch, 1, "work");
    call_spawn(group, &early, wait_for, &latch);
    call_cancel(&early);
    call_make(group, &parked, wait_for, &latch);
    call_cancel(&parked);
    call_make(group, &released, wait_for, &latch);
    cr_expect(eq(int, early.rc, -ECANCELED));
    cr_expect(eq(int, parked.rc, -ECANCELED));
    nido_latch_done(&latch);
    call_cancel(&released);
    let_run();
    cr_expect(eq(int, released.rc, 0), "it was released before");
    cr_expect(eq(int, released.next, -ECANCELED));
    cr_expect(eq(int, nido_latch_add(&latch, 1), 0));
}

SYNC_TEST(latch, another_thread_may_not_touch_it_while_tasks_wait)
{
    struct call a;
    nido_latch latch;

    nido_latch_init(&latch, 1, "work");
    call_make(group, &a, wait_for, &latch);
    cr_expect(eq(int, in_other_runtime(wait_for, &latch), -EXDEV));
    cr_expect(eq(int, in_other_runtime(done, &latch), -EXDEV));
    cr_expect(eq(int, in_other_runtime(add, &latch), -EXDEV));
    cr_expect(eq(int, on_plain_thread(wait_for, &latch), -EPERM));
    cr_expect(eq(int, on_plain_thread(done, &latch), -EPERM));
    cr_expect(eq(int, on_plain_thread(add, &latch), -EPERM));
    nido_latch_done(&latch);
    let_run();
    cr_expect(eq(int, a.rc, 0));
}

NIDO_TEST(latch, a_deadlock_names_it)
{
    char report[4096];
    nido_latch latch;

    nido_latch_init(&latch, 1, "work");
    cr_expect(eq(int, run_for_report(wait_for, &latch, report), -EDEADLK));
    cr_expect(strstr(report, "waits for latch \"work\"") != NULL, "%s", report);
}

SYNC_TEST(latch, a_try_looks_in_a_cancelled_scope_too)
{
    nido_latch latch;
    nido_scope scope;

    nido_latch_init(&latch, 1, "work");
    nido_timeout_open(&scope, 0);
    cr_expect(eq(int, nido_latch_try_wait(&latch), -EAGAIN));
    cr_expect(eq(int, nido_latch_done(&latch), 0));
    cr_expect(eq(int, nido_latch_try_wait(&latch), 0));
    cr_expect(eq(int, nido_latch_wait(&latch), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
    cr_expect(eq(int, nido_latch_deinit(&latch), 0));
}

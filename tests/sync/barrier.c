/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

static int wait_at(void *barrier)
{
    return nido_barrier_wait(barrier);
}

static int abort_it(void *barrier)
{
    return nido_barrier_abort(barrier);
}

static int reset(void *barrier)
{
    return nido_barrier_reset(barrier);
}

static void barrier_init(nido_barrier *barrier, uint32_t n, uint32_t flags)
{
    cr_expect(eq(int, nido_barrier_init(barrier, n, flags, "phase"), 0));
}

SYNC_TEST(barrier, the_last_to_come_is_told_so)
{
    nido_barrier barrier;
    struct call a, b;

    barrier_init(&barrier, 3, 0);
    call_make(group, &a, wait_at, &barrier);
    call_make(group, &b, wait_at, &barrier);
    cr_expect(eq(int, a.rc, WAITING));
    cr_expect(eq(int, nido_barrier_deinit(&barrier), -EBUSY));
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, b.rc, 0));
    cr_expect(eq(int, nido_barrier_deinit(&barrier), 0));
}

SYNC_TEST(barrier, it_tells_how_many_wait_and_whether_it_is_aborted)
{
    nido_barrier barrier;
    struct call a, b;

    barrier_init(&barrier, 3, 0);
    cr_expect(eq(u32, nido_barrier_waiting(&barrier), 0));
    call_make(group, &a, wait_at, &barrier);
    call_make(group, &b, wait_at, &barrier);
    cr_expect(eq(u32, nido_barrier_waiting(&barrier), 2));
    cr_expect(not(nido_barrier_is_aborted(&barrier)));
    cr_expect(eq(int, nido_barrier_abort(&barrier), 0));
    cr_expect(nido_barrier_is_aborted(&barrier));
    cr_expect(eq(u32, nido_barrier_waiting(&barrier), 0));
    cr_expect(eq(int, nido_barrier_reset(&barrier), 0));
    cr_expect(not(nido_barrier_is_aborted(&barrier)));
    let_run();
}

struct runner {
    nido_barrier *barrier;
    int rounds; /* it has gone through */
    int behind; /* the most that another was behind when it went on */
    const struct runner *others;
};

static int run_rounds(void *arg)
{
    struct runner *runner = arg;

    for (int i = 0; i < 10; i++) {
        int rc = nido_barrier_wait(runner->barrier);

        if (rc < 0) return rc;
        runner->rounds++;
        for (int k = 0; k < 3; k++)
            if (runner->rounds - runner->others[k].rounds > runner->behind)
                runner->behind = runner->rounds - runner->others[k].rounds;
    }
    return 0;
}

/* S208 */
SYNC_TEST(barrier, rounds_do_not_mix)
{
    struct runner runners[3] = {{0}};
    struct call calls[3];
    nido_barrier barrier;

    barrier_init(&barrier, 3, 0);
    for (int i = 0; i < 3; i++) {
        runners[i] = (struct runner){.barrier = &barrier, .others = runners};
        call_spawn(group, &calls[i], run_rounds, &runners[i]);
    }
    for (int i = 0; i < 5; i++) let_run();
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, calls[i].rc, 0));
        cr_expect(eq(int, runners[i].rounds, 10));
        cr_expect(le(int, runners[i].behind, 1), "it waited for nobody");
    }
}

/* S209 */
SYNC_TEST(barrier, who_is_cancelled_withdraws)
{
    struct call a, b, c;
    nido_barrier barrier;

    barrier_init(&barrier, 3, 0);
    call_make(group, &a, wait_at, &barrier);
    call_make(group, &b, wait_at, &barrier);
    call_cancel(&b);
    call_make(group, &c, wait_at, &barrier);
    cr_expect(eq(int, b.rc, -ECANCELED));
    cr_expect(eq(int, a.rc, WAITING));
    cr_expect(eq(int, c.rc, WAITING));
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, c.rc, 0));
}

SYNC_TEST(barrier, a_cancel_after_the_last_has_come_does_not_count)
{
    struct call a;
    nido_barrier barrier;

    barrier_init(&barrier, 2, NIDO_BARRIER_BREAKS);
    call_make(group, &a, wait_at, &barrier);
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
    call_cancel(&a);
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, a.next, -ECANCELED));
}

SYNC_TEST(barrier, a_call_refused_at_its_entry_has_not_come)
{
    struct call a, b;
    nido_barrier barrier;

    barrier_init(&barrier, 2, NIDO_BARRIER_BREAKS);
    call_spawn(group, &a, wait_at, &barrier);
    call_cancel(&a);
    call_make(group, &b, wait_at, &barrier);
    cr_expect(eq(int, a.rc, -ECANCELED));
    cr_expect(eq(int, b.rc, WAITING));
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
    let_run();
}

SYNC_TEST(barrier, one_that_breaks_is_aborted_by_a_cancelled_waiter)
{
    struct call a, b;
    nido_barrier barrier;

    barrier_init(&barrier, 3, NIDO_BARRIER_BREAKS);
    call_make(group, &a, wait_at, &barrier);
    call_make(group, &b, wait_at, &barrier);
    call_cancel(&a);
    let_run();
    cr_expect(eq(int, a.rc, -ECANCELED));
    cr_expect(eq(int, b.rc, -EPIPE));
    cr_expect(eq(int, nido_barrier_wait(&barrier), -EPIPE));
}

/* S211 */
SYNC_TEST(barrier, abort_lasts_until_the_reset)
{
    struct call a, b, c, d;
    nido_barrier barrier;

    barrier_init(&barrier, 3, 0);
    call_make(group, &a, wait_at, &barrier);
    call_make(group, &b, wait_at, &barrier);
    cr_expect(eq(int, nido_barrier_abort(&barrier), 0));
    call_cancel(&b);
    let_run();
    cr_expect(eq(int, a.rc, -EPIPE));
    cr_expect(eq(int, b.rc, -EPIPE), "it was told before the cancel");
    cr_expect(eq(int, nido_barrier_wait(&barrier), -EPIPE));
    cr_expect(eq(int, nido_barrier_abort(&barrier), 0));
    cr_expect(eq(int, nido_barrier_reset(&barrier), 0));
    call_make(group, &c, wait_at, &barrier);
    call_make(group, &d, wait_at, &barrier);
    cr_expect(eq(int, nido_barrier_reset(&barrier), 0), "it is whole");
    cr_expect(eq(int, d.rc, WAITING));
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
    let_run();
    cr_expect(eq(int, c.rc, 0));
    cr_expect(eq(int, d.rc, 0));
}

/* S212 */
SYNC_TEST(barrier, for_none_there_is_none_and_one_never_waits)
{
    nido_barrier barrier;

    cr_expect(eq(int, nido_barrier_init(&barrier, 0, 0, NULL), -EINVAL));
    cr_expect(eq(int, nido_barrier_init(&barrier, 1, 2, NULL), -EINVAL));
    barrier_init(&barrier, 1, 0);
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
}

SYNC_TEST(barrier, another_thread_may_not_touch_it_while_tasks_wait)
{
    struct call a;
    nido_barrier barrier;

    barrier_init(&barrier, 2, 0);
    call_make(group, &a, wait_at, &barrier);
    cr_expect(eq(int, in_other_runtime(wait_at, &barrier), -EXDEV));
    cr_expect(eq(int, in_other_runtime(abort_it, &barrier), -EXDEV));
    cr_expect(eq(int, in_other_runtime(reset, &barrier), -EXDEV));
    cr_expect(eq(int, on_plain_thread(wait_at, &barrier), -EPERM));
    cr_expect(eq(int, on_plain_thread(abort_it, &barrier), -EPERM));
    cr_expect(eq(int, on_plain_thread(reset, &barrier), -EPERM));
    cr_expect(eq(int, nido_barrier_wait(&barrier), 1));
    let_run();
    cr_expect(eq(int, a.rc, 0));
}

NIDO_TEST(barrier, a_deadlock_names_it)
{
    char report[4096];
    nido_barrier barrier;

    barrier_init(&barrier, 2, 0);
    cr_expect(eq(int, run_for_report(wait_at, &barrier, report), -EDEADLK));
    cr_expect(strstr(report, "waits for barrier \"phase\"") != NULL, "%s", report);
}

SYNC_TEST(barrier, a_try_arrives_only_as_the_last)
{
    struct call a, b;
    nido_barrier barrier;
    nido_scope scope;

    barrier_init(&barrier, 3, 0);
    nido_timeout_open(&scope, 0);
    call_make(group, &a, wait_at, &barrier);
    cr_expect(eq(int, nido_barrier_try_wait(&barrier), -EAGAIN), "two are missing");
    cr_expect(eq(int, nido_barrier_try_wait(&barrier), -EAGAIN), "it was not counted");
    call_make(group, &b, wait_at, &barrier);
    cr_expect(eq(int, nido_barrier_try_wait(&barrier), 1));
    cr_expect(eq(int, nido_barrier_try_wait(&barrier), -EAGAIN), "the next round");
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, b.rc, 0));
    cr_expect(eq(int, nido_barrier_abort(&barrier), 0));
    cr_expect(eq(int, nido_barrier_try_wait(&barrier), -EPIPE));
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
}

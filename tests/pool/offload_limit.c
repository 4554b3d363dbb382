/* SPDX-License-Identifier: MIT */
/* A limiter for a call: its place is held as long as the job runs, whoever waits for it. */
#include "pool_help.h"

static struct gate gate;
static struct dropped dropped;
static nido_limiter limiter;

static void set_up(uint32_t places)
{
    gate_open(&gate);
    dropped_init(&dropped);
    cr_expect(zero(int, nido_limiter_init(&limiter, places, "disk")));
}

/* No place is out any more. */
static void take_down(void)
{
    cr_expect(zero(int, nido_limiter_deinit(&limiter)));
    gate_close(&gate);
}

static struct work limited(nido_offload_options options)
{
    options.limiter = &limiter;
    return (struct work){.fn = pass, .arg = &gate, .options = options};
}

/* S316 */
INSIDE(offload_limit, jobs_under_a_limiter_of_one_never_overlap)
{
    enum { JOBS = 5 };
    struct work works[JOBS];
    nido_group group;

    set_up(1);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < JOBS; i++) {
        works[i] = limited(in_mode(NIDO_OFFLOAD_WAIT));
        work_begin(&group, &works[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        await_starts(&gate, 1);
        for (int turn = 0; turn < 10; turn++) nido_yield();
        cr_expect(eq(int, runs(&gate), i + 1), "the pool is free, the limiter is not");
        let_pass(&gate, 1);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < JOBS; i++) cr_expect(eq(int, works[i].order, i + 1), "in order of asking");
    take_down();
}

/* The first is abandoned while it runs; the second, in line for its place, is not. */
INSIDE(offload_limit, an_abandoned_job_holds_its_place_until_it_ends)
{
    struct work works[2];
    nido_group group;

    set_up(1);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < 2; i++) {
        works[i] = limited(abandoning(&dropped));
        work_begin(&group, &works[i]);
    }
    await_starts(&gate, 1);
    work_cancel(&works[0]);
    for (int i = 0; i < 10; i++) nido_yield();
    cr_expect(eq(int, works[0].result, -ECANCELED));
    cr_expect(eq(int, runs(&gate), 1));
    cr_expect(eq(int, nido_limiter_deinit(&limiter), -EBUSY));
    let_pass(&gate, 1);
    await_starts(&gate, 1);
    cr_expect(eq(int, drops(&dropped), 1), "the next begins after the first");
    let_pass(&gate, 1);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, works[1].result, 1));
    take_down();
}

/* The loop is held up until the abandoned job has gone home. */
INSIDE(offload_limit, a_place_comes_back_once_from_a_job_that_ends_before_its_caller_goes)
{
    struct work works[2];
    nido_group group;

    nidoi_pool_idle_ns = 0;
    threads_watch();
    set_up(1);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < 2; i++) {
        works[i] = limited(abandoning(&dropped));
        work_begin(&group, &works[i]);
    }
    await_starts(&gate, 1);
    work_cancel(&works[0]);
    let_pass(&gate, 1);
    sem_await(&threads.ended);
    await_starts(&gate, 1);
    cr_expect(eq(int, works[0].result, -ECANCELED));
    cr_expect(eq(int, nido_limiter_deinit(&limiter), -EBUSY), "the second has it");
    let_pass(&gate, 1);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    take_down();
    threads_forget();
}

INSIDE(offload_limit, who_is_cancelled_in_line_begins_nothing)
{
    struct work works[3];
    nido_group group;

    set_up(1);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < 3; i++) {
        works[i] = limited(i < 2 ? in_mode(NIDO_OFFLOAD_WAIT) : abandoning(&dropped));
        work_begin(&group, &works[i]);
    }
    await_starts(&gate, 1);
    work_cancel(&works[1]);
    work_cancel(&works[2]);
    let_pass(&gate, 1);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, runs(&gate), 1));
    for (int i = 1; i < 3; i++) {
        cr_expect(eq(int, works[i].result, -ECANCELED));
        cr_expect(not(works[i].ran));
    }
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, -ECANCELED));
    take_down();
}

/* The place is handed over, and then, before its new owner runs, comes the cancel. */
INSIDE(offload_limit, who_got_a_place_and_a_cancel_begins_nothing)
{
    nido_limiter_token token = {0};
    struct work work;
    nido_group group;

    threads_watch();
    set_up(1);
    work = limited(in_mode(NIDO_OFFLOAD_WAIT));
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    cr_expect(zero(int, nido_limiter_acquire(&limiter, &token)));
    work_begin(&group, &work);
    nido_yield();
    cr_expect(zero(int, nido_limiter_release(&limiter, &token)));
    work_cancel(&work);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, work.result, -ECANCELED));
    cr_expect(zero(int, threads.started), "not even a worker");
    take_down();
    threads_forget();
}

INSIDE(offload_limit, a_borrower_that_offloads_under_the_same_limiter_would_wait_for_itself)
{
    nido_limiter_token token = {0};
    nido_offload_options options = abandoning(&dropped);

    set_up(2);
    options.limiter = &limiter;
    cr_expect(zero(int, nido_limiter_acquire(&limiter, &token)));
    cr_expect(eq(int, (int)nido_offload_with(pass, &gate, &options), -EDEADLK));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, -EDEADLK));
    cr_expect(zero(int, nido_limiter_release(&limiter, &token)));
    take_down();
}

INSIDE(offload_limit, a_job_that_cannot_be_queued_gives_its_place_back)
{
    nido_offload_options options = in_mode(NIDO_OFFLOAD_WAIT);

    set_up(1);
    options.limiter = &limiter;
    faults_begin();
    faults_fail(FAULT_thread, 1, -EAGAIN);
    cr_expect(eq(int, (int)nido_offload_with(pass, &gate, &options), -EAGAIN));
    faults_end();
    take_down();
}

/* ---- Places and the end of the run ---- */

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* Stays until the run takes no calls any more. */
static ssize_t outstay(void *arg)
{
    struct gate *out = arg;

    if (write(out->out[1], "s", 1) != 1) return -EIO;
    while (nido_call_in_loop(nothing, NULL) != -ESHUTDOWN) sched_yield();
    return 1;
}

static int leave_one_behind(void *unused)
{
    struct work work = limited(abandoning(&dropped));
    nido_group group;

    (void)unused;
    work.fn = outstay;
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    await_starts(&gate, 1);
    work_cancel(&work);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    return 0;
}

NIDO_TEST(offload_limit, a_job_that_ends_while_the_run_does_gives_its_place_back)
{
    nido_options options = nido_test_virtual();

    options.pool_grace_ns = NIDO_SEC(100);
    set_up(1);
    cr_expect(zero(int, nido_run(leave_one_behind, NULL, &options)));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, 1));
    take_down();
}

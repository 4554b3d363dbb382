/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "faults.h"
#include "pool_help.h"

static struct gate gate;

static struct work interruptible(nido_job_fn *fn)
{
    return (struct work){.fn = fn, .arg = &gate, .options = in_mode(NIDO_OFFLOAD_INTERRUPT)};
}

static void run_and_cancel(struct work *work)
{
    nido_group group;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, work);
    await_starts(&gate, 1);
    work_cancel(work);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    gate_close(&gate);
}

/* S308 */
INSIDE(offload_interrupt, a_blocking_read_ends_after_the_cancel)
{
    struct work work = interruptible(pass);

    run_and_cancel(&work);
    cr_expect(eq(int, work.result, -EINTR), "what fn made of it");
    cr_expect(eq(int, work.next, -ECANCELED));
    cr_expect(work.ran);
}

enum { INTERRUPTIONS = 5, LEAST_MS = 25 }; /* one every 10 ms; the first may come late */

/* Gives up after some interruptions. */
static ssize_t stubborn(void *arg)
{
    int64_t first = 0;
    int interrupted = 0;

    while (interrupted < INTERRUPTIONS)
        if (pass(arg) == -EINTR && ++interrupted == 1) first = nidoi_sys_now();
    return nidoi_sys_now() - first < NIDO_MS(LEAST_MS) ? -EPROTO : interrupted;
}

INSIDE(offload_interrupt, one_that_goes_on_is_interrupted_again)
{
    struct work work = interruptible(stubborn);

    run_and_cancel(&work);
    cr_expect(eq(int, work.result, INTERRUPTIONS), "-EPROTO: without pauses");
}

/* Only who asked for it, and only once cancelled. */
INSIDE(offload_interrupt, nobody_else_is_interrupted)
{
    struct gate quiet;
    struct work works[3] = {{.fn = pass, .arg = &quiet},
                            {.fn = pass, .options = in_mode(NIDO_OFFLOAD_INTERRUPT), .arg = &quiet},
                            interruptible(stubborn)};
    nido_group group;

    gate_open(&gate);
    gate_open(&quiet);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < 3; i++) work_begin(&group, &works[i]);
    await_starts(&quiet, 2);
    await_starts(&gate, 1);
    work_cancel(&works[0]);
    work_cancel(&works[2]);
    while (works[2].result == UNDECIDED) nido_yield();
    let_many_pass(&quiet, 2);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, works[i].result, 1));
    gate_close(&gate);
    gate_close(&quiet);
}

/* A signal that came too late does not disturb the next job of the same worker. */
INSIDE_POOL(offload_interrupt, an_interruption_does_not_reach_the_next_job, 1)
{
    nido_group group;

    for (int i = 0; i < 20; i++) {
        struct work work = interruptible(pass), next = interruptible(pass);

        run_and_cancel(&work);
        cr_expect(eq(int, work.result, -EINTR));
        gate_open(&gate);
        nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
        work_begin(&group, &next);
        await_starts(&gate, 1);
        let_pass(&gate, 6);
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(int, next.result, 6));
        gate_close(&gate);
    }
}

static nido_scope scope;

static int expire(void *unused)
{
    (void)unused;
    return nido_scope_move(&scope, nido_now());
}

static ssize_t expire_and_read(void *arg)
{
    return nido_call_in_loop(expire, NULL) ? -EIO : pass(arg);
}

INSIDE(offload_interrupt, a_deadline_interrupts_too)
{
    nido_offload_options options = in_mode(NIDO_OFFLOAD_INTERRUPT);

    gate_open(&gate);
    nido_scope_open(&scope);
    cr_expect(eq(int, (int)nido_offload_with(expire_and_read, &gate, &options), -EINTR));
    cr_expect(eq(int, nido_scope_close(&scope, nido_check()), -ETIMEDOUT));
    gate_close(&gate);
}

/* ---- Whose is the signal? ---- */

static void programs_own(int signal)
{
    (void)signal;
}

static void handle(void (*handler)(int))
{
    cr_assert(zero(int, sigaction(SIGURG, &(struct sigaction){.sa_handler = handler}, NULL)));
}

static bool handled_by(void (*handler)(int))
{
    struct sigaction now;

    cr_assert(zero(int, sigaction(SIGURG, NULL, &now)));
    return now.sa_handler == handler;
}

static ssize_t nothing(void *unused)
{
    (void)unused;
    return 0;
}

static int offload_interruptibly(void)
{
    nido_offload_options options = in_mode(NIDO_OFFLOAD_INTERRUPT);

    return (int)nido_offload_with(nothing, NULL, &options);
}

static int take_it(void *handler)
{
    cr_expect(zero(int, offload_interruptibly()));
    cr_expect(not(handled_by(*(void (**)(int))handler)), "it is ours now");
    return 0;
}

NIDO_TEST(offload_interrupt, the_signal_is_as_before_after_the_run)
{
    void (*before[])(int) = {SIG_DFL, SIG_IGN};

    for (int i = 0; i < 2; i++) {
        handle(before[i]);
        cr_expect(zero(int, nido_test_run(take_it, &before[i])));
        cr_expect(handled_by(before[i]));
    }
}

/* A worker is there already; the thread that sends the signals cannot be started. */
static int take_it_in_vain(void *handler)
{
    cr_expect(zero(int, (int)nido_offload(nothing, NULL)));
    faults_begin();
    faults_fail(FAULT_thread, 1, -EAGAIN);
    cr_expect(eq(int, offload_interruptibly(), -EAGAIN));
    faults_end();
    cr_expect(handled_by(*(void (**)(int))handler), "it is given back at once");
    return take_it(handler);
}

NIDO_TEST(offload_interrupt, the_signal_is_given_back_if_its_thread_cannot_start)
{
    void (*before)(int) = SIG_IGN;

    handle(before);
    cr_expect(zero(int, nido_test_run(take_it_in_vain, &before)));
    cr_expect(handled_by(before));
}

static int be_refused(void *unused)
{
    (void)unused;
    cr_expect(eq(int, offload_interruptibly(), -EBUSY));
    cr_expect(eq(int, (int)nido_offload(nothing, NULL), 0), "the other modes need no signal");
    return 0;
}

NIDO_TEST(offload_interrupt, a_program_that_handles_the_signal_keeps_it)
{
    handle(programs_own);
    cr_expect(zero(int, nido_test_run(be_refused, NULL)));
    cr_expect(handled_by(programs_own));
}

static int handle_it_later(void *unused)
{
    (void)unused;
    cr_expect(zero(int, offload_interruptibly()));
    handle(programs_own);
    cr_expect(eq(int, offload_interruptibly(), -EBUSY));
    return 0;
}

NIDO_TEST(offload_interrupt, a_handler_set_during_the_run_is_neither_used_nor_replaced)
{
    cr_expect(zero(int, nido_test_run(handle_it_later, NULL)));
    cr_expect(handled_by(programs_own));
}

/* Two runs have it at the same time; the one that ends first leaves it to the other. */
static int other_run(void *unused)
{
    (void)unused;
    return offload_interruptibly();
}

static void *run_other(void *rc)
{
    *(int *)rc = nido_run(other_run, NULL, NULL);
    return NULL;
}

INSIDE(offload_interrupt, several_runs_share_the_signal)
{
    pthread_t thread;
    int rc = 1;

    cr_expect(zero(int, offload_interruptibly()));
    cr_expect(zero(int, pthread_create(&thread, NULL, run_other, &rc)));
    cr_expect(zero(int, pthread_join(thread, NULL)));
    cr_expect(zero(int, rc));
    cr_expect(not(handled_by(SIG_DFL)));
    {
        struct work work = interruptible(pass);

        run_and_cancel(&work);
        cr_expect(eq(int, work.result, -EINTR), "it works still");
    }
}

INSIDE(offload_interrupt, without_its_thread_the_signal_is_given_back)
{
    faults_begin();
    faults_fail(FAULT_thread, 1, -EAGAIN);
    cr_expect(eq(int, offload_interruptibly(), -EAGAIN));
    faults_end();
    cr_expect(handled_by(SIG_DFL));
    cr_expect(zero(int, offload_interruptibly()), "once there is one, it works");
}

/* SPDX-License-Identifier: MIT */
/* Threads that cannot be started, memory that is not there. */
#include "pool_help.h"

static struct gate gate;
static struct dropped dropped;

static ssize_t count(void *arg)
{
    return __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
}

/* S314 */
INSIDE(offload_faults, without_a_first_worker_nothing_runs)
{
    nido_offload_options options;
    bool ran = true;
    int n = 0;

    dropped_init(&dropped);
    options = abandoning(&dropped);
    options.ran = &ran;
    faults_begin();
    faults_fail(FAULT_thread, FAULT_ALWAYS, -EAGAIN);
    cr_expect(eq(int, (int)nido_offload(count, &n), -EAGAIN));
    cr_expect(eq(int, (int)nido_offload_with(count, &n, &options), -EAGAIN));
    cr_expect(not(ran));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, -EAGAIN));
    faults_forget(FAULT_thread);
    cr_expect(eq(int, (int)nido_offload(count, &n), 1), "the next attempt may succeed");
    faults_end();
    cr_expect(zero(int, nido_yield()));
}

/* S314 */
INSIDE(offload_faults, one_worker_does_it_if_no_other_can_be_started)
{
    enum { JOBS = 20 };
    struct work works[JOBS];
    nido_group group;
    int n = 0;

    faults_begin();
    cr_expect(eq(int, (int)nido_offload(count, &n), 1));
    faults_fail(FAULT_thread, FAULT_ALWAYS, -EAGAIN);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < JOBS; i++) {
        works[i] = (struct work){.fn = count, .arg = &n};
        work_begin(&group, &works[i]);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, n, JOBS + 1));
    for (int i = 0; i < JOBS; i++) cr_expect(gt(int, works[i].result, 0));
    faults_end();
}

/* Which fails is found by letting each fail in turn until none does. */
static void sweep(enum fault kind, int code, const nido_offload_options *options)
{
    int failed = 0, n = 0;

    dropped_init(&dropped);
    for (int rc = -1; rc < 0; failed++) {
        faults_fail(kind, (unsigned)failed + 1, code);
        rc = (int)nido_offload_with(count, &n, options);
        faults_forget(kind);
        if (rc >= 0) break;
        cr_expect(rc == -ENOMEM || rc == -EAGAIN, "it is %d", rc);
        cr_expect(zero(int, n), "then fn was not called");
    }
    cr_expect(gt(int, failed, 0));
    cr_expect(eq(int, n, 1));
    cr_expect(eq(int, drops(&dropped), options && options->drop ? failed : 0));
}

static enum nido_offload_mode mode;

static int sweep_memory(void *unused)
{
    nido_offload_options options =
        mode == NIDO_OFFLOAD_ABANDON ? abandoning(&dropped) : in_mode(mode);

    (void)unused;
    faults_begin();
    sweep(FAULT_memory, 0, &options);
    faults_end();
    return 0;
}

NIDO_TEST(offload_faults, every_allocation_may_fail)
{
    for (mode = NIDO_OFFLOAD_WAIT; mode <= NIDO_OFFLOAD_INTERRUPT; mode++)
        cr_expect(zero(int, nido_test_run(sweep_memory, NULL)));
}

INSIDE(offload_faults, every_thread_of_an_interruptible_job_may_fail)
{
    nido_offload_options options = in_mode(NIDO_OFFLOAD_INTERRUPT);

    faults_begin();
    sweep(FAULT_thread, -EAGAIN, &options);
    cr_expect(eq(ulong, faults_count(FAULT_thread), 4), "one, one and another, the other again");
    faults_end();
}

/* The job is queued, nobody more can be started, and the worker is held by another. */
INSIDE(offload_faults, a_queued_job_waits_for_the_only_worker)
{
    struct work holder = {.fn = pass, .arg = &gate}, work = {.fn = pass, .arg = &gate};
    nido_group group;

    gate_open(&gate);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &holder);
    await_starts(&gate, 1);
    faults_begin();
    faults_fail(FAULT_thread, FAULT_ALWAYS, -EAGAIN);
    work_begin(&group, &work);
    for (int i = 0; i < 10; i++) nido_yield();
    cr_expect(eq(int, work.result, UNDECIDED));
    let_many_pass(&gate, 2);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, work.result, 1));
    faults_end();
    gate_close(&gate);
}

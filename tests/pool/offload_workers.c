/* SPDX-License-Identifier: MIT */
/* How many workers there are, when they come and go, and how often anybody is woken. */
#include "pool_help.h"

enum { JOBS = 64 };

static struct work works[JOBS];
static int done; /* atomic */

static ssize_t count(void *unused)
{
    (void)unused;
    return __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static void begin_many(nido_group *group, ssize_t (*job)(void *))
{
    nido_group_open(group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < JOBS; i++) {
        works[i] = (struct work){.fn = job};
        work_begin(group, &works[i]);
    }
}

INSIDE(offload_workers, one_job_after_the_other_needs_one_worker)
{
    threads_watch();
    for (int i = 0; i < 100; i++) cr_expect(gt(int, (int)nido_offload(count, NULL), 0));
    threads_forget();
    cr_expect(eq(int, threads.started, 1));
}

static int all_in_line; /* atomic */

/* So the first worker is done with none before all are in line, and does not fall idle between. */
static ssize_t count_when_all_are_in_line(void *unused)
{
    while (!__atomic_load_n(&all_in_line, __ATOMIC_SEQ_CST)) sched_yield();
    return count(unused);
}

/* The second worker is held up on its way. */
INSIDE(offload_workers, while_one_is_on_its_way_nobody_else_is_called)
{
    nido_group group;

    threads_watch();
    threads.hold = 2;
    begin_many(&group, count_when_all_are_in_line);
    nido_yield();
    __atomic_store_n(&all_in_line, 1, __ATOMIC_SEQ_CST);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, done, JOBS), "the first does the work");
    cr_expect(eq(int, threads.started, 2));
    sem_post(&threads.go);
    cr_expect(gt(int, (int)nido_offload(count, NULL), 0));
    threads_forget();
}

/* A job that returns when as many run at the same time. */
static sem_t met;
static int wanted, met_count;

static ssize_t meet(void *unused)
{
    (void)unused;
    if (__atomic_add_fetch(&met_count, 1, __ATOMIC_SEQ_CST) == wanted)
        for (int i = 0; i < wanted; i++) sem_post(&met);
    return sem_wait(&met);
}

INSIDE(offload_workers, every_job_that_waits_gets_a_worker_while_there_may_be_more)
{
    nido_group group;

    sem_init(&met, 0, 0);
    wanted = JOBS;
    threads_watch();
    for (int round = 0; round < 2; round++) { /* started in the first, woken in the second */
        met_count = 0;
        nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
        for (int i = 0; i < JOBS; i++) {
            works[i] = (struct work){.fn = meet};
            work_begin(&group, &works[i]);
        }
        cr_expect(zero(int, nido_group_close(&group, 0)));
    }
    threads_forget();
    cr_expect(eq(int, threads.started, JOBS));
}

/* S302: nobody rings while the loop is awake. */
INSIDE(offload_workers, ends_of_a_busy_moment_come_in_one_batch)
{
    nido_group group;

    faults_begin();
    begin_many(&group, count);
    nido_yield();
    while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < JOBS) sched_yield();
    cr_expect(zero(ulong, faults_count(FAULT_eventfd_write)), "the loop is busy");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(le(ulong, faults_count(FAULT_eventfd_write), 2),
              "and is woken once or so, not 64 times");
    cr_expect(le(ulong, faults_count(FAULT_backend_wait), 4));
    faults_end();
}

INSIDE(offload_workers, idle_workers_leave_and_others_come)
{
    nidoi_pool_idle_ns = 0;
    threads_watch();
    for (int i = 0; i < 20; i++) {
        cr_expect(gt(int, (int)nido_offload(count, NULL), 0));
        sem_await(&threads.ended);
    }
    threads_forget();
    cr_expect(eq(int, threads.started, 20));
}

/* ---- Spinning ---- */

static int offload_some(void *unused)
{
    nido_group group;

    (void)unused;
    for (int i = 0; i < 100; i++) cr_expect(gt(int, (int)nido_offload(count, NULL), 0));
    begin_many(&group, count);
    return nido_group_close(&group, 0);
}

/* A worker that never stops looking for work does so when the run is over. */
NIDO_TEST(offload_workers, both_sides_may_spin_and_yet_the_run_ends)
{
    const int64_t spins[] = {1, NIDO_US(20), NIDO_NEVER};

    for (int i = 0; i < 3; i++) {
        nido_options options;

        nido_options_init(&options);
        options.spin_ns = spins[i];
        faults_begin();
        cr_expect(zero(int, nido_run(offload_some, NULL, &options)));
        if (spins[i] == NIDO_NEVER)
            cr_expect(zero(ulong, faults_count(FAULT_eventfd_write)),
                      "nobody sleeps, nobody is woken");
        faults_end();
    }
}

static ssize_t unblocked_signals(void *unused)
{
    sigset_t blocked;
    int open = 0;

    (void)unused;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP) open += !sigismember(&blocked, number);
    return open;
}

INSIDE(offload_workers, the_programs_handlers_run_on_no_worker)
{
    cr_expect(eq(int, (int)nido_offload(unblocked_signals, NULL), 0));
}

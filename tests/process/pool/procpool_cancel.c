/* SPDX-License-Identifier: MIT */
/* Cancelled calls, and the end of pools. */
#include "procpool_help.h"

#include <sched.h>

#include "faults.h"

static void term(int signal)
{
    (void)signal;
    if (write(STDERR_FILENO, " term", 5) != 5) _exit(1);
    _exit(0);
}

static int polite_job(nido_procjob *job)
{
    signal(SIGTERM, term);
    return hang_job(job);
}

static int run_past_the_deadline(void *unused)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct asker asker;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &asker, pool, polite_job);
    cr_expect(zero(int, nido_event_wait(&heard.ready)));
    cr_expect(zero(int, nido_scope_move(&asker.scope, nido_now() - 1)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, asker.rc, -ECANCELED));
    cr_expect(eq(int, asker.closed, -ETIMEDOUT));
    cr_expect(eq(str, heard.text, "ready term"), "SIGTERM came first, and was enough");
    cr_expect(zero(u32, stats_of(pool).workers));
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).stopped, 1));
    pool_end(pool);
    return 0;
}

/* S322: by the real clock, for the worker needs real time to end. */
NIDO_TEST(procpool_cancel, a_job_past_its_deadline_is_ended_and_the_next_one_works)
{
    cr_expect(zero(int, nido_run(run_past_the_deadline, NULL, NULL)));
}

/* Its deadline passes when it says that it runs. */
static int late_while(struct heard *heard, nido_procpool *pool, nido_procjob_fn *fn, int *pid)
{
    struct asker asker;
    nido_group group;

    *pid = ask_number(pool, pid_job);
    nido_event_reset(&heard->ready);
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &asker, pool, fn);
    nido_event_wait(&heard->ready);
    nido_scope_move(&asker.scope, nido_now() - 1);
    nido_group_close(&group, 0);
    return asker.closed;
}

/* S322 */
INSIDE(procpool_cancel, one_that_ignores_sigterm_is_killed_after_the_grace)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    int64_t before = nido_now();
    int pid;

    cr_expect(eq(int, late_while(&heard, pool, deaf_job, &pid), -ETIMEDOUT));
    cr_expect(ge(i64, nido_now() - before, NIDO_SEC(5)), "the whole grace");
    cr_expect(process_is_over(pid));
    expect_works(pool);
    pool_end(pool);
}

INSIDE(procpool_cancel, an_option_kills_at_once)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool *pool;
    int pid;

    options.kill_at_once = true;
    pool = pool_with(&options);
    cr_expect(eq(int, late_while(&heard, pool, polite_job, &pid), -ETIMEDOUT));
    cr_expect(eq(str, heard.text, "ready"), "no SIGTERM");
    cr_expect(process_is_over(pid));
    pool_end(pool);
}

INSIDE(procpool_cancel, a_call_in_line_leaves_it_and_disturbs_nobody)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct asker first, second, third;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &first, pool, polite_job);
    asker_begin(&group, &second, pool, echo_job);
    asker_begin(&group, &third, pool, echo_job);
    nido_event_wait(&heard.ready);
    while (stats_of(pool).queued < 2) nido_yield();
    cr_expect(eq(u32, stats_of(pool).running, 1));
    nido_scope_cancel(&second.scope, 0, "test");
    while (second.rc == 12345) nido_yield();
    cr_expect(eq(int, second.rc, -ECANCELED));
    cr_expect(zero(i32, second.result.pid));
    cr_expect(eq(int, first.rc, 12345), "it still runs");
    nido_scope_cancel(&first.scope, 0, "test");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, third.rc, 7));
    cr_expect(eq(u64, stats_of(pool).answered, 1));
    pool_end(pool);
}

/* Until SIGUSR1 comes. */
static int held_job(nido_procjob *job)
{
    sigset_t set;
    int number;

    (void)job;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fputs("ready", stderr);
    return sigwait(&set, &number);
}

/* S323 */
INSIDE(procpool_cancel, a_reply_that_came_before_the_cancel_counts)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct pollfd reply = {.events = POLLIN};
    struct asker asker;
    nido_group group;
    int pid;

    expect_works(pool);
    reply.fd = idle_worker(pool)->job_fd;
    pid = idle_worker(pool)->pid;
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &asker, pool, held_job);
    nido_event_wait(&heard.ready);
    kill(pid, SIGUSR1);
    cr_expect(eq(int, poll(&reply, 1, 20000), 1)); /* nobody has told the loop */
    nido_scope_cancel(&asker.scope, -EIO, "test");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, asker.rc));
    cr_expect(zero(int, asker.closed));
    cr_expect(zero(u64, stats_of(pool).stopped));
    cr_expect(eq(u64, stats_of(pool).started, 1));
    pool_end(pool);
}

INSIDE(procpool_cancel, a_worker_that_was_not_waited_for_serves_the_next_call)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard), *other = pool_of_one(&heard);
    int server = ask_number(other, server_job);
    struct asker asker;
    nido_group group;

    stop_process(server);
    faults_begin();
    faults_fail(FAULT_kill, FAULT_ALWAYS, 0); /* an order would continue it */
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &asker, pool, echo_job);
    while (!stats_of(pool).started) nido_yield();
    nido_scope_cancel(&asker.scope, 0, "test");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, asker.rc, -ECANCELED));
    faults_end();
    kill(server, SIGCONT);
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).started, 1));
    pool_end(pool);
    pool_end(other);
}

static int slow_job(nido_procjob *job)
{
    fputs("ready", stderr);
    nido_procjob_reply(job, "done", 4);
    return 0;
}

static int freer(void *pool)
{
    return nido_procpool_free(pool);
}

/* S329 */
INSIDE(procpool_cancel, the_end_of_a_pool_waits_for_its_calls_and_leaves_no_process)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    int pid = ask_number(pool, pid_job);
    struct asker first, second;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &first, pool, held_job);
    asker_begin(&group, &second, pool, echo_job);
    nido_event_wait(&heard.ready);
    while (!stats_of(pool).queued) nido_yield();
    begin(&group, freer, pool);
    while (!pool->closing) nido_yield();
    cr_expect(eq(int, ask(pool, echo_job), -ESHUTDOWN), "no new ones");
    cr_expect(eq(int, nido_procpool_free(pool), -EALREADY));
    kill(pid, SIGUSR1);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, first.rc));
    cr_expect(eq(int, second.rc, 7), "those in line had been accepted");
    cr_expect(process_is_over(pid));
}

/* S329 */
INSIDE(procpool_cancel, the_end_of_a_pool_cancels_its_calls_if_that_is_wanted)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    struct asker first, second;
    nido_procpool *pool;
    nido_group group;

    options.cancel_on_free = true;
    pool = pool_with(&options);
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &first, pool, deaf_job);
    asker_begin(&group, &second, pool, echo_job);
    nido_event_wait(&heard.ready);
    while (!stats_of(pool).queued) nido_yield();
    pool_end(pool);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, first.closed, -ESHUTDOWN));
    cr_expect(eq(int, second.closed, -ESHUTDOWN));
}

INSIDE(procpool_cancel, a_cancelled_end_cancels_the_calls)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct asker asker;
    nido_group group;
    nido_scope scope;

    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &asker, pool, polite_job);
    nido_event_wait(&heard.ready);
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, "test");
    pool_end(pool);
    nido_scope_close(&scope, 0);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, asker.rc, -ESHUTDOWN));
}

static int free_too_late(void *arg)
{
    struct heard *heard = arg;
    nido_procpool *pool = pool_of_one(heard);
    struct asker asker;
    nido_group group;
    nido_scope scope;

    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &asker, pool, deaf_job);
    nido_event_wait(&heard->ready);
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, "test");
    cr_expect(eq(int, nido_procpool_free(pool), -EBUSY));
    nido_scope_close(&scope, 0);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, asker.rc, -ESHUTDOWN));
    return 0;
}

NIDO_TEST(procpool_cancel, past_the_grace_of_the_run_the_last_call_ends_the_pool)
{
    nido_options options = nido_test_virtual();
    struct heard heard;

    options.grace_ns = 1;
    cr_expect(zero(int, nido_run(free_too_late, &heard, &options)));
}

static void sleep_in_callback(void *ctx, const char *bytes, size_t len)
{
    (void)bytes, (void)len;
    *(int *)ctx = nido_sleep(0);
}

INSIDE(procpool_cancel, idle_workers_are_told_to_go_and_killed_if_they_do_not)
{
    int seen = 0;
    nido_procpool_options options;
    nido_procpool *pool;

    nido_procpool_options_init(&options);
    options.on_stderr = sleep_in_callback;
    options.ctx = &seen;
    pool = pool_with(&options);
    cr_expect(zero(int, ask(pool, slow_job)));
    cr_expect(eq(int, seen, -EDEADLK));
    kill(idle_worker(pool)->pid, SIGSTOP);
    pool_end(pool);
}

/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
/* The numbers of a runtime and of the process. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "coro/run/stats.h"
#include "inside_help.h"

static nido_stats numbers(int (*get)(nido_stats *out))
{
    nido_stats stats;

    nido_stats_init(&stats);
    cr_expect(zero(int, get(&stats)));
    return stats;
}

static int sleeps(void *ns)
{
    return nido_sleep(*(int64_t *)ns);
}

INSIDE(stats, tasks_are_counted_while_they_live_and_ever)
{
    int64_t second = NIDO_SEC(1);
    nido_stats before = numbers(nido_stats_get), now;
    nido_group group;

    cr_expect(eq(u64, before.runtimes, 1));
    cr_expect(eq(u64, before.tasks_live, 1));
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 100; i++) begin(&group, sleeps, &second);
    now = numbers(nido_stats_get);
    cr_expect(eq(u64, now.tasks_spawned - before.tasks_spawned, 100));
    cr_expect(eq(u64, now.tasks_live, 101));
    cr_expect(eq(u64, now.tasks_ready, 100));
    cr_expect(ge(u64, now.tasks_most, 101));
    cr_expect(eq(u64, now.stacks, 101));
    cr_expect(ge(u64, now.stack_bytes, 101 * (192u << 10)));
    cr_expect(zero(int, nido_yield()));
    now = numbers(nido_stats_get);
    cr_expect(eq(u64, now.timers, 100));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_sleep(1)));
    now = numbers(nido_stats_get);
    cr_expect(eq(u64, now.tasks_live, 1));
    cr_expect(eq(u64, now.timers, 0));
    cr_expect(ge(u64, now.resumes - before.resumes, 200));
    cr_expect(gt(u64, now.turns, before.turns));
}

/* Two tasks that yield to each other: each resume counts, with a probe and without. */
static int yields(void *times)
{
    for (int i = 0; i < *(int *)times; i++)
        if (nido_yield()) return -1;
    return 0;
}

static uint64_t resumes_of_yields(int times)
{
    uint64_t before = numbers(nido_stats_get).resumes;
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    begin(&group, yields, &times);
    begin(&group, yields, &times);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, nido_sleep(1)));
    return numbers(nido_stats_get).resumes - before;
}

INSIDE(stats, every_resume_is_counted)
{
    uint64_t fast = resumes_of_yields(1000), seen;

    cr_expect(ge(u64, fast, 2000));
    cr_expect(le(u64, fast, 2010));
    cr_expect(zero(int, nido_trace_start(NULL)));
    seen = resumes_of_yields(1000);
    cr_expect(ge(u64, seen, 2000));
    cr_expect(le(u64, seen, 2010));
}

static ssize_t job(void *unused)
{
    (void)unused;
    return 0;
}

INSIDE(stats, cancels_jobs_and_waits_are_counted)
{
    nido_stats before = numbers(nido_stats_get), now;
    nido_scope scope;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    nido_scope_close(&scope, 0);
    cr_expect(zero(i64, nido_offload(job, NULL)));
    now = numbers(nido_stats_get);
    cr_expect(eq(u64, now.cancels - before.cancels, 1));
    cr_expect(eq(u64, now.jobs - before.jobs, 1));
    cr_expect(zero(u64, now.jobs_out));
    cr_expect(gt(u64, now.polls, before.polls));
}

/* ---- The process ---- */

static int waits_for_the_pipe(void *ends)
{
    char byte;

    return (int)nido_read(((int *)ends)[0], &byte, 1);
}

static void *other_thread(void *ends)
{
    nido_run(waits_for_the_pipe, ends, NULL);
    return NULL;
}

static int sees_both(void *ends)
{
    nido_stats sum = numbers(nido_stats_process);

    for (int i = 0; i < 10000 && (sum.runtimes < 2 || sum.fd_waits < 1); i++) {
        cr_expect(zero(int, nido_sleep(NIDO_MS(1))));
        sum = numbers(nido_stats_process);
    }
    cr_expect(eq(u64, sum.runtimes, 2));
    cr_expect(eq(u64, sum.tasks_live, 2));
    cr_expect(eq(u64, sum.fd_waits, 1));
    cr_expect(eq(i64, write(((int *)ends)[1], "x", 1), 1));
    return 0;
}

NIDO_TEST(stats, the_process_is_the_sum_of_its_runtimes)
{
    pthread_t thread;
    nido_stats before = numbers(nido_stats_process), after;
    int ends[2];

    cr_assert(zero(int, pipe(ends)));
    cr_assert(zero(int, pthread_create(&thread, NULL, other_thread, ends)));
    cr_expect(zero(int, nido_run(sees_both, ends, NULL)));
    pthread_join(thread, NULL);
    after = numbers(nido_stats_process);
    cr_expect(zero(u64, after.runtimes));
    cr_expect(zero(u64, after.tasks_live));
    cr_expect(eq(u64, after.tasks_spawned - before.tasks_spawned, 2));
    close(ends[0]);
    close(ends[1]);
}

static void *asks(void *out)
{
    *(nido_stats *)out = numbers(nido_stats_process);
    return NULL;
}

static uint64_t spawned_as_others_see_it(void)
{
    pthread_t thread;
    nido_stats seen;

    cr_assert(zero(int, pthread_create(&thread, NULL, asks, &seen)));
    pthread_join(thread, NULL);
    return seen.tasks_spawned;
}

/* Between the moment in which its numbers are kept and that in which it leaves the list. */
INSIDE(stats, a_run_that_ends_counts_once)
{
    uint64_t before;

    numbers(nido_stats_process); /* tells */
    before = spawned_as_others_see_it();
    nidoi_stats_run_over(nidoi_loop_self());
    cr_expect(eq(u64, spawned_as_others_see_it(), before));
}

/* ---- Other sizes ---- */

INSIDE(stats, a_program_of_another_version_gets_what_it_knows)
{
    struct {
        nido_stats stats;
        uint64_t newer[2];
    } large;
    nido_stats small;

    memset(&large, 0xff, sizeof large);
    large.stats.size = sizeof large;
    cr_expect(zero(int, nido_stats_get(&large.stats)));
    cr_expect(eq(u64, large.stats.tasks_live, 1));
    cr_expect(zero(u64, large.newer[0] | large.newer[1]));
    memset(&small, 0xff, sizeof small);
    small.size = offsetof(nido_stats, tasks_ready);
    cr_expect(zero(int, nido_stats_get(&small)));
    cr_expect(eq(u64, small.tasks_live, 1));
    cr_expect(eq(u64, small.tasks_ready, UINT64_MAX));
}

NIDO_TEST(stats, what_makes_no_sense_is_refused)
{
    nido_stats stats;

    nido_stats_init(&stats);
    cr_expect(eq(int, nido_stats_get(NULL), -EPERM));
    cr_expect(eq(int, nido_stats_get(&stats), -EPERM));
    cr_expect(eq(int, nido_stats_process(NULL), -EINVAL));
    stats.size = 3;
    cr_expect(eq(int, nido_stats_process(&stats), -EINVAL));
}

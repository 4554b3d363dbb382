/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "pool_help.h"

static struct gate gate;
static struct dropped dropped;

static void set_up(void)
{
    gate_open(&gate);
    dropped_init(&dropped);
}

/* A job in a task, running and abandoned. */
static void abandon(nido_group *group, struct work *work)
{
    work_begin(group, work);
    await_starts(&gate, 1);
    work_cancel(work);
    nido_yield();
    cr_expect(eq(int, work->result, -ECANCELED), "at once");
    cr_expect(work->ran);
}

INSIDE(offload_abandon, the_caller_goes_at_once_and_the_worker_drops)
{
    struct work work = {.fn = pass, .arg = &gate, .options = abandoning(&dropped)};
    nido_group group;

    set_up();
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    abandon(&group, &work);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(zero(int, drops(&dropped)), "the job has not ended");
    let_pass(&gate, 9);
    sem_await(&dropped.over);
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, 9), "what fn returned");
    cr_expect(eq(ptr, dropped.arg, &gate));
    cr_expect(not(dropped_here(&dropped)));
    gate_close(&gate);
}

static ssize_t give(void *result)
{
    return *(ssize_t *)result;
}

INSIDE(offload_abandon, a_result_gives_the_argument_back_and_a_failure_drops_it)
{
    ssize_t result = (ssize_t)1 << 40;

    dropped_init(&dropped);
    cr_expect(eq(llong, nido_offload_abandon(give, &result, note_drop, &dropped), result));
    result = 0;
    cr_expect(zero(llong, nido_offload_abandon(give, &result, note_drop, &dropped)));
    cr_expect(zero(int, drops(&dropped)));
    result = -EIO;
    cr_expect(eq(llong, nido_offload_abandon(give, &result, note_drop, &dropped), -EIO));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, dropped.result, -EIO));
    cr_expect(dropped_here(&dropped), "nobody else will");
}

static ssize_t pass_and_give_much(void *arg)
{
    return pass(arg) < 0 ? -EIO : (ssize_t)1 << 40;
}

INSIDE(offload_abandon, a_result_too_large_for_a_drop_is_cut)
{
    struct work work = {.fn = pass_and_give_much, .arg = &gate, .options = abandoning(&dropped)};
    nido_group group;

    set_up();
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    abandon(&group, &work);
    let_pass(&gate, 1);
    sem_await(&dropped.over);
    cr_expect(eq(int, dropped.result, INT_MAX));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    gate_close(&gate);
}

/* The loop is held up until the worker has gone home. */
INSIDE(offload_abandon, a_worker_may_be_done_before_its_caller_runs_again)
{
    struct work work = {.fn = pass, .arg = &gate, .options = abandoning(&dropped)};
    nido_group group;

    nidoi_pool_idle_ns = 0;
    threads_watch();
    set_up();
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    work_begin(&group, &work);
    await_starts(&gate, 1);
    work_cancel(&work);
    let_pass(&gate, 4);
    sem_await(&threads.ended);
    cr_expect(eq(int, work.result, UNDECIDED));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, work.result, -ECANCELED));
    cr_expect(eq(int, drops(&dropped), 1));
    gate_close(&gate);
    threads_forget();
}

/* S307 */
INSIDE_POOL(offload_abandon, abandoned_jobs_keep_their_workers_until_they_end, 2)
{
    struct work old[2] = {{.fn = pass, .arg = &gate, .options = abandoning(&dropped)},
                          {.fn = pass, .arg = &gate, .options = abandoning(&dropped)}};
    struct gate second;
    struct work late = {.fn = pass, .arg = &second};
    nido_group group;

    set_up();
    gate_open(&second);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < 2; i++) abandon(&group, &old[i]);
    work_begin(&group, &late);
    for (int i = 0; i < 10; i++) nido_yield();
    cr_expect(zero(int, runs(&second)), "both workers are taken");
    let_pass(&gate, 1);
    await_starts(&second, 1);
    let_pass(&second, 5);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, late.result, 5));
    let_pass(&gate, 1);
    for (int i = 0; i < 2; i++) sem_await(&dropped.over);
    cr_expect(eq(int, drops(&dropped), 2));
    gate_close(&gate);
    gate_close(&second);
}

static int slept;

static void drop_and_sleep(void *ctx, void *arg, int result)
{
    slept = nido_sleep(1);
    note_drop(ctx, arg, result);
}

INSIDE(offload_abandon, a_drop_must_not_wait)
{
    struct work work = {.fn = pass, .arg = &gate, .options = abandoning(&dropped)};
    ssize_t result = -EIO;
    nido_group group;

    set_up();
    nido_offload_abandon(give, &result, drop_and_sleep, &dropped);
    cr_expect(eq(int, slept, -EDEADLK), "here");
    work.options.drop = drop_and_sleep;
    sem_await(&dropped.over);
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    abandon(&group, &work);
    let_pass(&gate, 1);
    sem_await(&dropped.over);
    cr_expect(eq(int, slept, -EPERM), "on the worker");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    gate_close(&gate);
}

/* The hour may pass only after the abandoned job. */
INSIDE(offload_abandon, the_virtual_clock_stands_while_an_abandoned_job_is_out)
{
    struct work work = {.fn = pass, .arg = &gate, .options = abandoning(&dropped)};
    nido_group group;

    set_up();
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    abandon(&group, &work);
    open_when_asleep(&gate);
    cr_expect(zero(int, nido_sleep(NIDO_SEC(3600))));
    open_no_more();
    cr_expect(eq(int, sleeper_hook.sleeps, 1));
    cr_expect(eq(int, drops(&dropped), 1));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    gate_close(&gate);
}

/* Many at once, each dropped once. */
INSIDE(offload_abandon, everything_is_dropped_once)
{
    enum { MANY = 40 };
    struct work works[MANY];
    nido_group group;

    set_up();
    nido_group_open(&group, NIDO_WAIT_ALL, "jobs");
    for (int i = 0; i < MANY; i++) {
        works[i] = (struct work){.fn = pass, .arg = &gate, .options = abandoning(&dropped)};
        work_begin(&group, &works[i]);
    }
    await_starts(&gate, MANY);
    nido_group_cancel(&group, 0, "enough");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    let_many_pass(&gate, MANY);
    for (int i = 0; i < MANY; i++) sem_await(&dropped.over);
    cr_expect(eq(int, drops(&dropped), MANY));
    gate_close(&gate);
}

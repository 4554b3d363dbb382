/* SPDX-License-Identifier: MIT */
#include "coro/task/probe.h"

#include "base/random.h"
#include "coro/task/measure.h"
#include "coro/task/switch.h"
#include "coro/task/trace.h"

_Thread_local struct nidoi_watching nidoi_watching;

void nidoi_probe_set(struct nidoi_sched *sched, struct nidoi_probe *probe)
{
    probe->watcher = nidoi_watching.watcher;
    probe->ctx = nidoi_watching.ctx;
    probe->more = probe->watcher || probe->left || sched->measure;
    probe->direct = sched->trace && !probe->more && !probe->shuffled;
    sched->probe = probe->more || probe->shuffled || sched->trace ? probe : NULL;
    sched->allowance = probe->watcher ? 1 : NIDOI_BUDGET;
    sched->batch = 0;
    sched->budget = sched->no_parking || !nidoi_on_task(sched) ? 1 : sched->allowance;
}

/* R. Durstenfeld, "Algorithm 235: Random permutation", 1964. */
static void ready_shuffle(struct nidoi_sched *sched, struct nidoi_probe *probe)
{
    probe->round = nidoi_sched_ready(sched);
    for (uint32_t left = probe->round; left > 1; left--) {
        uint32_t drawn = (uint32_t)(nidoi_random(&probe->random) % left);
        struct nidoi_task **last = &sched->ready[(sched->head + left - 1) & sched->mask];
        struct nidoi_task **other = &sched->ready[(sched->head + drawn) & sched->mask];
        struct nidoi_task *task = *last;

        *last = *other;
        *other = task;
    }
}

/* What there is beside a trace. */
static void probe_resumes(struct nidoi_sched *sched, struct nidoi_probe *probe,
                          struct nidoi_task *task)
{
    if (probe->watcher) probe->watcher->resumes(probe->ctx, task);
    if (sched->measure) nidoi_measure_resume(sched->measure, task);
}

static void probe_stopped(struct nidoi_sched *sched, struct nidoi_probe *probe,
                          struct nidoi_task *task)
{
    bool parked = task->state == NIDOI_PARKED;

    if (probe->left) probe->left(task);
    if (sched->measure) nidoi_measure_stop(sched->measure, task);
    if (sched->trace) nidoi_trace_stop(sched->trace, task);
    if (probe->watcher && parked) probe->watcher->parked(probe->ctx, task);
}

static void probe_goes_on(struct nidoi_sched *sched, struct nidoi_probe *probe,
                          struct nidoi_task *task)
{
    sched->resumes++;
    sched->batch = 0;
    nidoi_task_become(task, NIDOI_READY, NIDOI_RUNNING);
    sched->budget = sched->allowance;
    probe->running = task;
    probe->batch--;
}

/* A task that ended is still to be read: its stack is reused by tasks alone, and none has run since.
 */
static void probe_step(struct nidoi_sched *sched, struct nidoi_probe *probe)
{
    struct nidoi_task *task = nidoi_switch_next(sched);

    if (probe->more) probe_resumes(sched, probe, task);
    if (sched->trace) nidoi_trace_resume(sched->trace, task);
    probe->round--;
    probe->spent = 0;
    probe_goes_on(sched, probe, task);
    nidoi_switch_jump(sched, task);
    if (probe->more)
        probe_stopped(sched, probe, probe->running);
    else if (sched->trace)
        nidoi_trace_stop(sched->trace, probe->running);
}

void nidoi_probe_run(struct nidoi_sched *sched, int batch)
{
    struct nidoi_probe *probe = sched->probe;

    if (sched->trace) sched->trace->fresh = false;
    if (sched->measure) nidoi_measure_batch(sched->measure);
    probe->batch = batch;
    while (probe->batch > 0 && nidoi_sched_ready(sched)) {
        if (probe->shuffled && !probe->round) ready_shuffle(sched, probe);
        probe_step(sched, probe);
    }
    probe->batch = 0;
}

/* A task that gives way and is alone comes by the loop, for no switch leads from a task to itself. */
struct nidoi_task *nidoi_probe_next(struct nidoi_sched *sched)
{
    struct nidoi_probe *probe = sched->probe;
    struct nidoi_task *next = sched->ready[sched->head & sched->mask];

    if (!probe || !probe->direct || probe->batch <= 0 || next == sched->current)
        return &sched->loop;
    next = nidoi_switch_next(sched);
    nidoi_trace_stop(sched->trace, sched->current);
    nidoi_trace_resume(sched->trace, next);
    probe_goes_on(sched, probe, next);
    return next;
}

void nidoi_probe_began(struct nidoi_sched *sched)
{
    struct nidoi_trace *trace = sched->trace;

    if (trace && trace->not_stopped) nidoi_trace_stop(trace, trace->not_stopped);
}

void nidoi_probe_named(struct nidoi_task *task)
{
    if (task->sched->trace) nidoi_trace_name(task->sched->trace, task);
    if (task->sched->measure) nidoi_measure_named(task->sched->measure, task);
}

void nidoi_probe_charge(struct nidoi_sched *sched)
{
    if (!sched->probe->watcher) {
        if (sched->budget <= 0) nidoi_sched_yield(sched);
        return;
    }
    sched->budget = 1;
    if (++sched->probe->spent >= NIDOI_BUDGET) nidoi_sched_yield(sched);
}

void nidoi_probe_enter(struct nidoi_sched *sched)
{
    const struct nidoi_probe *probe = sched->probe;

    nidoi_probe_charge(sched);
    if (probe->watcher) probe->watcher->entered(probe->ctx, sched->current);
}

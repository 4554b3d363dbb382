/* SPDX-License-Identifier: MIT */
#include "coro/task/trace.h"

#include "coro/task/slots.h"
#include "coro/task/usdt.h"
#include "coro/task/waiter.h"

static int64_t trace_now(struct nidoi_trace *trace)
{
    trace->fresh = false;
    return nidoi_events_now(&trace->events);
}

static struct nidoi_event *trace_add(struct nidoi_trace *trace, enum nidoi_event_kind kind,
                                     uint64_t task)
{
    return nidoi_events_add(&trace->events, kind, trace_now(trace), task);
}

/* ---- Tasks ---- */

void nidoi_trace_resume(struct nidoi_trace *trace, struct nidoi_task *task)
{
    int64_t now = trace->fresh ? trace->stamp : nidoi_events_now(&trace->events);
    struct nidoi_event *event = nidoi_events_add(&trace->events, NIDOI_EVENT_RUN, now, task->id);

    trace->fresh = false;
    event->object = (uintptr_t)task->fn;
    event->other = 0;
    NIDOI_PROBE2(run, task->id, task->name);
}

/* The kind of a wait on the sleeper's own stack is a user's, and its name may be gone when the trace is
 * read. */
static bool kind_is_constant(const struct nidoi_task *task, const struct nidoi_wait_kind *kind)
{
    return (const char *)kind < task->stack->bottom || (const char *)kind > (const char *)task;
}

static void trace_park(struct nidoi_trace *trace, struct nidoi_task *task)
{
    const struct nidoi_waiter *waiter = task->waiter;
    const struct nidoi_wait_kind *kind = waiter->kind;
    struct nidoi_event *event =
        nidoi_events_add(&trace->events, NIDOI_EVENT_PARK, trace->stamp, task->id);
    const char *name = nidoi_waiter_name(waiter);
    bool constant = kind_is_constant(task, kind);

    event->object = (uintptr_t)waiter->object;
    event->other = (uintptr_t)kind;
    event->number =
        (uint8_t)((kind->is_fd ? NIDOI_EVENT_FD : 0) | (constant ? 0 : NIDOI_EVENT_KIND_COPIED));
    if (!constant) nidoi_events_text(&trace->events, kind->name);
    if (name) nidoi_events_text(&trace->events, name);
    task->state = NIDOI_PARKED_TOLD;
    NIDOI_PROBE4(park, task->id, kind->name, waiter->object, name);
}

static void trace_end(struct nidoi_trace *trace, const struct nidoi_task *task)
{
    nidoi_events_add(&trace->events, NIDOI_EVENT_END, trace->stamp, task->id)->object =
        (uint64_t)task->slot->rc;
    NIDOI_PROBE2(end, task->id, task->slot->rc);
}

static void trace_yield(struct nidoi_trace *trace, const struct nidoi_task *task)
{
    nidoi_events_add(&trace->events, NIDOI_EVENT_YIELD, trace->stamp, task->id);
    NIDOI_PROBE1(yield, task->id);
}

void nidoi_trace_stop(struct nidoi_trace *trace, struct nidoi_task *task)
{
    trace->stamp = nidoi_events_now(&trace->events);
    trace->fresh = true;
    trace->not_stopped = NULL;
    if (task->state == NIDOI_READY)
        trace_yield(trace, task);
    else if (task->state == NIDOI_DONE)
        trace_end(trace, task);
    else
        trace_park(trace, task);
}

void nidoi_trace_wake(struct nidoi_trace *trace, const struct nidoi_task *task, intptr_t value)
{
    struct nidoi_event *event = trace_add(trace, NIDOI_EVENT_WAKE, task->id);

    event->object = task->sched->current->id;
    event->other = (uint64_t)value;
    NIDOI_PROBE3(wake, task->id, task->sched->current->id, value);
}

void nidoi_trace_spawn(struct nidoi_trace *trace, const struct nidoi_task *task)
{
    struct nidoi_event *event = trace_add(trace, NIDOI_EVENT_SPAWN, task->id);

    event->object = task->sched->current->id;
    event->other = (uintptr_t)task->fn;
    if (task->name) nidoi_events_text(&trace->events, task->name);
    NIDOI_PROBE3(spawn, task->id, task->sched->current->id, task->name);
}

void nidoi_trace_name(struct nidoi_trace *trace, const struct nidoi_task *task)
{
    trace_add(trace, NIDOI_EVENT_NAME, task->id);
    nidoi_events_text(&trace->events, task->name);
    NIDOI_PROBE2(name, task->id, task->name);
}

/* ---- Scopes ---- */

void nidoi_trace_open(struct nidoi_trace *trace, const nido_scope *scope, unsigned flags,
                      const char *name)
{
    struct nidoi_event *event = trace_add(trace, NIDOI_EVENT_OPEN, scope->task->id);

    event->object = (uint64_t)scope->deadline;
    event->other = (uintptr_t)scope->place;
    event->number = (uint8_t)flags;
    if (name) nidoi_events_text(&trace->events, name);
    NIDOI_PROBE3(open, scope->task->id, name, scope->deadline);
}

void nidoi_trace_close(struct nidoi_trace *trace, const nido_scope *scope)
{
    trace_add(trace, NIDOI_EVENT_CLOSE, scope->task->id);
    NIDOI_PROBE1(close, scope->task->id);
}

void nidoi_trace_cancel(struct nidoi_trace *trace, const struct nidoi_sched *sched,
                        const nido_scope *scope)
{
    struct nidoi_event *event = trace_add(trace, NIDOI_EVENT_CANCEL, sched->current->id);

    event->object = scope->task->id;
    event->other = (uint32_t)scope->code;
    event->number = (uint8_t)scope->kind;
    if (scope->reason && scope->reason[0]) nidoi_events_text(&trace->events, scope->reason);
    NIDOI_PROBE4(cancel, sched->current->id, scope->task->id, scope->code, scope->reason);
}

/* ---- The rest ---- */

void nidoi_trace_sleep(struct nidoi_trace *trace, bool awake)
{
    trace_add(trace, awake ? NIDOI_EVENT_AWAKE : NIDOI_EVENT_SLEEP, 0);
    if (awake)
        NIDOI_PROBE0(awake);
    else
        NIDOI_PROBE0(sleep);
}

void nidoi_trace_job(struct nidoi_trace *trace, uint64_t task, uint32_t worker, int64_t begun,
                     int64_t ended, uintptr_t fn, const char *name)
{
    struct nidoi_event *event = nidoi_events_add(&trace->events, NIDOI_EVENT_JOB, begun, task);

    event->object = fn;
    event->other = worker;
    if (name) nidoi_events_text(&trace->events, name);
    event = nidoi_events_add(&trace->events, NIDOI_EVENT_JOB_END, ended, task);
    event->other = worker;
    NIDOI_PROBE3(job, task, worker, name);
}

void nidoi_trace_user(struct nidoi_trace *trace, const struct nidoi_sched *sched,
                      enum nidoi_event_kind kind, const char *name)
{
    trace_add(trace, kind, sched->current->id);
    nidoi_events_text(&trace->events, name ? name : "");
    NIDOI_PROBE2(mark, sched->current->id, name);
}

/* SPDX-License-Identifier: MIT */
#include "coro/runtime/tracing.h"

#include <errno.h>

#include "base/mem.h"

enum { SHARE_OF_NAMES = 8 };

/* The wakes of tasks that are parked are noted from now on, or no longer. */
static void tell_wakes(struct nidoi_loop *loop, enum nidoi_state from, enum nidoi_state to)
{
    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        if (task && task->state == from) nidoi_task_become(task, from, to);
    }
}

/* Of tasks that were spawned before; of many the first alone, for all that is to come needs room too. */
static void tell_names(struct nidoi_loop *loop, struct nidoi_trace *trace)
{
    uint32_t left = (uint32_t)(trace->events.mask / SHARE_OF_NAMES);

    for (uint32_t i = 1; left && i <= loop->slots.made; i++) {
        const struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        if (!task || !task->name) continue;
        nidoi_trace_name(trace, task);
        left--;
    }
}

static struct nidoi_trace *trace_new(struct nidoi_loop *loop, size_t bytes)
{
    struct nidoi_trace *trace = nidoi_mem_zeroed(sizeof *trace);

    if (trace && nidoi_events_init(&trace->events, bytes, &loop->clock)) {
        nidoi_mem.release(trace);
        return NULL;
    }
    return trace;
}

static void trace_free(struct nidoi_trace *trace)
{
    if (!trace) return;
    nidoi_events_deinit(&trace->events);
    nidoi_mem.release(trace);
}

static void attach(struct nidoi_loop *loop, struct nidoi_trace *trace)
{
    loop->sched.trace = trace;
    loop->tree |= NIDOI_TREE_TOLD;
    tell_wakes(loop, NIDOI_PARKED, NIDOI_PARKED_TOLD);
    tell_names(loop, trace);
    nidoi_probe_set(&loop->sched, &loop->probe);
    if (!nidoi_on_task(&loop->sched)) return;
    trace->not_stopped = loop->sched.current;
    nidoi_trace_resume(trace, loop->sched.current);
}

static void detach(struct nidoi_loop *loop)
{
    if (!loop->sched.trace) return;
    loop->sched.trace->events.ended = nidoi_events_now(&loop->sched.trace->events);
    loop->sched.trace = NULL;
    if (!loop->measuring) {
        loop->tree &= (uint8_t)~NIDOI_TREE_TOLD;
        tell_wakes(loop, NIDOI_PARKED_TOLD, NIDOI_PARKED);
    }
    nidoi_probe_set(&loop->sched, &loop->probe);
}

int nidoi_tracing_start(struct nidoi_loop *loop, size_t bytes, int64_t window_ns)
{
    struct nidoi_trace *trace;

    if (nidoi_tracing_is_on(loop)) return -EALREADY;
    trace = trace_new(loop, bytes);
    if (!trace) return -ENOMEM;
    trace->events.window_ns = window_ns;
    trace_free(loop->trace);
    loop->trace = trace;
    detach(loop);
    attach(loop, trace);
    return 0;
}

bool nidoi_tracing_stop(struct nidoi_loop *loop)
{
    if (!nidoi_tracing_is_on(loop)) return false;
    detach(loop);
    loop->served = false; /* users of the static probes go on */
    return true;
}

void nidoi_tracing_deinit(struct nidoi_loop *loop)
{
    loop->sched.trace = NULL;
    trace_free(loop->trace);
    trace_free(loop->probing);
    loop->trace = loop->probing = NULL;
}

/* ---- For the static probes alone ---- */

/* Events are noted in a ring that is never read. Without memory its users get none. */
void nidoi_tracing_serve(struct nidoi_loop *loop, bool users)
{
    loop->served = users;
    if (!users && loop->sched.trace == loop->probing) detach(loop);
    if (!users || loop->sched.trace) return;
    if (!loop->probing) loop->probing = trace_new(loop, 0);
    if (loop->probing) attach(loop, loop->probing);
}

#include "coro/runtime/tracing.h"

#include <errno.h>

#include "base/mem.h"

/* The wakes of tasks that are parked are noted from now on, or no longer. */
static void tell_wakes(struct nidoi_loop *loop, enum nidoi_state from, enum nidoi_state to)
{
    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        if (task && task->state == from) nidoi_task_become(task, from, to);
    }
}

static int trace_new(struct nidoi_loop *loop, size_t bytes)
{
    struct nidoi_trace *trace = nidoi_mem_zeroed(sizeof *trace);
    int err;

    if (!trace) return -ENOMEM;
    err = nidoi_events_init(&trace->events, bytes, &loop->clock);
    if (err)
        nidoi_mem.release(trace);
    else
        loop->trace = trace;
    return err;
}

int nidoi_tracing_start(struct nidoi_loop *loop, size_t bytes, int64_t window_ns)
{
    struct nidoi_trace *before = loop->trace;
    int err;

    if (loop->sched.trace) return -EALREADY;
    err = trace_new(loop, bytes);
    if (err) return err;
    if (before) {
        nidoi_events_deinit(&before->events);
        nidoi_mem.release(before);
    }
    loop->trace->events.window_ns = window_ns;
    loop->sched.trace = loop->trace;
    loop->tree |= NIDOI_TREE_TOLD;
    tell_wakes(loop, NIDOI_PARKED, NIDOI_PARKED_TOLD);
    nidoi_probe_set(&loop->sched, &loop->probe);
    if (nidoi_on_task(&loop->sched)) {
        loop->trace->not_stopped = loop->sched.current;
        nidoi_trace_resume(loop->trace, loop->sched.current);
    }
    return 0;
}

bool nidoi_tracing_stop(struct nidoi_loop *loop)
{
    if (!loop->sched.trace) return false;
    loop->trace->events.ended = nidoi_events_now(&loop->trace->events);
    loop->sched.trace = NULL;
    loop->tree &= (uint8_t)~NIDOI_TREE_TOLD;
    tell_wakes(loop, NIDOI_PARKED_TOLD, NIDOI_PARKED);
    nidoi_probe_set(&loop->sched, &loop->probe);
    return true;
}

void nidoi_tracing_deinit(struct nidoi_loop *loop)
{
    if (!loop->trace) return;
    loop->sched.trace = NULL;
    nidoi_events_deinit(&loop->trace->events);
    nidoi_mem.release(loop->trace);
    loop->trace = NULL;
}

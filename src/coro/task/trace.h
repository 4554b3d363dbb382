/* SPDX-License-Identifier: MIT */
/* coro/task/trace.h: a run that is traced: what its tasks do is noted in a ring of events.
 *
 * 1. A run that is not traced pays nothing: no test was added to its paths. What is noted is found by tests
 * that are there anyway. Each resume and each stop is seen because a traced run has a probe
 * (coro/task/probe.h); the wake of a task sees that its state is PARKED_TOLD where it is checked to be
 * PARKED; and what changes the tree of scopes sees NIDOI_TREE_TOLD where it is checked that the tree may
 * change (coro/scope/scope.h).
 * 2. sched->trace is set exactly while the run is traced. On the run's own thread. */
#ifndef NIDOI_TRACE_H
#define NIDOI_TRACE_H

#include "base/events.h"
#include "coro/task/sched.h"

struct nidoi_trace {
    struct nidoi_events events;
    int64_t stamp;                  /* of the last stop of a task */
    bool fresh;                     /* nothing but a resume has happened since */
    struct nidoi_task *not_stopped; /* it began the trace, and its stop is still to be noted */
};

/* ---- What the probe sees; `task` goes on, or has stopped, and how is in its state ---- */

void nidoi_trace_resume(struct nidoi_trace *trace, struct nidoi_task *task);
void nidoi_trace_stop(struct nidoi_trace *trace, struct nidoi_task *task);

/* The loop sleeps in the kernel, and is awake again. */
void nidoi_trace_sleep(struct nidoi_trace *trace, bool awake);

/* ---- What happens in a task, or in the loop ---- */

void nidoi_trace_wake(struct nidoi_trace *trace, const struct nidoi_task *task, intptr_t value);
void nidoi_trace_spawn(struct nidoi_trace *trace, const struct nidoi_task *task);
void nidoi_trace_name(struct nidoi_trace *trace, const struct nidoi_task *task);
void nidoi_trace_open(struct nidoi_trace *trace, const nido_scope *scope, unsigned flags,
                      const char *name);
void nidoi_trace_close(struct nidoi_trace *trace, const nido_scope *scope);
void nidoi_trace_cancel(struct nidoi_trace *trace, const struct nidoi_sched *sched,
                        const nido_scope *scope);

/* A job of the running task is over; `begun` and `ended` are times of nidoi_events_now. */
void nidoi_trace_job(struct nidoi_trace *trace, uint64_t task, uint32_t worker, int64_t begun,
                     int64_t ended, uintptr_t fn, const char *name);

/* A user's event: MARK, BEGIN, FINISH. */
void nidoi_trace_user(struct nidoi_trace *trace, const struct nidoi_sched *sched,
                      enum nidoi_event_kind kind, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/task/measure.h: a run that is measured: for how long ready tasks wait for their turn, what the tasks of each group do
 * for how long, and what processor time each has used. (How long the turns of the loop are: coro/runtime/measuring.h.)
 *
 * 1. A run that is not measured pays nothing: what is measured is found by the tests by which a trace finds what it
 * notes (coro/task/trace.h).
 * 2. sched->measure is set from before the first task until after the last one, or never: a task's `ready_since`,
 * `cpu_ns` and `times` mean something exactly then.
 * 3. On the run's own thread. */
#ifndef NIDOI_MEASURE_H
#define NIDOI_MEASURE_H

#include "base/meter.h"
#include "coro/task/measured.h"
#include "coro/task/sched.h"

struct nidoi_measure {
    struct nidoi_meter meter;
    struct nidoi_measured sums;
    int64_t stopped;  /* when a task has stopped last, */
    bool fresh;       /* and nothing but a resume has happened since */
    bool counts_cpu;  /* processor time is asked for */
    int64_t cpu_read; /* of the thread, when the running task went on */
};

void nidoi_measure_spawn(struct nidoi_measure *measure, struct nidoi_task *task);
void nidoi_measure_named(struct nidoi_measure *measure, struct nidoi_task *task);
void nidoi_measure_wake(struct nidoi_measure *measure, struct nidoi_task *task);

/* What the loop sees: a batch begins; `task` goes on, or has stopped, and how is in its state. */
void nidoi_measure_batch(struct nidoi_measure *measure);
void nidoi_measure_resume(struct nidoi_measure *measure, struct nidoi_task *task);
void nidoi_measure_stop(struct nidoi_measure *measure, struct nidoi_task *task);

/* Processor time that the task has used, in ns: of the running one too. On the run's own thread. False: it is not
 * counted. */
bool nidoi_measure_cpu(const struct nidoi_task *task, uint64_t *ns);

#endif

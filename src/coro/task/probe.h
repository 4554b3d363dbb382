/* SPDX-License-Identifier: MIT */
/* coro/task/probe.h: a run that is watched, or whose ready tasks are shuffled: for tests; or whose tasks are looked
 * at whenever they leave the thread; or a traced or a measured one.
 *
 * 1. A run without a probe pays nothing: neither the switch nor the entry of a call knows of it.
 * 2. A run with one resumes each task from the loop and gets it back there (batch is 0), so that
 * the loop sees each park and each resume; and a watched task has a budget of 1, so that each entry
 * takes its slow path, which tells the watcher. Tasks still yield after as many calls as ever.
 * 3. In shuffled order too every ready task runs before any that became ready meanwhile.
 * 4. A run that is traced, and nothing else, switches from a task to the next ready one by nidoi_probe_next: by way of
 * the loop the returns after each switch are mispredicted, which costs more than the trace. */
#ifndef NIDOI_PROBE_H
#define NIDOI_PROBE_H

#include "coro/task/sched.h"

/* What a watched run tells. All may cancel scopes; none may park. */
struct nidoi_watcher {
    /* The running task has entered a cancellation point; its scope is looked at next. */
    void (*entered)(void *ctx, struct nidoi_task *task);
    /* A task has just parked. Called by the loop. */
    void (*parked)(void *ctx, struct nidoi_task *task);
    /* A ready task goes on, as soon as this returns. Called by the loop. */
    void (*resumes)(void *ctx, struct nidoi_task *task);
    /* No task is ready, and nothing was done about it yet. Called by the loop. */
    void (*idle)(void *ctx);
    /* A task ends with something still held. */
    void (*orphaned)(void *ctx, struct nidoi_task *task);
    /* No task is left; everything else of the run still stands. Called by the loop. */
    void (*over)(void *ctx, struct nidoi_sched *sched);
};

struct nidoi_probe {
    const struct nidoi_watcher *watcher; /* NULL: only shuffled, traced or measured */
    void *ctx;
    uint64_t random; /* state of the generator that the order is drawn from */
    bool shuffled;
    bool more;                             /* a watcher, `left` or sched->measure is set */
    void (*left)(struct nidoi_task *task); /* it has parked, yielded or ended; NULL: nothing asks.
                                              Called by the loop; must not park */
    uint32_t round;                        /* resumes until the queue is shuffled again */
    int spent;                             /* calls of the running task since its resume */
    bool direct;                           /* the run is traced, and nothing else */
    int batch;                             /* resumes left until the loop has its turn */
    struct nidoi_task *running;            /* the task that went on last */
};

/* A run that begins on this thread is watched so. */
extern _Thread_local struct nidoi_watching {
    const struct nidoi_watcher *watcher;
    void *ctx;
} nidoi_watching;

/* Whatever is wanted now is in force from the next switch on: `probe` is the run's own. */
void nidoi_probe_set(struct nidoi_sched *sched, struct nidoi_probe *probe);

/* What nidoi_batch_run does with a probe. */
void nidoi_probe_run(struct nidoi_sched *sched, int batch);

/* The running task stops, a task is ready, and no batch without a probe lets it run: returns that task, which is then
 * running, and has traced both; or the loop. */
struct nidoi_task *nidoi_probe_next(struct nidoi_sched *sched);

/* The tasks that ran without a probe have stopped, and one of them has begun a trace. */
void nidoi_probe_began(struct nidoi_sched *sched);

/* The running task has got a name. */
void nidoi_probe_named(struct nidoi_task *task);

/* A call of the running task is charged, and the watcher told. */
void nidoi_probe_enter(struct nidoi_sched *sched);
void nidoi_probe_charge(struct nidoi_sched *sched);

#endif

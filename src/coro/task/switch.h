/* SPDX-License-Identifier: MIT */
/* coro/task/switch.h: how a task stops and the next one goes on: the hottest lines of the library, kept
 * flat and inline, for each frame between the switch and the user's code is a return that the
 * processor may mispredict. */
#ifndef NIDOI_SWITCH_H
#define NIDOI_SWITCH_H

#include "coro/task/probe.h"

enum { NIDOI_WORTH_PREFETCHING = 16 };

/* A queue longer than the caches is worth looking ahead in: first for the task's record, a few
 * places later for the top of its stack, which the record leads to. (Always inline: gcc takes a
 * function that only prefetches for one without effect and drops its calls.) */
static inline __attribute__((always_inline)) void
nidoi_switch_prefetch(const struct nidoi_sched *sched)
{
    const struct nidoi_task *far = sched->ready[(sched->head + 8) & sched->mask];
    const struct nidoi_task *near = sched->ready[(sched->head + 3) & sched->mask];
    const char *sp = near->context.sp;

    __builtin_prefetch(far);
    __builtin_prefetch(sp);
    __builtin_prefetch(sp + 64);
    __builtin_prefetch(sp + 128);
}

/* The first ready task, taken out; there is one. */
static inline struct nidoi_task *nidoi_switch_next(struct nidoi_sched *sched)
{
    if (nidoi_sched_ready(sched) >= NIDOI_WORTH_PREFETCHING) nidoi_switch_prefetch(sched);
    return sched->ready[sched->head++ & sched->mask];
}

/* Out of line: rare. */
void nidoi_switch_with_exceptions(struct nidoi_sched *sched, struct nidoi_task *from,
                                  struct nidoi_task *to);

static inline void nidoi_switch_jump(struct nidoi_sched *sched, struct nidoi_task *to)
{
    struct nidoi_task *from = sched->current;
    int err = *sched->err;

    sched->current = to;
    if (__builtin_expect(sched->cxx && nidoi_exceptions_any(sched->exceptions), 0))
        nidoi_switch_with_exceptions(sched, from, to);
    else
        nidoi_context_switch(&from->context, &to->context);
    *sched->err = err;
}

static inline void nidoi_switch_resume(struct nidoi_sched *sched, struct nidoi_task *to)
{
    nidoi_task_become(to, NIDOI_READY, NIDOI_RUNNING);
    sched->budget = NIDOI_BUDGET;
    nidoi_switch_jump(sched, to);
}

/* The current task does not go on: the next ready one does, or the loop. */
static inline void nidoi_switch_away(struct nidoi_sched *sched)
{
    bool ready = nidoi_sched_ready(sched) > 0;

    if (ready && --sched->batch > 0)
        nidoi_switch_resume(sched, nidoi_switch_next(sched));
    else if (ready && sched->batch < 0)
        nidoi_switch_jump(sched, nidoi_probe_next(sched));
    else
        nidoi_switch_jump(sched, &sched->loop);
}

/* The running task is over, and its stack may be reused at once: in the task's outermost frame. */
static inline _Noreturn __attribute__((always_inline)) void
nidoi_switch_leave(struct nidoi_sched *sched)
{
    struct nidoi_task *dead = sched->current, *to = &sched->loop;

    nidoi_task_become(dead, NIDOI_RUNNING, NIDOI_DONE);
    if (nidoi_sched_ready(sched) && --sched->batch > 0) {
        to = nidoi_switch_next(sched);
        nidoi_task_become(to, NIDOI_READY, NIDOI_RUNNING);
        sched->budget = NIDOI_BUDGET;
    }
    sched->current = to;
    nidoi_context_leave(&dead->context, &to->context);
}

/* The running task goes to the end of the queue. */
static inline void nidoi_sched_yield(struct nidoi_sched *sched)
{
    struct nidoi_task *task = sched->current;

    if (!nidoi_sched_ready(sched) && --sched->batch > 0) {
        sched->budget = NIDOI_BUDGET; /* no task to yield to */
        return;
    }
    nidoi_task_become(task, NIDOI_RUNNING, NIDOI_READY);
    nidoi_sched_enqueue(sched, task);
    nidoi_switch_away(sched);
}

/* The frame of a park tells whether one above has stepped over the guard: the pages of that need not have been
 * touched, and a buffer is often used by the call that parks. */
static inline void nidoi_switch_note_depth(struct nidoi_task *task, size_t depth)
{
    task->deepest = (uint32_t)depth;
    if (depth > (size_t)((char *)task - task->stack->bottom) || nidoi_strict)
        nidoi_task_check_stack(task, depth);
}

/* Parks the running task on a waiter whose task and kind are set; returns when it was woken. */
static inline void nidoi_sched_suspend(struct nidoi_sched *sched, struct nidoi_waiter *waiter)
{
    struct nidoi_task *task = sched->current;
    size_t depth = (size_t)((char *)task - (char *)__builtin_frame_address(0));

    nidoi_assert(waiter->task == task && !task->waiter);
    nidoi_task_become(task, NIDOI_RUNNING, NIDOI_PARKED);
    task->waiter = waiter;
    if (depth > task->deepest) nidoi_switch_note_depth(task, depth);
    nidoi_switch_away(sched);
    nidoi_assert(!task->waiter);
}

#endif

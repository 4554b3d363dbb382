/* SPDX-License-Identifier: MIT */
#include "coro/scope/deadline.h"

#include "nido/time.h"

enum { PIECE = 256 }; /* timers between two readings of the clock */

/* The true instant of a task's timer: its alarm, or the first deadline of its own scopes. */
static int64_t task_due(const struct nidoi_task *task)
{
    int64_t when = task->alarm;
    const nido_scope *scope = task->scope;

    if (scope == &task->base && scope->due == NIDO_NEVER) return when;
    for (;; scope = scope->parent) {
        if (scope->deadline < when && !(scope->flags & NIDOI_SCOPE_CANCELLED))
            when = scope->deadline;
        if (scope == &task->base) return when;
    }
}

static void timer_correct(struct nidoi_loop *loop, struct nidoi_task *task)
{
    struct nidoi_timer *timer = &task->slot->timer;
    int64_t when = task_due(task);

    if (when == NIDO_NEVER)
        nidoi_timers_remove(&loop->timers, timer);
    else if (!nidoi_timer_is_set(timer) || when != timer->when)
        nidoi_timers_set(&loop->timers, timer, when);
}

static struct nidoi_task *timer_task(struct nidoi_timer *timer)
{
    return nidoi_container(timer, struct nidoi_slot, timer)->task;
}

int64_t nidoi_deadline_next(struct nidoi_loop *loop)
{
    struct nidoi_timer *top;

    while ((top = nidoi_timers_top(&loop->timers)) != NULL) {
        if (task_due(timer_task(top)) == top->when) return top->when;
        timer_correct(loop, timer_task(top));
    }
    return NIDO_NEVER;
}

/* The record of a sleeper has left the caches; by the time the last is prefetched the first is
 * there. */
static void tasks_prefetch(const struct nidoi_timer *timer)
{
    for (; timer; timer = timer->next)
        __builtin_prefetch(nidoi_container(timer, const struct nidoi_slot, timer)->task, 1);
}

/* Ends the sleeps. Returns the tasks of which a deadline has passed, linked by `next_due`. */
static struct nidoi_task *expire_sleeps(struct nidoi_loop *loop, struct nidoi_timer *timer)
{
    struct nidoi_task *first = NULL, **end = &first;

    for (struct nidoi_timer *next; timer; timer = next) {
        struct nidoi_task *task = timer_task(timer);

        next = timer->next;
        if (task->alarm <= loop->sched.now) nidoi_task_expire(task);
        if (task_due(task) <= loop->sched.now) {
            *end = task;
            end = &task->next_due;
        } else {
            timer_correct(loop, task);
        }
    }
    *end = NULL;
    return first;
}

/* A sleep that ends at the same instant as a deadline has ended: all alarms first, then the scopes.
 */
bool nidoi_deadlines_fire(struct nidoi_loop *loop)
{
    struct nidoi_timer *due = nidoi_timers_take(&loop->timers, loop->sched.now, PIECE);
    struct nidoi_timer *top;
    struct nidoi_task *first;

    tasks_prefetch(due);
    first = expire_sleeps(loop, due);
    for (struct nidoi_task *task = first; task; task = task->next_due)
        nidoi_scope_expire(loop, task->scope);
    for (struct nidoi_task *task = first; task; task = task->next_due) timer_correct(loop, task);
    top = nidoi_timers_top(&loop->timers);
    if (top && top->when <= loop->sched.now) return true;
    nidoi_check(nidoi_timers_check(&loop->timers));
    return false;
}

uint32_t nidoi_deadlines_due(const struct nidoi_loop *loop, int64_t now, uint64_t but)
{
    uint32_t due = 0;

    for (size_t i = 0; i < loop->timers.count; i++) {
        const struct nidoi_task *task = timer_task(loop->timers.heap[i].timer);

        if (task->waiter && task->id != but && task_due(task) <= now) due++;
    }
    return due;
}

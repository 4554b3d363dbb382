/* coro/scope/park.c: entering a call that may wait, sleeping in it, and the timers that end the sleep. */
#include <stdio.h>

#include "base/place.h"
#include "coro/scope/scope.h"
#include "coro/task/probe.h"
#include "coro/task/switch.h"
#include "nido/time.h"

enum {
    MANY_REFUSALS = 10000,
    TIMERS_PIECE = 256 /* what fires between two readings of the clock */
};

/* ---- Timers ---- */

/* The true instant of a task's timer: its alarm, or the first deadline of its own scopes. */
static int64_t next_of(const struct nidoi_task *task)
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

static void correct(struct nidoi_loop *loop, struct nidoi_task *task)
{
    struct nidoi_timer *timer = &task->slot->timer;
    int64_t when = next_of(task);

    if (when == NIDO_NEVER)
        nidoi_timers_remove(&loop->timers, timer);
    else if (!nidoi_timer_is_set(timer) || when != timer->when)
        nidoi_timers_set(&loop->timers, timer, when);
}

static struct nidoi_task *task_of(struct nidoi_timer *timer)
{
    return nidoi_container(timer, struct nidoi_slot, timer)->task;
}

static int64_t next_due(struct nidoi_loop *loop)
{
    struct nidoi_timer *top;

    while ((top = nidoi_timers_top(&loop->timers)) != NULL) {
        if (next_of(task_of(top)) == top->when) return top->when;
        correct(loop, task_of(top));
    }
    return NIDO_NEVER;
}

/* The record of a sleeper has left the caches; by the time the last is prefetched the first is
 * there. */
static void prefetch(const struct nidoi_timer *timer)
{
    for (; timer; timer = timer->next)
        __builtin_prefetch(nidoi_container(timer, const struct nidoi_slot, timer)->task, 1);
}

/* Ends the sleeps; returns whose deadline has passed, by `next_due`. */
static struct nidoi_task *ring_due(struct nidoi_loop *loop, struct nidoi_timer *timer)
{
    struct nidoi_task *first = NULL, **end = &first;

    for (struct nidoi_timer *next; timer; timer = next) {
        struct nidoi_task *task = task_of(timer);

        next = timer->next;
        if (task->alarm <= loop->sched.now) nidoi_task_expire(task);
        if (next_of(task) <= loop->sched.now) {
            *end = task;
            end = &task->next_due;
        } else {
            correct(loop, task);
        }
    }
    *end = NULL;
    return first;
}

/* A sleep that ends at the same instant as a deadline has ended: all alarms first, then the scopes.
 */
static bool fire_due(struct nidoi_loop *loop)
{
    struct nidoi_timer *due = nidoi_timers_take(&loop->timers, loop->sched.now, TIMERS_PIECE);
    struct nidoi_timer *top;
    struct nidoi_task *first;

    prefetch(due);
    first = ring_due(loop, due);
    for (struct nidoi_task *task = first; task; task = task->next_due)
        nidoi_scope_expire(loop, task->scope);
    for (struct nidoi_task *task = first; task; task = task->next_due) correct(loop, task);
    top = nidoi_timers_top(&loop->timers);
    if (top && top->when <= loop->sched.now) return true;
    nidoi_check(nidoi_timers_check(&loop->timers));
    return false;
}

void nidoi_scope_init(struct nidoi_loop *loop)
{
    loop->fire_due = fire_due;
    loop->next_due = next_due;
}

/* ---- Entering and parking ---- */

static void report_deafness(struct nidoi_loop *loop, const struct nidoi_task *task)
{
    char text[512];
    struct nidoi_place place, scope;

    snprintf(
        text, sizeof text,
        "nido: task #%llu \"%s\", spawned at %s, ignores its cancellation: %d calls in a row were "
        "refused with -ECANCELED (innermost scope opened at %s)\n",
        (unsigned long long)task->id, task->name ? task->name : "",
        nidoi_place(&place, task->spawned_at), MANY_REFUSALS,
        nidoi_place(&scope, task->scope->place));
    nidoi_loop_report(loop, text);
}

/* Is the running task cancelled, by the true time? */
static bool struck(struct nidoi_loop *loop)
{
    nido_scope *scope = loop->sched.current->scope;

    if (scope->due == NIDO_NEVER) return false;
    if (nidoi_scope_cancelled(scope)) return true;
    if (scope->due > loop->sched.now && nidoi_loop_refresh(loop) < scope->due) return false;
    nidoi_scope_check_chain(loop->sched.current);
    nidoi_scope_expire(loop, scope);
    return nidoi_scope_cancelled(scope);
}

int nidoi_scope_test(struct nidoi_loop *loop)
{
    struct nidoi_task *task = loop->sched.current;

    nidoi_scope_check_content(task);
    if (!struck(loop)) return 0;
    if (task->refused < MANY_REFUSALS && ++task->refused == MANY_REFUSALS)
        report_deafness(loop, task);
    return -ECANCELED;
}

int nidoi_enter_slowly(struct nidoi_loop *loop)
{
    struct nidoi_sched *sched = &loop->sched;

    if (sched->no_parking || !nidoi_on_task(sched)) {
        sched->budget = 1;
        return -EDEADLK;
    }
    if (sched->probe)
        nidoi_probe_enter(sched);
    else if (sched->budget <= 0)
        nidoi_sched_yield(sched);
    return nidoi_scope_test(loop);
}

int nidoi_enter_suspiciously(struct nidoi_loop *loop, const char *frame)
{
    nidoi_scope_inspect(loop->sched.current, frame);
    return nidoi_enter_slowly(loop);
}

void nidoi_charge_slowly(struct nidoi_loop *loop)
{
    struct nidoi_sched *sched = &loop->sched;

    if (sched->no_parking || !nidoi_on_task(sched)) return;
    if (sched->probe)
        nidoi_probe_charge(sched);
    else
        nidoi_sched_yield(sched);
}

intptr_t nidoi_park(struct nidoi_loop *loop, struct nidoi_waiter *waiter)
{
    struct nidoi_task *task = loop->sched.current;

    if (loop->sched.no_parking)
        nidoi_panic("task #%llu must not wait here (%s): it is in a callback of the library",
                    (unsigned long long)task->id, waiter->kind->name);
    nidoi_scope_check_content(task);
    waiter->task = task;
    task->refused = 0;
    if (task->scope->flags & NIDOI_SCOPE_UNARMED) nidoi_scope_arm(loop, task->scope);
    if (task->scope->due <= loop->sched.now && waiter->kind->undo && struck(loop) &&
        waiter->kind->undo(waiter) == NIDOI_WITHDRAWN)
        return -ECANCELED;
    nidoi_sched_suspend(&loop->sched, waiter);
    return waiter->value;
}

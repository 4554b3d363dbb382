/* SPDX-License-Identifier: MIT */
#include "coro/scope/park.h"

#include <stdio.h>

#include "base/place.h"
#include "base/printable.h"
#include "coro/task/probe.h"
#include "coro/task/switch.h"
#include "nido/time.h"

enum { MANY_REFUSALS = 10000 };

static void report_ignored_cancel(struct nidoi_loop *loop, const struct nidoi_task *task)
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
    nidoi_make_printable(text, '\n');
    nidoi_loop_report(loop, text);
}

/* Is the running task cancelled, by the true time? */
static bool is_cancelled_now(struct nidoi_loop *loop)
{
    nido_scope *scope = loop->sched.current->scope;

    if (scope->due == NIDO_NEVER) return false;
    if (nidoi_scope_cancelled(scope)) return true;
    if (scope->due > loop->sched.now && nidoi_loop_refresh(loop) < scope->due) return false;
    nidoi_scope_check_chain(loop->sched.current);
    nidoi_scope_expire(loop, scope);
    return nidoi_scope_cancelled(scope);
}

static int call_refuse(struct nidoi_loop *loop)
{
    struct nidoi_task *task = loop->sched.current;

    if (task->refused < MANY_REFUSALS && ++task->refused == MANY_REFUSALS)
        report_ignored_cancel(loop, task);
    return -ECANCELED;
}

int nidoi_enter_check(struct nidoi_loop *loop)
{
    nidoi_scope_check_content(loop->sched.current);
    return is_cancelled_now(loop) ? call_refuse(loop) : 0;
}

/* Called for a cancelled task that may not wait before its end: the watchdog's post is called at once. */
static void turn_if_asked(struct nidoi_loop *loop)
{
    if (!__atomic_load_n(&loop->remote->late_asked, __ATOMIC_RELAXED)) return;
    loop->sched.batch = 1;
    nidoi_sched_yield(&loop->sched);
}

static int call_refuse_in_turn(struct nidoi_loop *loop)
{
    int err = call_refuse(loop);

    turn_if_asked(loop);
    return err;
}

void nidoi_turn_of_end_slowly(struct nidoi_loop *loop, struct nidoi_task *task)
{
    if (!nidoi_scope_cancelled(task->scope)) return;
    task->returned = true;
    turn_if_asked(loop);
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
    nidoi_scope_check_content(sched->current);
    return is_cancelled_now(loop) ? call_refuse_in_turn(loop) : 0;
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
    if (task->scope->due <= loop->sched.now && waiter->kind->undo && is_cancelled_now(loop) &&
        waiter->kind->undo(waiter) == NIDOI_WITHDRAWN)
        return -ECANCELED;
    waiter->since = loop->sched.now;
    nidoi_sched_suspend(&loop->sched, waiter);
    return waiter->value;
}

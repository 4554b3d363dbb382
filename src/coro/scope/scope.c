/* SPDX-License-Identifier: MIT */
#include "coro/scope/scope.h"

#include <stdio.h>
#include <string.h>

#include "base/place.h"
#include "base/time.h"
#include "coro/scope/error.h"
#include "coro/scope/value.h"
#include "coro/task/measure.h"
#include "coro/task/trace.h"
#include "nido/time.h"

/* ---- The tree ---- */

static nido_scope *scope_first_child(const nido_scope *scope)
{
    const struct nidoi_link *children;

    if (!(scope->flags & NIDOI_SCOPE_GROUP)) return NULL;
    children = &((const nido_group *)(const void *)scope)->children;
    if (nidoi_list_empty(children)) return NULL;
    return &nidoi_container(children->next, struct nidoi_task, sibling)->base;
}

nido_scope *nidoi_scope_after(nido_scope *scope, const nido_scope *root, bool deeper)
{
    nido_scope *child = NULL;

    if (deeper && scope->inner) return scope->inner;
    if (deeper) child = scope_first_child(scope);
    while (!child && scope != root) {
        if (scope == &scope->task->base) {
            struct nidoi_link *next = scope->task->sibling.next;

            scope = scope->parent;
            if (next != &((nido_group *)(void *)scope)->children)
                child = &nidoi_container(next, struct nidoi_task, sibling)->base;
        } else {
            scope = scope->parent;
            child = scope_first_child(scope);
        }
    }
    return child;
}

/* The rule of the tree, for one scope; `bound` cuts shields short. True: something below may change
 * too. */
static bool due_update(struct nidoi_loop *loop, nido_scope *scope, int64_t bound)
{
    int64_t due;

    if (scope->flags & NIDOI_SCOPE_SHIELD && bound < scope->deadline) {
        scope->deadline = bound;
        scope->flags |= NIDOI_SCOPE_TIMED;
        if (!(scope->flags & NIDOI_SCOPE_UNARMED)) nidoi_loop_arm(loop, scope->task, bound);
    }
    if (scope->flags & NIDOI_SCOPE_CANCELLED)
        due = INT64_MIN;
    else if (scope->flags & NIDOI_SCOPE_SHIELD || !scope->parent ||
             scope->deadline < scope->parent->due)
        due = scope->deadline;
    else
        due = scope->parent->due;
    if (due == scope->due) return bound != NIDO_NEVER;
    scope->due = due;
    return true;
}

void nidoi_task_expire(struct nidoi_task *task)
{
    struct nidoi_waiter *waiter = task->waiter;

    task->alarm = NIDO_NEVER;
    if (waiter->kind->timed_out)
        waiter->kind->timed_out(waiter);
    else
        nidoi_wake(waiter, 0);
}

/* A parked task under a cancelled scope is woken, if its wait can be undone; one whose alarm has
 * passed has slept enough. */
static void wake_cancelled(struct nidoi_task *task)
{
    struct nidoi_waiter *waiter = task->waiter;

    if (!waiter) return;
    if (task->alarm <= task->sched->now)
        nidoi_task_expire(task);
    else if (waiter->kind->undo && waiter->kind->undo(waiter) == NIDOI_WITHDRAWN)
        nidoi_wake(waiter, -ECANCELED);
}

/* ---- Changes that are noted ---- */

/* NULL: the run is only measured. */
static struct nidoi_trace *tree_trace(const struct nidoi_loop *loop)
{
    nidoi_assert(!(loop->tree & NIDOI_TREE_SPREADING));
    return loop->sched.trace;
}

void nidoi_tree_spawned(const struct nidoi_loop *loop, struct nidoi_task *task)
{
    struct nidoi_trace *trace = tree_trace(loop);

    if (trace) nidoi_trace_spawn(trace, task);
    if (loop->sched.measure) nidoi_measure_spawn(loop->sched.measure, task);
}

/* "request=42f1". */
static void trace_value(struct nidoi_trace *trace, const nido_value *value)
{
    const char *text = nidoi_value_text(value);
    char name[NIDOI_EVENT_TEXT_MOST + 1];

    snprintf(name, sizeof name, "%s%s%s", nidoi_value_name(value), text ? "=" : "",
             text ? text : "");
    nidoi_trace_open(trace, &value->scope, NIDOI_EVENT_VALUE, name);
}

void nidoi_tree_opened(const struct nidoi_loop *loop, const nido_scope *scope)
{
    bool group = scope->flags & NIDOI_SCOPE_GROUP, shield = scope->flags & NIDOI_SCOPE_SHIELD;
    struct nidoi_trace *trace = tree_trace(loop);
    const nido_value *value = nidoi_value_of(scope);

    if (!trace) return;
    if (value) {
        trace_value(trace, value);
        return;
    }
    nidoi_trace_open(trace, scope,
                     (group ? NIDOI_EVENT_GROUP : 0) | (shield ? NIDOI_EVENT_SHIELD : 0),
                     group ? ((const nido_group *)(const void *)scope)->name : NULL);
}

void nidoi_tree_closes(const struct nidoi_loop *loop, const nido_scope *scope)
{
    struct nidoi_trace *trace = tree_trace(loop);

    if (trace) nidoi_trace_close(trace, scope);
}

/* Moved deadlines spread too; the latest cancel of all is the one that spreads now. */
static NIDOI_RARE void tree_spreads(struct nidoi_loop *loop, const nido_scope *root)
{
    struct nidoi_trace *trace = tree_trace(loop);

    loop->tree |= NIDOI_TREE_SPREADING;
    if (trace && root->flags & NIDOI_SCOPE_CANCELLED && root->order == loop->cancel_count)
        nidoi_trace_cancel(trace, &loop->sched, root);
}

static void due_spread(struct nidoi_loop *loop, nido_scope *root, int64_t bound)
{
    nido_scope *scope = root, *next;

    if (__builtin_expect(!loop->tree, 1))
        loop->tree = NIDOI_TREE_SPREADING;
    else
        tree_spreads(loop, root);
    for (; scope; scope = next) {
        bool deeper = due_update(loop, scope, bound) || scope == root;

        if (nidoi_scope_cancelled(scope) && scope->task->scope == scope)
            wake_cancelled(scope->task);
        next = nidoi_scope_after(scope, root, deeper);
        __builtin_prefetch(next);
    }
    loop->tree &= (uint8_t)~NIDOI_TREE_SPREADING;
}

bool nidoi_scope_encloses(const nido_scope *scope, const struct nidoi_task *task)
{
    for (const nido_scope *s = task->scope; s; s = s->parent)
        if (s == scope) return true;
    return false;
}

int64_t nidoi_scope_bounded(struct nidoi_loop *loop, const nido_scope *scope, int64_t end)
{
    int64_t grace = loop->options.grace_ns;

    for (; grace != NIDO_NEVER && scope; scope = scope->parent)
        if (scope->flags & NIDOI_SCOPE_CANCELLED && nidoi_time_add(scope->when, grace) < end)
            end = nidoi_time_add(scope->when, grace);
    return end;
}

/* ---- Opening and closing ---- */

void nidoi_scope_fault(nido_scope *scope, int code)
{
    *scope = (nido_scope){.flags = NIDOI_SCOPE_FAULTY, .code = code};
}

/* Not the ordinary case: says what is wrong, if anything is. */
int nidoi_scope_unclosable(const struct nidoi_loop *loop, const nido_scope *scope,
                           const char *frame)
{
    struct nidoi_place outer, inner;
    const struct nidoi_task *task = loop ? loop->sched.current : NULL;

    if (scope->flags & NIDOI_SCOPE_FAULTY) return scope->code;
    if (!(scope->flags & NIDOI_SCOPE_OPEN)) return -EBADF;
    if (!task || scope->task != task) return -EPERM;
    nidoi_scope_check_frames(task, frame);
    nidoi_scope_check_content(task);
    nidoi_panic("task #%llu closes the scope opened at %s while the one opened inside it at %s "
                "is still open; close them in reverse order",
                (unsigned long long)task->id, nidoi_place(&outer, scope->place),
                nidoi_place(&inner, task->opened_at));
}

void nidoi_scope_left_open(const struct nidoi_task *task)
{
    struct nidoi_place place;

    nidoi_loop_of(task->sched)->frames_gone = true;
    nidoi_panic("task #%llu: the scope or group opened at %s was never closed, and the function "
                "that held it has returned",
                (unsigned long long)task->id, nidoi_place(&place, task->opened_at));
}

/* On another stack, the caller's memory or the loop's, a frame says nothing. */
void nidoi_scope_inspect(const struct nidoi_task *task, const char *frame)
{
    const char *innermost = (const char *)task->scope;

    if (nidoi_scope_poisoned(task->scope)) nidoi_scope_left_open(task);
    if (!task->stack || innermost < task->stack->bottom || frame > (const char *)task) return;
    nidoi_scope_left_open(task);
}

static size_t scope_size(const nido_scope *scope)
{
    if (scope->flags & NIDOI_SCOPE_GROUP) return sizeof(nido_group);
    return scope->flags & NIDOI_SCOPE_VALUE ? sizeof(nido_value) : sizeof(nido_scope);
}

static bool scopes_overlap(const nido_scope *open, const nido_scope *fresh)
{
    uintptr_t at = (uintptr_t)open, here = (uintptr_t)fresh;

    return here < at + scope_size(open) && at < here + sizeof(nido_scope);
}

void nidoi_scope_inspect_memory(const struct nidoi_task *task, nido_scope *scope, const char *frame)
{
    struct nidoi_place place;

    nidoi_scope_check_frames(task, frame);
    nidoi_scope_check_content(task);
    for (const nido_scope *open = task->scope; open != &task->base; open = open->parent) {
        if (open->task != task) nidoi_scope_left_open(task);
        if (!scopes_overlap(open, scope)) continue;
        nidoi_loop_of(task->sched)->frames_gone = true;
        nidoi_panic("task #%llu: the scope or group opened at %s was never closed, and another is "
                    "opened in its memory",
                    (unsigned long long)task->id, nidoi_place(&place, open->place));
    }
}

void nidoi_scope_check_chain(const struct nidoi_task *task)
{
    for (const nido_scope *open = task->scope; open != &task->base; open = open->parent)
        if (open->task != task) nidoi_scope_left_open(task);
}

void nidoi_scope_note_time(const struct nidoi_loop *loop, nido_scope *scope)
{
    if (!(scope->flags & NIDOI_SCOPE_FIRED) &&
        nidoi_clock_has_passed(&loop->clock, scope->deadline))
        scope->flags |= NIDOI_SCOPE_FIRED | NIDOI_SCOPE_CANCELLED;
}

/* ---- Cancelling ---- */

const nido_scope *nidoi_scope_first_cancel(const nido_scope *scope)
{
    const nido_scope *found = NULL;

    for (; scope; scope = scope->parent) {
        if (scope->flags & NIDOI_SCOPE_CANCELLED && (!found || scope->order < found->order))
            found = scope;
        if (scope->flags & NIDOI_SCOPE_SHIELD) break;
    }
    return found;
}

void nidoi_scope_copy_cause(nido_scope *scope, const nido_scope *from)
{
    scope->kind = from->kind;
    scope->code = from->code;
    scope->reason = from->reason;
    scope->by = from->by;
    memcpy(scope->by_name, from->by_name, sizeof scope->by_name);
}

/* By name, for the task may be gone when it is asked for. */
static void scope_note_author(nido_scope *scope, const struct nidoi_task *task)
{
    size_t len = task->name ? strnlen(task->name, sizeof scope->by_name - 1) : 0;

    scope->by = task->id;
    if (len) memcpy(scope->by_name, task->name, len);
    scope->by_name[len] = '\0';
}

int nidoi_scope_cancel(struct nidoi_loop *loop, nido_scope *scope, enum nido_cause_kind kind,
                       int code, const char *reason)
{
    int64_t grace = loop->options.grace_ns;

    if (scope->flags & NIDOI_SCOPE_CANCELLED) return -EALREADY;
    scope->flags |= NIDOI_SCOPE_CANCELLED | (kind == NIDO_CAUSE_DEADLINE ? NIDOI_SCOPE_FIRED : 0);
    scope->kind = kind;
    scope->code = code;
    scope->reason = reason ? reason : "";
    scope->order = ++loop->cancel_count;
    scope->when = grace == NIDO_NEVER ? loop->sched.now : nidoi_loop_refresh(loop);
    scope_note_author(scope, kind == NIDO_CAUSE_DEADLINE ? &loop->sched.loop : loop->sched.current);
    due_spread(loop, scope, nidoi_time_add(scope->when, grace));
    return 0;
}

static nido_scope *scope_outermost_expired(struct nidoi_loop *loop, nido_scope *scope)
{
    nido_scope *found = NULL;

    for (; scope; scope = scope->parent)
        if (scope->deadline <= loop->sched.now && !(scope->flags & NIDOI_SCOPE_CANCELLED))
            found = scope;
    return found;
}

void nidoi_scope_expire(struct nidoi_loop *loop, nido_scope *scope)
{
    nido_scope *expired;

    while ((expired = scope_outermost_expired(loop, scope)) != NULL)
        nidoi_scope_cancel(loop, expired, NIDO_CAUSE_DEADLINE, -ETIMEDOUT, "deadline");
}

int nidoi_scope_absorb(struct nidoi_loop *loop, nido_scope *scope)
{
    nidoi_loop_refresh(loop);
    nidoi_scope_expire(loop, scope);
    if (scope->parent && nidoi_scope_cancelled(scope->parent)) return -ECANCELED;
    if (scope->flags & NIDOI_SCOPE_CANCELLED) return scope->code;
    return nidoi_error_stray(loop->sched.current);
}

int nidoi_scope_cancel_checked(nido_scope *scope, enum nido_cause_kind kind, int code,
                               const char *reason)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (scope->flags & NIDOI_SCOPE_FAULTY) return scope->code;
    if (code > 0 || code == -ECANCELED) return -EINVAL;
    if (!(scope->flags & NIDOI_SCOPE_OPEN)) return -ESRCH;
    if (!loop) return -EPERM;
    if (scope->task->sched != &loop->sched) return -EXDEV;
    nidoi_scope_check_content(loop->sched.current);
    return nidoi_scope_cancel(loop, scope, kind, code, reason);
}

void nidoi_scope_arm(struct nidoi_loop *loop, nido_scope *scope)
{
    for (; scope && scope->flags & NIDOI_SCOPE_UNARMED; scope = scope->parent) {
        scope->flags &= ~(uint32_t)NIDOI_SCOPE_UNARMED;
        if (scope->deadline != NIDO_NEVER && !(scope->flags & NIDOI_SCOPE_CANCELLED))
            nidoi_loop_arm(loop, scope->task, scope->deadline);
    }
}

void nidoi_scope_move(struct nidoi_loop *loop, nido_scope *scope, int64_t deadline)
{
    if (scope->flags & NIDOI_SCOPE_SHIELD)
        deadline = nidoi_scope_bounded(loop, scope->parent, deadline);
    scope->deadline = deadline == INT64_MIN ? deadline + 1 : deadline;
    scope->flags |= NIDOI_SCOPE_TIMED;
    if (deadline != NIDO_NEVER && !(scope->flags & NIDOI_SCOPE_UNARMED))
        nidoi_loop_arm(loop, scope->task, scope->deadline);
    due_spread(loop, scope, NIDO_NEVER);
}

void nidoi_scope_relink(struct nidoi_loop *loop, struct nidoi_task *task, nido_scope *parent)
{
    task->base.parent = parent;
    nidoi_scope_arm(loop, parent);
    due_spread(loop, &task->base, nidoi_scope_bounded(loop, parent, NIDO_NEVER));
}

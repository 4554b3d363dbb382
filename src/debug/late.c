/* SPDX-License-Identifier: MIT */
#include "debug/late.h"

#include "base/place.h"
#include "coro/group/group.h"
#include "coro/group/waits.h"
#include "debug/stack.h"
#include "debug/stall.h"
#include "nido/time.h"

enum { MOST_FRAMES = 16 };

#define ADD(to, ...) nidoi_text_add((to)->text, (to)->size, &(to)->used, __VA_ARGS__)

/* The earliest cancel around, whatever shields lie between. */
static const nido_scope *cancel_around(const nido_scope *scope)
{
    const nido_scope *found = NULL;

    for (; scope; scope = scope->parent)
        if (scope->flags & NIDOI_SCOPE_CANCELLED && (!found || scope->order < found->order))
            found = scope;
    return found;
}

/* The shield that keeps it from being felt: the outermost below it. */
static const nido_scope *shield_below(const nido_scope *scope, const nido_scope *cancel)
{
    const nido_scope *found = NULL;

    for (; scope != cancel; scope = scope->parent)
        if (scope->flags & NIDOI_SCOPE_SHIELD) found = scope;
    return found;
}

static bool is_late(const struct nidoi_task *task, int64_t limit)
{
    const nido_scope *cancel;

    if (!task || task->late) return false;
    if (task->waiter ? task->waiter->kind == &nidoi_group_closing
                     : !task->refused && !task->returned)
        return false;
    cancel = cancel_around(task->scope);
    return cancel && task->sched->now - cancel->when >= limit;
}

struct nidoi_task *nidoi_late_next(struct nidoi_loop *loop, int64_t limit, uint32_t *slot)
{
    while (*slot <= loop->slots.made) {
        struct nidoi_task *task = nidoi_slots_get(&loop->slots, (*slot)++)->task;

        if (is_late(task, limit)) return task;
    }
    return NULL;
}

/* ---- In words ---- */

static void add_cancel(struct nidoi_text *text, const nido_scope *cancel)
{
    ADD(text, " after its cancel (%.200s", cancel->reason[0] ? cancel->reason : "no reason given");
    if (cancel->by) ADD(text, ", by #%llu", (unsigned long long)cancel->by);
    if (cancel->by && cancel->by_name[0]) ADD(text, " \"%s\"", cancel->by_name);
    ADD(text, ")\n");
}

static void add_shield(struct nidoi_text *text, const nido_scope *shield, int64_t now)
{
    struct nidoi_place place;

    ADD(text, "  behind a shield opened at %s, ", nidoi_place(&place, shield->place));
    if (shield->deadline == NIDO_NEVER) {
        ADD(text, "which has no bound\n");
        return;
    }
    ADD(text, shield->deadline > now ? "which ends in " : "which ended ");
    nidoi_stall_add_time(text,
                         shield->deadline > now ? shield->deadline - now : now - shield->deadline);
    ADD(text, shield->deadline > now ? "\n" : " ago\n");
}

static void add_frames(struct nidoi_text *text, const struct nidoi_task *task)
{
    void *frames[MOST_FRAMES];

    nidoi_debug_add_frames(text, frames, nidoi_frames_of(&task->context, frames, MOST_FRAMES));
}

void nidoi_late_add_state(struct nidoi_text *text, const struct nidoi_task *task)
{
    struct nidoi_place place;

    if (task->returned) {
        ADD(text, "  its function has returned only now\n");
        return;
    }
    ADD(text, "  it ");
    nidoi_wait_print(text->text, text->size, &text->used, task->waiter);
    if (task->waiter && nidoi_scope_cancelled(task->scope)) ADD(text, ", which no cancel ends");
    if (!task->waiter && task->refused)
        ADD(text,
            task->refused == 1 ? "; its last call was refused with -ECANCELED"
                               : "; its last %u calls were refused with -ECANCELED",
            task->refused);
    if (task->scope != &task->base)
        ADD(text, "; its innermost scope was opened at %s",
            nidoi_place(&place, task->scope->place));
    ADD(text, "\n");
    add_frames(text, task);
}

static const char *hint_for(const struct nidoi_task *task, const nido_scope *shield)
{
    if (shield && shield->deadline != NIDO_NEVER && !nidoi_scope_cancelled(task->scope))
        return "give the shield an earlier bound, or the run a grace: nido_shield_open, "
               "nido_options.grace_ns";
    if (!nidoi_scope_cancelled(task->scope))
        return "give the shield a bound, or the run a grace: nido_shield_open, "
               "nido_options.grace_ns";
    if (task->returned)
        return "call nido_check now and then in what takes long, or do it on a worker: "
               "nido_offload";
    if (task->waiter)
        return "wait by a call that a cancel ends, or let the job be interrupted or abandoned";
    return "return when a call says -ECANCELED";
}

void nidoi_late_add(struct nidoi_text *text, const struct nidoi_task *task)
{
    const nido_scope *cancel = cancel_around(task->scope);
    const nido_scope *shield = shield_below(task->scope, cancel);
    struct nidoi_place place;

    ADD(text, "nido: LATE: task #%llu \"%s\", spawned at %s, goes on ",
        (unsigned long long)task->id, task->name ? task->name : "",
        nidoi_place(&place, task->spawned_at));
    nidoi_stall_add_time(text, task->sched->now - cancel->when);
    add_cancel(text, cancel);
    if (shield) add_shield(text, shield, task->sched->now);
    nidoi_late_add_state(text, task);
    ADD(text, "hint: %s\n", hint_for(task, shield));
}

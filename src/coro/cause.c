#include <stdio.h>

#include "coro/group.h"

/* The first cancel among those that are felt here. */
static const nido_scope *first_strike(const nido_scope *scope)
{
    const nido_scope *found = NULL;

    for (; scope; scope = scope->parent) {
        if (scope->flags & NIDOI_SCOPE_CANCELLED && (!found || scope->order < found->order))
            found = scope;
        if (scope->flags & NIDOI_SCOPE_SHIELD) break;
    }
    return found;
}

/* Who did it may be gone by now; a failure has kept its name. */
static const char *name_of(struct nidoi_loop *loop, const nido_scope *scope)
{
    const struct nidoi_slot *slot = nidoi_slots_get(&loop->slots, scope->by_slot);

    if (slot && slot->id == scope->by && slot->task && slot->task->name) return slot->task->name;
    if (scope->kind != NIDO_CAUSE_FAILURE) return "";
    return nidoi_failures_name(((const nido_group *)(const void *)scope)->failures, scope->by);
}

void nido_cancel_cause(nido_cause *out)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    const nido_scope *scope = loop ? first_strike(loop->sched.current->scope) : NULL;

    *out = (nido_cause){.reason = ""};
    if (!scope) return;
    out->kind = (enum nido_cause_kind)scope->kind;
    out->code = scope->code;
    out->reason = scope->reason;
    out->when = scope->when;
    out->task = scope->by;
    snprintf(out->task_name, sizeof out->task_name, "%s", name_of(loop, scope));
}

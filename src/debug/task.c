/* SPDX-License-Identifier: MIT */
#include "debug/task.h"

#include "base/place.h"
#include "coro/group/waits.h"
#include "coro/task/measure.h"
#include "debug/peer.h"
#include "nido/time.h"

#define ADD(text, ...) nidoi_text_add((text)->text, (text)->size, &(text)->used, __VA_ARGS__)

const char *nidoi_policy_name(const nido_group *group)
{
    static const char *const names[] = {"fail-fast", "wait-all", "race"};

    return names[group->policy];
}

const nido_scope *nidoi_debug_cancel(const nido_scope *scope)
{
    return nidoi_scope_cancelled(scope) ? nidoi_scope_first_cancel(scope) : NULL;
}

bool nidoi_debug_owns_deadline(const struct nidoi_task *task)
{
    int64_t due = task->scope->due;

    for (const nido_scope *scope = task->scope;; scope = scope->parent) {
        if (scope->deadline == due) return true;
        if (scope == &task->base) return false;
    }
}

size_t nidoi_debug_stack_used(const struct nidoi_task *task)
{
    return (size_t)((const char *)(task->stack + 1) - (const char *)task) + task->deepest;
}

size_t nidoi_debug_stack_size(const struct nidoi_task *task)
{
    return (size_t)((const char *)(task->stack + 1) - task->stack->bottom);
}

/* ---- Parts of a line ---- */

static void add_seconds(struct nidoi_text *text, int64_t ns)
{
    ADD(text, "%lld.%lld s", (long long)(ns / NIDO_SEC(1)),
        (long long)(ns % NIDO_SEC(1) / NIDO_MS(100)));
}

/* " (192.0.2.1:80)". */
static void add_peer(struct nidoi_text *text, int fd)
{
    char room[128];
    struct nidoi_text peer = {room, sizeof room, 0};

    if (nidoi_debug_add_peer(&peer, fd)) ADD(text, " (%s)", room);
}

static void add_cpu(struct nidoi_text *text, const struct nidoi_task *task)
{
    uint64_t ns;

    if (nidoi_measure_cpu(task, &ns))
        ADD(text, "  cpu %llu.%llu ms", (unsigned long long)(ns / NIDO_MS(1)),
            (unsigned long long)(ns % NIDO_MS(1) / NIDO_US(100)));
}

static void add_state(struct nidoi_text *text, const struct nidoi_task *task)
{
    const struct nidoi_waiter *waiter = task->waiter;

    if (task == task->sched->current) {
        ADD(text, "  runs");
        return;
    }
    ADD(text, "  ");
    nidoi_wait_print(text->text, text->size, &text->used, waiter);
    if (!waiter) return;
    if (waiter->kind->is_fd) add_peer(text, (int)(intptr_t)waiter->object);
    ADD(text, ", ");
    add_seconds(text, task->sched->now - waiter->since);
}

static void add_deadline(struct nidoi_text *text, const struct nidoi_task *task)
{
    int64_t due = task->scope->due, now = task->sched->now;

    if (due == NIDO_NEVER || nidoi_scope_cancelled(task->scope)) return;
    ADD(text, "  deadline in ");
    add_seconds(text, due > now ? due - now : 0);
    if (!nidoi_debug_owns_deadline(task)) ADD(text, " (inherited)");
}

bool nidoi_debug_is_shielded(const nido_scope *scope)
{
    bool shield = false;

    for (; scope; scope = scope->parent) {
        if (shield && scope->flags & NIDOI_SCOPE_CANCELLED) return true;
        shield = shield || scope->flags & NIDOI_SCOPE_SHIELD;
    }
    return false;
}

static void add_cancel(struct nidoi_text *text, const nido_scope *scope)
{
    const nido_scope *cancel = nidoi_debug_cancel(scope);

    if (!cancel) {
        if (nidoi_debug_is_shielded(scope)) ADD(text, "  shielded from a cancel");
        return;
    }
    ADD(text, "  cancelled: %.200s", cancel->reason[0] ? cancel->reason : "no reason given");
    if (cancel->by) ADD(text, ", by #%llu", (unsigned long long)cancel->by);
    if (cancel->by && cancel->by_name[0]) ADD(text, " \"%s\"", cancel->by_name);
}

/* Scopes that were forgotten lie in frames that are gone, and other frames have written over them. From the
 * outermost on, each leads to the next as long as it is sound. */
bool nidoi_debug_scopes_sound(const struct nidoi_task *task)
{
    const nido_scope *scope = &task->base, *above = scope->parent;

    if (above && (nidoi_scope_poisoned(above) || !(above->flags & NIDOI_SCOPE_OPEN))) return false;
    while (scope != task->scope) {
        const nido_scope *inner = scope->inner;

        if (!inner || nidoi_scope_poisoned(inner)) return false;
        if (inner->parent != scope || inner->task != task) return false;
        if (!(inner->flags & NIDOI_SCOPE_OPEN)) return false;
        scope = inner;
    }
    return true;
}

/* ---- Values ---- */

static bool value_is_hidden(const struct nidoi_task *task, const nido_value *value)
{
    for (const nido_scope *scope = task->scope; scope != &value->scope; scope = scope->parent) {
        const nido_value *inner = nidoi_value_of(scope);

        if (inner && inner->key == value->key) return true;
    }
    return false;
}

/* The scope above, or NULL: at the root, or below a task whose scopes are not sound. */
static const nido_scope *scope_above(const nido_scope *scope)
{
    const nido_scope *above = scope->parent;

    if (!above || scope != &scope->task->base) return above;
    return nidoi_debug_scopes_sound(above->task) ? above : NULL;
}

const nido_value *nidoi_debug_value_next(const struct nidoi_task *task, const nido_scope **at)
{
    while (*at) {
        const nido_value *value = nidoi_value_of(*at);

        *at = scope_above(*at);
        if (value && nidoi_value_text(value) && !value_is_hidden(task, value)) return value;
    }
    return NULL;
}

static void add_values(struct nidoi_text *text, const struct nidoi_task *task)
{
    const nido_scope *at = task->scope;
    const nido_value *value;

    while ((value = nidoi_debug_value_next(task, &at)) != NULL)
        ADD(text, "  %.32s=%.64s", nidoi_value_name(value), nidoi_value_text(value));
}

/* ---- Lines ---- */

void nidoi_debug_add_task(struct nidoi_text *text, const struct nidoi_task *task, bool sizes)
{
    struct nidoi_place place;

    ADD(text, "#%llu \"%s\"", (unsigned long long)task->id, task->name ? task->name : "");
    if (task->service) ADD(text, "  service");
    add_state(text, task);
    if (nidoi_debug_scopes_sound(task)) {
        add_deadline(text, task);
        add_cancel(text, task->scope);
        add_values(text, task);
    } else {
        ADD(text, "  its scopes are not sound");
    }
    if (sizes) add_cpu(text, task);
    if (sizes)
        ADD(text, "  stack %zu of %zu KiB", (nidoi_debug_stack_used(task) + 1023) / 1024,
            nidoi_debug_stack_size(task) / 1024);
    if (task->spawned_at)
        ADD(text, "  spawned at %s", nidoi_place(&place, task->spawned_at));
    else
        ADD(text, "  nido's own");
}

void nidoi_debug_add_group(struct nidoi_text *text, const nido_group *group)
{
    ADD(text, "group \"%s\"  %s  %u %s", group->name ? group->name : "", nidoi_policy_name(group),
        group->live, group->live == 1 ? "child" : "children");
    if (group->limit) ADD(text, " of at most %u", group->limit);
    if (group->services)
        ADD(text, "  %u %s", group->services, group->services == 1 ? "service" : "services");
    if (group->failure) ADD(text, "  failed: %s", nido_strerror(group->failure));
    if (group->winner.id) ADD(text, "  won by #%llu", (unsigned long long)group->winner.id);
    add_cancel(text, &group->scope);
}

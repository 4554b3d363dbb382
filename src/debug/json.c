/* SPDX-License-Identifier: MIT */
#include "debug/json.h"

#include <inttypes.h>

#include "base/place.h"
#include "base/thread_look.h"
#include "coro/group/waits.h"
#include "coro/task/measure.h"
#include "debug/peer.h"
#include "debug/quote.h"
#include "debug/task.h"
#include "nido/time.h"
#include "nido/version.h"

static void put_text(FILE *file, const char *text)
{
    char quoted[NIDOI_QUOTED] = "";

    fputc('"', file);
    while (text && *text) fwrite(quoted, 1, nidoi_quote_next(quoted, &text), file);
    fputc('"', file);
}

static void put_key_text(FILE *file, const char *key, const char *text)
{
    fprintf(file, ",\"%s\":", key);
    put_text(file, text);
}

/* The groups that a task has opened, and the task itself, are named by numbers that are unique in one
 * report: an address is as good. */
static uint64_t group_number(const nido_group *group)
{
    return (uint64_t)(uintptr_t)group;
}

static void put_peer(FILE *file, int fd)
{
    char room[128];
    struct nidoi_text peer = {room, sizeof room, 0};

    if (nidoi_debug_add_peer(&peer, fd)) put_key_text(file, "peer", room);
}

static void put_wait(FILE *file, const struct nidoi_waiter *waiter)
{
    const struct nidoi_wait_kind *kind = waiter->kind;
    const struct nidoi_task *owner = nidoi_waiter_owner(waiter);
    const char *name = nidoi_waiter_name(waiter);

    fprintf(file, ",\"wait\":{\"kind\":");
    put_text(file, kind->name);
    if (kind->is_fd) fprintf(file, ",\"fd\":%d", (int)(intptr_t)waiter->object);
    if (name) put_key_text(file, "object", name);
    if (kind->is_fd) put_peer(file, (int)(intptr_t)waiter->object);
    if (owner) fprintf(file, ",\"owner\":%" PRIu64, owner->id);
    fprintf(file, ",\"for_ns\":%" PRId64 "}", waiter->task->sched->now - waiter->since);
}

static void put_cancel(FILE *file, const nido_scope *scope)
{
    const nido_scope *cancel = nidoi_debug_cancel(scope);

    if (!cancel) {
        if (nidoi_debug_is_shielded(scope)) fputs(",\"shielded\":true", file);
        return;
    }
    fprintf(file, ",\"cancelled\":{\"code\":%d", (int)cancel->code);
    put_key_text(file, "reason", cancel->reason);
    if (cancel->by) fprintf(file, ",\"by\":%" PRIu64, cancel->by);
    fputc('}', file);
}

static void put_values(FILE *file, const struct nidoi_task *task)
{
    const nido_scope *at = nidoi_debug_scopes_sound(task) ? task->scope : NULL;
    const nido_value *value = nidoi_debug_value_next(task, &at);

    if (!value) return;
    fputs(",\"values\":[", file);
    for (const char *between = "{"; value; between = ",{") {
        fputs(between, file);
        fputs("\"key\":", file);
        put_text(file, nidoi_value_name(value));
        put_key_text(file, "text", nidoi_value_text(value));
        fputc('}', file);
        value = nidoi_debug_value_next(task, &at);
    }
    fputc(']', file);
}

static void put_frame(FILE *file, const struct nidoi_debug_view *view, void *address)
{
    struct nidoi_symbol symbol;

    nidoi_symbol_find(view->symbols, address, &symbol);
    fprintf(file, "{\"address\":%" PRIuPTR, (uintptr_t)address);
    if (symbol.name) {
        put_key_text(file, "function", symbol.name);
        fprintf(file, ",\"offset\":%zu", symbol.offset);
    }
    if (symbol.object) {
        put_key_text(file, "object", symbol.object);
        fprintf(file, ",\"object_offset\":%zu", symbol.object_offset);
    }
    if (symbol.file) {
        put_key_text(file, "file", symbol.file);
        fprintf(file, ",\"line\":%d", symbol.line);
    }
    fputc('}', file);
}

static void put_stack(FILE *file, const struct nidoi_debug_view *view,
                      const struct nidoi_task *task)
{
    void *frames[NIDOI_FRAMES_MOST];
    int n = nidoi_debug_frames(view, task, frames, NIDOI_FRAMES_MOST);

    fprintf(file, ",\"stack\":{\"used\":%zu,\"size\":%zu", nidoi_debug_stack_used(task),
            nidoi_debug_stack_size(task));
    if (view->shown) fputs(",\"frames\":[", file);
    for (int i = 0; i < n; i++) {
        if (i) fputc(',', file);
        put_frame(file, view, frames[i]);
    }
    fputs(view->shown ? "]}" : "}", file);
}

static void put_task(FILE *file, const struct nidoi_debug_view *view, const struct nidoi_task *task)
{
    int64_t due = task->scope->due;
    uint64_t cpu_ns;
    struct nidoi_place place;

    fprintf(file, "{\"id\":%" PRIu64, task->id);
    put_key_text(file, "name", task->name);
    if (task->group)
        fprintf(file, ",\"group\":%" PRIu64, group_number(task->group));
    else
        fprintf(file, ",\"group\":null");
    put_key_text(file, "state",
                 task == task->sched->current ? "running"
                 : task->waiter               ? "parked"
                                              : "ready");
    fprintf(file, ",\"service\":%s", task->service ? "true" : "false");
    if (task->waiter) put_wait(file, task->waiter);
    if (due != NIDO_NEVER && !nidoi_scope_cancelled(task->scope))
        fprintf(file, ",\"deadline\":{\"in_ns\":%" PRId64 ",\"own\":%s}",
                due > task->sched->now ? due - task->sched->now : 0,
                nidoi_debug_owns_deadline(task) ? "true" : "false");
    put_cancel(file, task->scope);
    put_values(file, task);
    if (nidoi_measure_cpu(task, &cpu_ns)) fprintf(file, ",\"cpu_ns\":%" PRIu64, cpu_ns);
    put_stack(file, view, task);
    put_key_text(file, "spawned_at", nidoi_place(&place, task->spawned_at));
    fputc('}', file);
}

static void put_group(FILE *file, const nido_group *group)
{
    fprintf(file, "{\"number\":%" PRIu64 ",\"opened_by\":%" PRIu64, group_number(group),
            group->scope.task->id);
    put_key_text(file, "name", group->name);
    put_key_text(file, "policy", nidoi_policy_name(group));
    fprintf(file, ",\"children\":%u,\"services\":%u,\"limit\":%u,\"failure\":%d", group->live,
            group->services, group->limit, (int)group->failure);
    put_cancel(file, &group->scope);
    fputc('}', file);
}

static struct nidoi_task *live_task(struct nidoi_loop *loop, uint32_t slot)
{
    return nidoi_slots_get(&loop->slots, slot)->task;
}

static void put_tasks(FILE *file, const struct nidoi_debug_view *view, struct nidoi_loop *loop)
{
    const char *between = "\n  ";

    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        if (!live_task(loop, i)) continue;
        fputs(between, file);
        put_task(file, view, live_task(loop, i));
        between = ",\n  ";
    }
}

static void put_groups(FILE *file, struct nidoi_loop *loop)
{
    const char *between = "\n  ";

    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        const nido_scope *scope = live_task(loop, i) ? live_task(loop, i)->base.inner : NULL;

        for (; scope; scope = scope->inner) {
            if (!(scope->flags & NIDOI_SCOPE_GROUP)) continue;
            fputs(between, file);
            put_group(file, (const nido_group *)(const void *)scope);
            between = ",\n  ";
        }
    }
}

void nidoi_json_print(struct nidoi_loop *loop, const struct nidoi_debug_view *view, FILE *file)
{
    char name[NIDOI_THREAD_NAME];

    nidoi_thread_name(name);
    fprintf(file, "{\"nido\":\"%s\",\"runtime\":%u,\"now_ns\":%" PRId64 ",\"up_ns\":%" PRId64,
            NIDO_VERSION, loop->number, loop->sched.now, loop->sched.now - loop->began);
    fprintf(file, ",\"thread\":%d", loop->system_thread);
    put_key_text(file, "thread_name", name);
    fprintf(file, ",\"watches\":%zu,\"out\":%u,\n \"groups\":[", loop->reactor.watching,
            loop->expected);
    put_groups(file, loop);
    fputs("],\n \"tasks\":[", file);
    put_tasks(file, view, loop);
    fputs("]}\n", file);
}

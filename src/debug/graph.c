/* SPDX-License-Identifier: MIT */
#include "debug/graph.h"

#include <string.h>

#include "coro/group/waits.h"
#include "debug/users.h"
#include "nido/time.h"

enum {
    LINE = 1024,
    MOST = 16 /* lines of each kind */
};

struct printer {
    void (*line)(void *ctx, const char *text);
    void *ctx;
    int left;
};

/* What no task can do any more, by the name of the wait's kind: the objects are of upper floors. */
static const char *kind_hint(const struct nidoi_wait_kind *kind)
{
    static const struct {
        const char *name, *hint;
    } hints[] = {
        {"an item of channel", "no task can send to it any more: nido_chan_close_send, by the last "
                               "sender, gives its receivers -EPIPE"},
        {"room in channel",
         "no task can receive from it any more: nido_chan_close_recv, by the last "
         "receiver, gives its senders -EPIPE"},
        {"event", "no task can set it any more"},
        {"semaphore", "no task can release a permit any more; if it is the holders that wait: a "
                      "nido_limiter knows them, and refuses a second permit"},
        {"condition", "no task can signal it any more"},
        {"barrier",
         "no other task can come to it any more: nido_barrier_abort wakes those that have"},
        {"latch", "no task can count it down any more"},
        {"an item of broadcast",
         "no task can send to it any more: nido_broadcast_close gives its receivers -EPIPE"},
        {"a change of watch",
         "no task can change it any more: nido_watch_close gives its waiters -EPIPE"},
    };

    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (!strcmp(hints[i].name, kind->name)) return hints[i].hint;
    return NULL;
}

static const struct nidoi_waiter *waiter_at(const struct nidoi_loop *loop, uint32_t slot)
{
    const struct nidoi_task *task = nidoi_slots_get(&loop->slots, slot)->task;

    return task ? task->waiter : NULL;
}

/* Control characters in names must not reach a terminal. */
static void printer_add(struct printer *printer, char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 32 || *at == 127) *at = *at == '\n' ? '\n' : '?';
    printer->line(printer->ctx, text);
    printer->left--;
}

static void printer_add_ring(struct printer *printer, struct nidoi_loop *loop,
                             const struct nidoi_waiter *waiter)
{
    char text[LINE] = "ring: ";
    size_t used = strlen(text);

    if (!nidoi_wait_ring(loop, waiter, text, sizeof text - 1, &used)) return;
    nidoi_text_add(text, sizeof text, &used, "\n");
    printer_add(printer, text);
}

/* Objects with one name are alike. */
static bool object_is_alike(const struct nidoi_waiter *one, const struct nidoi_waiter *other)
{
    const char *name = nidoi_waiter_name(one), *other_name = nidoi_waiter_name(other);

    return one->object == other->object || (name && other_name && !strcmp(name, other_name));
}

/* How many wait in the same way for the same as the one in this slot; 0: an earlier one has told it. */
static uint32_t alike_from(const struct nidoi_loop *loop, uint32_t slot)
{
    const struct nidoi_waiter *waiter = waiter_at(loop, slot);
    uint32_t count = 0;

    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        const struct nidoi_waiter *other = waiter_at(loop, i);

        if (!other || other->kind->name != waiter->kind->name) continue;
        if (!object_is_alike(waiter, other)) continue;
        if (i < slot) return 0;
        count++;
    }
    return count;
}

static const struct nidoi_task *task_by_id(const struct nidoi_loop *loop, uint64_t id)
{
    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        const struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        if (task && task->id == id) return task;
    }
    return NULL;
}

/* "last used by #3 "consumer" 0.2 s ago, which has ended; #1 ...": not those that wait in the same way. */
static void printer_add_users(struct printer *printer, const struct nidoi_loop *loop,
                              const struct nidoi_waiter *waiter)
{
    const struct nidoi_user *users = nidoi_users_of(loop, waiter->object);
    char text[LINE] = "      last used by";
    size_t used = strlen(text), before = used;

    for (int i = 0; users && i < NIDOI_USERS_KEPT && users[i].id; i++) {
        const struct nidoi_task *task = task_by_id(loop, users[i].id);
        int64_t ago = loop->sched.now - users[i].when;

        if (task && task->waiter && task->waiter->kind->name == waiter->kind->name &&
            object_is_alike(waiter, task->waiter))
            continue;
        nidoi_text_add(text, sizeof text - 1, &used, "%s #%llu \"%s\" %lld.%lld s ago%s",
                       used > before ? ";" : "", (unsigned long long)users[i].id, users[i].name,
                       (long long)(ago / NIDO_SEC(1)),
                       (long long)(ago % NIDO_SEC(1) / NIDO_MS(100)),
                       task ? "" : ", which has ended");
    }
    nidoi_text_add(text, sizeof text, &used, "\n");
    if (used > before + 1) printer_add(printer, text);
}

static void printer_add_hint(struct printer *printer, const struct nidoi_loop *loop, uint32_t slot)
{
    const struct nidoi_waiter *waiter = waiter_at(loop, slot);
    const char *hint = kind_hint(waiter->kind);
    uint32_t alike = hint ? alike_from(loop, slot) : 0;
    char text[LINE] = "";
    size_t used = 0;

    if (!alike) return;
    nidoi_text_add(text, sizeof text, &used, "hint: #%llu", (unsigned long long)waiter->task->id);
    if (alike > 1) nidoi_text_add(text, sizeof text, &used, " (and %u more)", alike - 1);
    nidoi_text_add(text, sizeof text, &used, " ");
    nidoi_wait_print(text, sizeof text, &used, waiter);
    nidoi_text_add(text, sizeof text, &used, "; %s\n", hint);
    printer_add(printer, text);
    printer_add_users(printer, loop, waiter);
}

void nidoi_graph_print(struct nidoi_loop *loop, void (*line)(void *ctx, const char *text),
                       void *ctx)
{
    struct printer rings = {line, ctx, MOST}, hints = rings;

    for (uint32_t i = 1; i <= loop->slots.made && rings.left > 0; i++)
        if (waiter_at(loop, i)) printer_add_ring(&rings, loop, waiter_at(loop, i));
    for (uint32_t i = 1; i <= loop->slots.made && hints.left > 0; i++)
        if (waiter_at(loop, i)) printer_add_hint(&hints, loop, i);
}

/* SPDX-License-Identifier: MIT */
/* scope_model.h: what scope_model.c compares the tree of scopes with.
 *
 * The model keeps nothing but what each scope was told (parent, deadline, shield, cancelled when);
 * what is effective it works out anew each time, by the definition:
 *
 *     cancelled, if it was cancelled itself or is not a shield and its parent is cancelled;
 *     its deadline is its own or, if it is not a shield, an earlier one of its parent;
 *     a shield ends with the grace of each cancelled scope around it at the latest.
 *
 * Each complaint ends the run. */
#ifndef SCOPE_MODEL_H
#define SCOPE_MODEL_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "coro/group/group.h"
#include "nido_test.h"
#include "seeded.h"

enum { MOST_NODES = 400, MOST_TASKS = 40, MOST_DEPTH = 7, EVENTS = 4 };

struct node {
    nido_scope *scope;
    struct nidoi_task *task; /* set: this is the first scope of a task */
    nido_task handle;
    int parent, innermost, depth;
    bool live, shield, open_body, cancelled, seen, unsure;
    int64_t deadline, when;
    int code, failure;
    enum nido_policy policy;
};

static struct {
    struct seeded seeded;
    int steps, tasks;
    bool work;
    int64_t grace;
    unsigned long checks;
    struct node nodes[MOST_NODES];
    nido_event events[EVENTS];
    char complaint[256];
} world;

static struct node *at(int i)
{
    return &world.nodes[i];
}

static bool chance(unsigned n)
{
    return seeded_below(&world.seeded, n) == 0;
}

/* Everybody goes home: no step is left, and nobody waits for an event. */
static void finish(void)
{
    world.steps = 0;
    for (int i = 0; i < EVENTS; i++) nido_event_set(&world.events[i]);
}

static void expect(bool holds, const char *format, ...) NIDO_PRINTF(2, 3);
static void expect(bool holds, const char *format, ...)
{
    va_list args;

    if (holds || world.complaint[0]) return;
    va_start(args, format);
    vsnprintf(world.complaint, sizeof world.complaint, format, args);
    va_end(args);
    finish();
}

/* ---- The definition ---- */

static int64_t bounded(int i)
{
    int64_t end = at(i)->deadline;

    if (!at(i)->shield || world.grace == NIDO_NEVER) return end;
    for (int above = at(i)->parent; above >= 0; above = at(above)->parent)
        if (at(above)->cancelled && at(above)->when + world.grace < end)
            end = at(above)->when + world.grace;
    return end;
}

/* INT64_MIN: cancelled. */
static int64_t effective(int i)
{
    int64_t end = bounded(i), above;

    if (at(i)->cancelled) return INT64_MIN;
    if (at(i)->shield || at(i)->parent < 0) return end;
    above = effective(at(i)->parent);
    return above < end ? above : end;
}

static bool encloses(int outer, int inner)
{
    while (inner >= 0 && inner != outer) inner = at(inner)->parent;
    return inner >= 0;
}

static void cancel(int i, int code)
{
    if (at(i)->cancelled) return;
    at(i)->cancelled = true;
    at(i)->when = nido_now();
    at(i)->code = code;
}

/* ---- Comparing ---- */

/* A scope that is cancelled though nobody cancelled it has met its deadline. */
static void learn(void)
{
    int64_t now = nido_now();
    bool fired[MOST_NODES] = {false};

    for (int i = 0; i < MOST_NODES; i++) {
        if (!at(i)->live || at(i)->cancelled || !(at(i)->scope->flags & NIDOI_SCOPE_CANCELLED))
            continue;
        fired[i] = true;
        at(i)->when = at(i)->scope->when;
        at(i)->code = -ETIMEDOUT;
    }
    for (int i = 0; i < MOST_NODES; i++) {
        if (!fired[i]) continue;
        at(i)->cancelled = true;
        expect(at(i)->when <= now, "scope %d was cancelled in the future", i);
    }
    for (int i = 0; i < MOST_NODES; i++)
        if (fired[i]) expect(bounded(i) <= at(i)->when, "scope %d was cancelled by nobody", i);
}

/* How exactly a deadline that has passed is stored is nobody's business. */
static bool same(int64_t due, int64_t wanted, int64_t now)
{
    if (due == INT64_MIN || wanted == INT64_MIN) return due == wanted;
    return due == wanted || (due <= now && wanted <= now);
}

static void compare_task(int i, int64_t now)
{
    const struct nidoi_task *task = at(i)->task;
    int64_t due = effective(at(i)->innermost);

    expect(task->scope == at(at(i)->innermost)->scope, "task %d is in another scope", i);
    if (!task->waiter || !task->waiter->kind->undo) return;
    expect(due != INT64_MIN, "task %d sleeps in a cancelled scope", i);
    expect(world.work || due > now, "task %d sleeps past its deadline", i);
    expect(world.work || task->alarm > now, "task %d oversleeps", i);
}

static void compare(void)
{
    int64_t now = nido_now();

    learn();
    for (int i = 0; i < MOST_NODES; i++) {
        const struct node *node = at(i);

        if (!node->live) continue;
        world.checks++;
        expect((node->scope->flags & NIDOI_SCOPE_CANCELLED) == 0 || node->cancelled,
               "scope %d has forgotten its cancel", i);
        expect(same(node->scope->due, effective(i), now), "scope %d is due at %lld, not %lld", i,
               (long long)node->scope->due, (long long)effective(i));
        if (node->task) compare_task(i, now);
    }
}

/* ---- Nodes ---- */

static int place(void)
{
    for (int i = 0; i < MOST_NODES; i++)
        if (!at(i)->live) return i;
    return -1;
}

static int base_of(int i)
{
    while (!at(i)->task) i = at(i)->parent;
    return i;
}

static int add(nido_scope *scope, int parent, int64_t deadline)
{
    int i = place();

    *at(i) = (struct node){.scope = scope, .parent = parent, .live = true, .deadline = deadline};
    at(i)->depth = at(parent)->depth + 1;
    return i;
}

static int add_inner(nido_scope *scope, int parent, int64_t deadline)
{
    int i = add(scope, parent, deadline);

    at(base_of(parent))->innermost = i;
    return i;
}

static void add_task(struct nidoi_task *task, nido_task handle, int parent)
{
    int i = add(&task->base, parent, NIDO_NEVER);

    at(i)->task = task;
    at(i)->handle = handle;
    at(i)->innermost = i;
    task->arg = (void *)(intptr_t)i;
    world.tasks++;
}

static int pick(bool (*fits)(const struct node *))
{
    int from = (int)seeded_below(&world.seeded, MOST_NODES);

    for (int n = 0; n < MOST_NODES; n++) {
        int i = (from + n) % MOST_NODES;

        if (at(i)->live && fits(at(i))) return i;
    }
    return -1;
}

#endif

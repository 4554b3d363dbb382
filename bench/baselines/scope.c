/* SPDX-License-Identifier: MIT */
/* scope.c: floors of scopes and deadlines.
 *
 * The scope is linked into a chain with the earlier of two deadlines, and taken out again: a few
 * stores and no clock. The timeout around a ready call is the same and a reading of the clock,
 * without which "from now on" means nothing, and a call through a pointer, which looks at a flag.
 * The wheel is one level of a timer wheel: arming puts a node into the list of its slot, disarming
 * takes it out, whatever else is in there; it never expires anything, and has no second level. All
 * leave out tasks and cancelling; noinline stands for the call into a library. */
#include "floors.h"

#include <stdlib.h>

struct scope {
    struct scope *parent;
    int64_t deadline, due;
};

static __attribute__((noinline)) void scope_open(struct scope **current, struct scope *scope,
                                                 int64_t deadline)
{
    struct scope *parent = *current;
    scope->parent = parent;
    scope->deadline = deadline;
    scope->due = deadline < parent->due ? deadline : parent->due;
    *current = scope;
}

static __attribute__((noinline)) int scope_close(struct scope **current, struct scope *scope,
                                                 int rc)
{
    *current = scope->parent;
    return rc;
}

void floor_scope(const struct bench_ask *ask, struct bench_sample *out)
{
    struct scope root = {.due = INT64_MAX};
    struct scope *current = &root;
    int rc = 0;
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds && !rc; i++) {
        struct scope scope;
        scope_open(&current, &scope, i);
        rc = scope_close(&current, &scope, 0);
    }
    bench_per_operation(out, bench_now() - start, ask->rounds);
}

static __attribute__((noinline)) int is_ready(void *arg)
{
    const volatile bool *ready = arg;
    return *ready ? 0 : -1;
}

static __attribute__((noinline)) int with_timeout(struct scope **current, int64_t ns, nido_fn *fn,
                                                  void *arg)
{
    struct scope scope;
    scope_open(current, &scope, bench_now() + ns);
    return scope_close(current, &scope, fn(arg));
}

void floor_with_timeout(const struct bench_ask *ask, struct bench_sample *out)
{
    struct scope root = {.due = INT64_MAX};
    struct scope *current = &root;
    bool ready = true;
    int rc = 0;
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds && !rc; i++)
        rc = with_timeout(&current, NIDO_SEC(3600), is_ready, &ready);
    bench_per_operation(out, bench_now() - start, ask->rounds);
}

enum { SLOTS = 512, SLOT_SHIFT = 20 };

struct node {
    struct node *next, *prev;
    int64_t when;
};

static __attribute__((noinline)) void arm(struct node *slots, struct node *node)
{
    struct node *slot = &slots[(node->when >> SLOT_SHIFT) % SLOTS];
    node->next = slot->next;
    node->prev = slot;
    slot->next->prev = node;
    slot->next = node;
}

static __attribute__((noinline)) void disarm(struct node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

static void fill(struct node *slots, struct node *others, long count)
{
    for (long i = 0; i < SLOTS; i++) slots[i].next = slots[i].prev = &slots[i];
    for (long i = 0; i < count; i++) {
        others[i].when = i << SLOT_SHIFT;
        arm(slots, &others[i]);
    }
}

void floor_wheel(const struct bench_ask *ask, struct bench_sample *out)
{
    static struct node slots[SLOTS];
    struct node *others = calloc((size_t)ask->count + 1, sizeof *others);
    if (!others) {
        bench_skip(out, "no memory");
        return;
    }
    fill(slots, others, ask->count);
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds; i++) {
        struct node mine = {.when = i};
        arm(slots, &mine);
        disarm(&mine);
    }
    bench_per_operation(out, bench_now() - start, ask->rounds);
    free(others);
}

/* SPDX-License-Identifier: MIT */
#include "base/timers.h"

#include "base/assert.h"
#include "base/mem.h"

enum { WAYS = 4 };

void nidoi_timers_init(struct nidoi_timers *timers)
{
    *timers = (struct nidoi_timers){0};
}

void nidoi_timers_deinit(struct nidoi_timers *timers)
{
    nidoi_mem.release(timers->heap);
}

int nidoi_timers_reserve(struct nidoi_timers *timers, size_t n)
{
    return nidoi_mem_grow((void **)&timers->heap, &timers->capacity, n, sizeof *timers->heap);
}

static bool entry_before(const struct nidoi_timers_entry *a, const struct nidoi_timers_entry *b)
{
    return a->when != b->when ? a->when < b->when : a->timer->order < b->timer->order;
}

static void heap_put(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    timers->heap[at] = entry;
    entry.timer->position = (uint32_t)at + 1;
}

static void heap_sift_up(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    while (at > 0) {
        size_t parent = (at - 1) / WAYS;

        if (!entry_before(&entry, &timers->heap[parent])) break;
        heap_put(timers, at, timers->heap[parent]);
        at = parent;
    }
    heap_put(timers, at, entry);
}

static size_t heap_least_child(const struct nidoi_timers *timers, size_t at)
{
    size_t first = at * WAYS + 1, end = first + WAYS, least = first;

    if (end > timers->count) end = timers->count;
    for (size_t i = first + 1; i < end; i++)
        if (entry_before(&timers->heap[i], &timers->heap[least])) least = i;
    return first < timers->count ? least : 0;
}

static void heap_sift_down(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    for (size_t child; (child = heap_least_child(timers, at)) != 0; at = child) {
        if (!entry_before(&timers->heap[child], &entry)) break;
        heap_put(timers, at, timers->heap[child]);
    }
    heap_put(timers, at, entry);
}

static void heap_sift(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    if (at > 0 && entry_before(&entry, &timers->heap[(at - 1) / WAYS]))
        heap_sift_up(timers, at, entry);
    else
        heap_sift_down(timers, at, entry);
}

void nidoi_timers_set(struct nidoi_timers *timers, struct nidoi_timer *timer, int64_t when)
{
    struct nidoi_timers_entry entry = {when, timer};
    size_t at = timer->position ? timer->position - 1 : timers->count++;

    nidoi_assert(timers->count <= timers->capacity);
    timer->when = when;
    timer->order = timers->order++;
    timers->heap[at] = entry;
    heap_sift(timers, at, entry);
}

void nidoi_timers_remove(struct nidoi_timers *timers, struct nidoi_timer *timer)
{
    size_t at = timer->position - 1;
    struct nidoi_timers_entry last;

    if (!timer->position) return;
    timer->position = 0;
    last = timers->heap[--timers->count];
    if (last.timer != timer) heap_sift(timers, at, last);
}

struct nidoi_timer *nidoi_timers_take(struct nidoi_timers *timers, int64_t now, size_t most)
{
    struct nidoi_timer *first = NULL, *top, **end = &first;

    while (most-- && (top = nidoi_timers_top(timers)) != NULL && top->when <= now) {
        nidoi_timers_remove(timers, top);
        *end = top;
        end = &top->next;
    }
    *end = NULL;
    return first;
}

bool nidoi_timers_check(const struct nidoi_timers *timers)
{
    for (size_t i = 0; i < timers->count; i++) {
        const struct nidoi_timers_entry *entry = &timers->heap[i];

        if (entry->timer->position != i + 1 || entry->timer->when != entry->when) return false;
        if (i && entry_before(entry, &timers->heap[(i - 1) / WAYS])) return false;
    }
    return true;
}

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

static bool before(const struct nidoi_timers_entry *a, const struct nidoi_timers_entry *b)
{
    return a->when != b->when ? a->when < b->when : a->timer->order < b->timer->order;
}

static void put(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    timers->heap[at] = entry;
    entry.timer->place = (uint32_t)at + 1;
}

static void sift_up(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    while (at > 0) {
        size_t parent = (at - 1) / WAYS;

        if (!before(&entry, &timers->heap[parent])) break;
        put(timers, at, timers->heap[parent]);
        at = parent;
    }
    put(timers, at, entry);
}

static size_t least_child(const struct nidoi_timers *timers, size_t at)
{
    size_t first = at * WAYS + 1, end = first + WAYS, least = first;

    if (end > timers->count) end = timers->count;
    for (size_t i = first + 1; i < end; i++)
        if (before(&timers->heap[i], &timers->heap[least])) least = i;
    return first < timers->count ? least : 0;
}

static void sift_down(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    for (size_t child; (child = least_child(timers, at)) != 0; at = child) {
        if (!before(&timers->heap[child], &entry)) break;
        put(timers, at, timers->heap[child]);
    }
    put(timers, at, entry);
}

static void sift(struct nidoi_timers *timers, size_t at, struct nidoi_timers_entry entry)
{
    if (at > 0 && before(&entry, &timers->heap[(at - 1) / WAYS]))
        sift_up(timers, at, entry);
    else
        sift_down(timers, at, entry);
}

void nidoi_timers_set(struct nidoi_timers *timers, struct nidoi_timer *timer, int64_t when)
{
    struct nidoi_timers_entry entry = {when, timer};
    size_t at = timer->place ? timer->place - 1 : timers->count++;

    nidoi_assert(timers->count <= timers->capacity);
    timer->when = when;
    timer->order = timers->order++;
    timers->heap[at] = entry;
    sift(timers, at, entry);
}

void nidoi_timers_remove(struct nidoi_timers *timers, struct nidoi_timer *timer)
{
    size_t at = timer->place - 1;
    struct nidoi_timers_entry last;

    if (!timer->place) return;
    timer->place = 0;
    last = timers->heap[--timers->count];
    if (last.timer != timer) sift(timers, at, last);
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

        if (entry->timer->place != i + 1 || entry->timer->when != entry->when) return false;
        if (i && before(entry, &timers->heap[(i - 1) / WAYS])) return false;
    }
    return true;
}

/* SPDX-License-Identifier: MIT */
/* select.c: floor of a select that need not wait: one of some slots is filled, then they are looked
 * at in turn until one is full. It leaves out tasks, drawing where to begin, and any other kind of
 * thing to wait for; noinline stands for the call into a library. */
#include "floors.h"

struct slot {
    long item;
    bool full;
};

static __attribute__((noinline)) bool put(struct slot *slot, long item)
{
    if (slot->full) return false;
    *slot = (struct slot){.item = item, .full = true};
    return true;
}

static __attribute__((noinline)) long take_first(struct slot *const *slots, long n, long *item)
{
    for (long i = 0; i < n; i++) {
        if (!slots[i]->full) continue;
        slots[i]->full = false;
        *item = slots[i]->item;
        return i;
    }
    return -1;
}

void floor_select(const struct bench_ask *ask, struct bench_sample *out)
{
    enum { SLOTS = 128 };
    static struct slot slots[SLOTS], *places[SLOTS];
    long item, index = 0;
    for (long i = 0; i < ask->count; i++) places[i] = &slots[i];
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds && index >= 0; i++) {
        put(&slots[i % ask->count], i);
        index = take_first(places, ask->count, &item);
    }
    bench_per_operation(out, bench_now() - start, ask->rounds);
}

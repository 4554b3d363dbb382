/* SPDX-License-Identifier: MIT */
/* base/timers.h: instants in order: a 4-ary heap of timers, each of which is part of another
 * struct.
 *
 * 1. Setting and removing never fail: room is reserved beforehand, one entry for each timer that
 * may be set.
 * 2. Equal instants come out in the order in which they were set.
 * 3. Only the heap writes a timer's fields, except `owner`. A timer at position 0 is not set. */
#ifndef NIDOI_TIMERS_H
#define NIDOI_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nidoi_timer {
    int64_t when;
    union {
        uint64_t order;           /* breaks ties */
        struct nidoi_timer *next; /* among those just taken */
    };
    uint32_t position; /* index in the heap plus one */
    uint32_t owner;    /* for the struct that the timer is part of */
};

struct nidoi_timers_entry {
    int64_t when; /* a copy, so that sifting does not touch the timers */
    struct nidoi_timer *timer;
};

struct nidoi_timers {
    struct nidoi_timers_entry *heap;
    size_t count, capacity;
    uint64_t order;
};

void nidoi_timers_init(struct nidoi_timers *timers);
void nidoi_timers_deinit(struct nidoi_timers *timers);

/* Room for `n` timers in all. 0 or -ENOMEM. */
int nidoi_timers_reserve(struct nidoi_timers *timers, size_t n);

/* Sets a timer, or moves one that is set. */
void nidoi_timers_set(struct nidoi_timers *timers, struct nidoi_timer *timer, int64_t when);

/* Unsets a timer, if it is set. */
void nidoi_timers_remove(struct nidoi_timers *timers, struct nidoi_timer *timer);

/* Unsets the first timers, at most `most`, whose time has come; they are linked by `next` in their
 * order. NULL: none. */
struct nidoi_timer *nidoi_timers_take(struct nidoi_timers *timers, int64_t now, size_t most);

/* The earliest, NULL if none. */
static inline struct nidoi_timer *nidoi_timers_top(const struct nidoi_timers *timers)
{
    return timers->count ? timers->heap[0].timer : NULL;
}

static inline bool nidoi_timer_is_set(const struct nidoi_timer *timer)
{
    return timer->position != 0;
}

/* True: all invariants of the heap hold. For tests and strict runs. */
bool nidoi_timers_check(const struct nidoi_timers *timers);

#endif

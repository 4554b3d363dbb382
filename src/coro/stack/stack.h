/* SPDX-License-Identifier: MIT */
/* coro/stack/stack.h: guarded stacks, pooled by size.
 *
 * Stacks are cut from slabs, a few large reservations that the kernel fills page by page as they
 * are touched. Below each lies a guard, wide enough that an ordinary large frame cannot step over it
 * (the probes of -fstack-clash-protection are for the extraordinary): by guard advice where the
 * kernel has it (a million cost no mapping), by mprotect elsewhere (where vm.max_map_count ends it
 * at some 32 000). A returned stack stays warm and is the first to be taken again; what a peak left over goes back to
 * the kernel when it was not wanted for a while.
 *
 * 1. A stack's record lies at its very top, so a parked task touches one page.
 * 2. A warm stack's record is valid; of a cold one nothing is touched but its guard.
 * 3. Returning never fails and gives no page back: it may be called by the very task that stands on
 * it. Trimming is for the loop alone. */
#ifndef NIDOI_STACK_H
#define NIDOI_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct nidoi_slab;
struct nidoi_stack_class;

struct nidoi_stack {
    char *bottom;                    /* lowest usable byte */
    struct nidoi_stack_class *class; /* NULL: the user's memory */
    struct nidoi_slab *slab;
    struct nidoi_link link; /* among the warm ones */
    uint32_t index;         /* in its slab */
    unsigned valgrind_id;
};

enum {
    NIDOI_STACK_GUARD = 64 << 10, /* a multiple of every page size */
    NIDOI_STACK_LEAST = 16 << 10, /* of usable bytes, as the next */
    NIDOI_STACK_MOST = 1 << 30,
    NIDOI_STACK_DEFAULT = 192 << 10,
    NIDOI_STACK_CLASSES = 15
};

struct nidoi_stack_class {
    struct nidoi_link warm;  /* latest returned first */
    struct nidoi_link slabs; /* those with a cold stack first */
    size_t size;             /* of address space: the guard is part of it */
    size_t warm_count;
    size_t spare; /* the least warm_count since the last trim: so many were not used */
};

struct nidoi_stacks {
    struct nidoi_stack_class classes[NIDOI_STACK_CLASSES]; /* 128 KiB, 256 KiB, ... 2 GiB */
    size_t in_use;
    size_t mapped;        /* bytes of slabs */
    int64_t trim_at;      /* NIDO_NEVER: no peak to clear away */
    bool no_guard_advice; /* the kernel has none: found out at the first slab */
};

void nidoi_stacks_init(struct nidoi_stacks *stacks);
void nidoi_stacks_deinit(struct nidoi_stacks *stacks);

/* The address space that serves `size` usable bytes: a power of two; 0: too large. */
size_t nidoi_stacks_round(size_t size);

/* The class that serves `size` bytes; NULL: more than 1 GiB. */
struct nidoi_stack_class *nidoi_stacks_class(struct nidoi_stacks *stacks, size_t size);

/* A stack of the class, guard and record included. 0; -EAGAIN: no more guards (vm.max_map_count);
 * -ENOMEM. */
static inline int nidoi_stacks_take(struct nidoi_stacks *stacks, struct nidoi_stack_class *class,
                                    struct nidoi_stack **out);

/* Makes the record of a stack in the user's memory. NULL: too small. */
struct nidoi_stack *nidoi_stacks_adopt(void *memory, size_t size);

/* Has nothing been written below it? Of the user's memory the lowest bytes tell, below which there is no guard; of
 * others the record of the stack below the guard, if that is in use or warm. */
bool nidoi_stack_is_whole(const struct nidoi_stack *stack);

/* `now` starts the time after which a peak is cleared away. */
void nidoi_stacks_put(struct nidoi_stacks *stacks, struct nidoi_stack *stack, int64_t now);

/* From the loop: gives pages of some unwanted stacks back. True: there are more, come again. */
bool nidoi_stacks_trim(struct nidoi_stacks *stacks, int64_t now);

/* ---- A warm one, inline ---- */

enum { NIDOI_STACK_TOP = 640 }; /* bytes that a new task writes: its record and its first frame */

/* A caller that takes one often takes many, and the tops of stacks that were away lie far from the
 * caches. */
static inline __attribute__((always_inline)) void
nidoi_stacks_prefetch(const struct nidoi_stack *stack)
{
    const char *end = (const char *)(stack + 1);

    for (int at = 64; at <= NIDOI_STACK_TOP; at += 64) __builtin_prefetch(end - at, 1);
}

int nidoi_stacks_take_cold(struct nidoi_stacks *stacks, struct nidoi_stack_class *class,
                           struct nidoi_stack **out);

static inline int nidoi_stacks_take(struct nidoi_stacks *stacks, struct nidoi_stack_class *class,
                                    struct nidoi_stack **out)
{
    struct nidoi_link *link = nidoi_list_pop(&class->warm);

    if (!link) return nidoi_stacks_take_cold(stacks, class, out);
    *out = nidoi_container(link, struct nidoi_stack, link);
    if (--class->warm_count < class->spare) class->spare = class->warm_count;
    if (class->warm_count)
        nidoi_stacks_prefetch(nidoi_container(class->warm.next, struct nidoi_stack, link));
    stacks->in_use++;
    return 0;
}

#endif

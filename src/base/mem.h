/* SPDX-License-Identifier: MIT */
/* base/mem.h: every allocation of the library goes through this table, so that a test can make the
 * n-th one fail, and a program can have its own (nido/memory.h). Stacks are mapped instead
 * (base/sys.h). */
#ifndef NIDOI_MEM_H
#define NIDOI_MEM_H

#include <stddef.h>

struct nidoi_mem {
    void *(*alloc)(size_t size);                /* as malloc */
    void *(*resize)(void *memory, size_t size); /* as realloc: NULL leaves memory as it was */
    void (*release)(void *memory);              /* as free */
};

extern struct nidoi_mem nidoi_mem;

/* Atomic: not 0 from the first allocation on, whatever came of it. */
extern int nidoi_mem_taken;

/* Zeroed memory, or NULL. */
void *nidoi_mem_zeroed(size_t size);

/* Makes *array hold at least `want` elements of `size` bytes by doubling *capacity; new elements
 * are zero. 0, or -ENOMEM with nothing changed. */
int nidoi_mem_grow(void **array, size_t *capacity, size_t want, size_t size);

#endif

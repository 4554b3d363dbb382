/* SPDX-License-Identifier: MIT */
/* sync/items.h: the size of a buffer of items, and how an item is copied. */
#ifndef NIDOI_ITEMS_H
#define NIDOI_ITEMS_H

#include <string.h>

#include "sync/sync.h"

/* Most items are a pointer or a number; of 0 bytes there may be no pointer. */
static inline void nidoi_items_copy(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size)
        memcpy(to, from, size);
}

/* The bytes of `capacity` items. -EINVAL: more than can be allocated with a struct before them. */
static inline int nidoi_items_size(size_t item_size, size_t capacity, size_t *out)
{
    if (__builtin_mul_overflow(item_size, capacity, out)) return -EINVAL;
    return *out <= PTRDIFF_MAX / 2 ? 0 : -EINVAL;
}

#endif

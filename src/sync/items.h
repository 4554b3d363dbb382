/* sync/items.h: what channels, broadcasts and watches share: whose they are, and how large their
 * memory is. */
#ifndef NIDOI_ITEMS_H
#define NIDOI_ITEMS_H

#include <string.h>

#include "coro/scope.h"

/* An object belongs to the runtime of the first task that uses it, until it is idle again. 0: it is
 * this runtime's; -EXDEV: it is in use by another. */
static inline int nidoi_bind(const struct nidoi_loop *loop, nido_rt **rt, bool idle)
{
    if (*rt == loop->door) return 0;
    if (!idle) return -EXDEV;
    *rt = loop->door;
    return 0;
}

/* The same for calls that work without a runtime too, as long as nobody has to be woken: else
 * -EPERM. */
static inline int nidoi_bind_here(nido_rt **rt, bool idle, bool awaited)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return awaited ? -EPERM : 0;
    return nidoi_bind(loop, rt, idle);
}

/* Most items are a pointer or a number. */
static inline void nidoi_items_copy(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, size);
}

/* The bytes of `capacity` items, with room in memory for a little more. 0; -EINVAL. */
static inline int nidoi_items_size(size_t item_size, size_t capacity, size_t *out)
{
    if (!item_size || __builtin_mul_overflow(item_size, capacity, out)) return -EINVAL;
    return *out <= PTRDIFF_MAX / 2 ? 0 : -EINVAL;
}

#endif

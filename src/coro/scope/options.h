/* SPDX-License-Identifier: MIT */
/* coro/scope/options.h: reading option structs, whose size in the program may differ from ours.
 *
 * 1. Each begins with `size_t size`. A program compiled with an older header passes a smaller
 *    struct: the fields that it lacks are zero, the default of every field. A newer program passes
 *    a larger one: what is beyond ours must be zero, for this library cannot do what it asks.
 * 2. So a new field goes to the end, behind the old size and not into its padding, and zero means
 *    what the library did before.
 * 3. After NIDOI_OPTIONS its caller uses the result only, which has our size.
 * 4. What is refused here is told: as the text of the task's error, outside tasks on stderr. */
#ifndef NIDOI_OPTIONS_H
#define NIDOI_OPTIONS_H

#include <stddef.h>

/* `theirs` has another size than ours, or is NULL. */
const void *nidoi_options_copy(const void *theirs, void *room, size_t ours, const char *type);

static inline const void *nidoi_options_read(const void *theirs, void *room, size_t ours,
                                             const char *type)
{
    if (theirs && *(const size_t *)theirs == ours) return theirs;
    return nidoi_options_copy(theirs, room, ours, type);
}

/* The caller's options as a struct of our size: what `theirs` points to, or a copy in *room, which
 * is to live as long. `theirs` NULL: all zeros. NULL: the size makes no sense, or something beyond
 * ours is asked for. */
#define NIDOI_OPTIONS(type, theirs, room) \
    ((const type *)nidoi_options_read(1 ? (theirs) : (room), (room), sizeof(type), #type))

#endif

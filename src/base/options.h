/* base/options.h: reading option structs, whose size in the program may differ from ours.
 *
 * 1. Each begins with `size_t size`. A program compiled with an older header passes a smaller
 *    struct: the fields that it lacks are zero, the default of every field. A newer program passes
 *    a larger one: what is beyond ours must be zero, for this library cannot do what it asks.
 * 2. So a new field goes to the end, behind the old size and not into its padding, and zero means
 *    what the library did before.
 * 3. After NIDOI_OPTIONS its caller uses the result only, which has our size. */
#ifndef NIDOI_OPTIONS_H
#define NIDOI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/assert.h"

enum { NIDOI_OPTIONS_MOST = 4096 }; /* bytes; a size above is garbage */

static inline bool nidoi_options_beyond(const char *options, size_t from, size_t to)
{
    for (; from < to; from++)
        if (options[from]) return true;
    return false;
}

/* `theirs` has another size than ours, or is NULL. */
__attribute__((unused)) NIDOI_RARE static const void *nidoi_options_copy(const void *theirs,
                                                                         void *room, size_t ours)
{
    size_t given = theirs ? *(const size_t *)theirs : sizeof given;

    if (given < sizeof given || given > NIDOI_OPTIONS_MOST || given % sizeof given) return NULL;
    if (given > ours && nidoi_options_beyond(theirs, ours, given)) return NULL;
    memset(room, 0, ours);
    if (theirs) memcpy(room, theirs, given < ours ? given : ours);
    *(size_t *)room = ours;
    return room;
}

static inline const void *nidoi_options_read(const void *theirs, void *room, size_t ours)
{
    if (theirs && *(const size_t *)theirs == ours) return theirs;
    return nidoi_options_copy(theirs, room, ours);
}

/* The caller's options as a struct of our size: what `theirs` points to, or a copy in *room, which
 * is to live as long. `theirs` NULL: all zeros. NULL: the size makes no sense, or something beyond
 * ours is asked for. */
#define NIDOI_OPTIONS(theirs, room) \
    nidoi_options_read(1 ? (theirs) : (room), (room), sizeof *(room))

#endif

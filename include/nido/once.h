/* nido/once.h: something that is to be done once, however many tasks want it.
 *
 * The first task does it, in its own name; others who come meanwhile wait. Its success is kept and
 * given to all. If it fails, or is cancelled, that is its own affair: the next one who waits tries.
 * Who waits may leave at any time, that does not touch the work. */
#ifndef NIDO_ONCE_H
#define NIDO_ONCE_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must not move or go away while tasks run or wait. */
typedef struct nido_once {
    struct nidoi_sync sync;
    struct nidoi_task *runner; /* who is at it, or NULL */
    int32_t rc;                /* the success that is kept */
    uint32_t done;             /* there is one */
} nido_once;

/* Makes a once that is still to be done; `name` (for reports) outlives it, or is NULL. Cannot fail.
 * Not a cancellation point. */
NIDO_API void nido_once_init(nido_once *once, const char *name);

/* Calls fn(arg) in the calling task, unless that was done with success before; waits while another
 * task is at it. Cancellation point. The result of the fn that succeeded (>= 0), or the failure of
 * the caller's own; -ECANCELED; -EINVAL: fn is NULL; -EDEADLK: from inside fn, or the task that is
 * at it waits for the caller, by locks, joins or the close of a group; -EXDEV: another thread's. A
 * wait that was given the result returns it even if it is cancelled before it runs; one that was
 * given the work calls fn, whose first cancellation point is refused then. */
NIDO_API int nido_once_do(nido_once *once, nido_fn *fn, void *arg);

/* Ends its life. Not a cancellation point. 0; -EBUSY: a task is at it, nothing is done. */
NIDO_API int nido_once_deinit(nido_once *once);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* nido/once.h: work that is done once, however many tasks ask for it.
 *
 * The first task does the work; tasks that ask meanwhile wait. Its success is kept and given to all
 * of them. If it fails or is cancelled, only its own call fails, and the next task in line tries; a
 * failure can be shared instead. A task that waits may be cancelled at any time; that does not
 * disturb the work. What is kept can be forgotten, so that it is done again. */
#ifndef NIDO_ONCE_H
#define NIDO_ONCE_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address while tasks run or wait. */
typedef struct nido_once {
    struct nidoi_sync sync;
    struct nidoi_task *runner; /* does the work now, or NULL */
    int32_t rc;                /* the success that is kept */
    uint32_t done;             /* 1: there is one; 2: what is done now will not be kept */
    uint64_t spare[2];
} nido_once;

/* As nido_once_init makes it, for what is initialised before main. All zeros are one without a
 * name. */
#define NIDO_ONCE_INIT(name)                                \
    {                                                       \
        NIDOI_SYNC_INIT(name), NULL, 0, 0, NIDOI_SPARE_INIT \
    }

/* Makes a once whose work is still to be done; `name` (for reports) outlives it, or is NULL. Cannot
 * fail. Not a cancellation point. */
NIDO_API void nido_once_init(nido_once *once, const char *name);

/* Calls fn(arg) in the calling task, unless a call has succeeded before; waits while another task
 * does the work. Cancellation point. The result of the fn that succeeded (>= 0), or the failure of
 * the caller's own fn; -ECANCELED; -EINVAL: fn is NULL; -EDEADLK: called from inside fn, or the
 * task that does the work waits for the caller, by locks, joins or the close of a group; -EXDEV:
 * another thread's. A wait that was given the result returns it even if it is cancelled before it
 * runs; one that was given the work calls fn, whose first cancellation point is refused then. */
NIDO_API int nido_once_do(nido_once *once, nido_fn *fn, void *arg);

/* As nido_once_do, but a task that waits by this call when the work fails gets the same failure, and
 * does not try itself: a hundred tasks that ask for what is not there ask once. -ECANCELED of fn is not
 * shared: the next task tries. No failure is kept: a call that comes later does the work again.
 * Cancellation point. As nido_once_do: the result of the fn that succeeded; the failure of the
 * caller's own fn, or of the fn that it waited for; -ECANCELED; -EINVAL; -EDEADLK; -EXDEV. */
NIDO_API int nido_once_do_shared(nido_once *once, nido_fn *fn, void *arg);

/* Forgets the success that is kept: the next call does the work again. If the work is under way, its
 * result is given to the tasks that wait already, and is not kept; tasks that ask after this call
 * wait for another round. Not a cancellation point. 0; -EXDEV; -EPERM: a task does the work and this
 * thread has no runtime. */
NIDO_API int nido_once_forget(nido_once *once);

/* Ends the use of the once. Not a cancellation point. 0; -EBUSY: a task does the work now, nothing
 * is done. */
NIDO_API int nido_once_deinit(nido_once *once);

#ifdef __cplusplus
}
#endif

#endif

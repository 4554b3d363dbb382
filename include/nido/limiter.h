/* SPDX-License-Identifier: MIT */
/* nido/limiter.h: a limiter: at most so many tasks at once, and it knows which ones.
 *
 * A task borrows a place with a token in the caller's memory, and the same task gives it back; when
 * a task ends, its places are given back. The number of places can be changed at any time. Places
 * are given strictly in the order of the requests. */
#ifndef NIDO_LIMITER_H
#define NIDO_LIMITER_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address while tasks borrow or wait. */
typedef struct nido_limiter {
    struct nidoi_sync sync;
    uint32_t capacity;
    uint32_t borrowed; /* above the capacity after it was reduced */
    uint64_t spare[2];
} nido_limiter;

/* One loan. Caller's memory, all zeros at first; fields are private. It must stay at its address
 * until the place is given back, also after the function or task that borrowed has ended. */
typedef struct nido_limiter_token {
    struct nidoi_held held; /* in the borrower's list while the loan is out */
    struct nidoi_task *task;
    nido_limiter *limiter;
    uint64_t spare;
} nido_limiter_token;

/* As nido_limiter_init makes it, for what is initialised before main. */
#define NIDO_LIMITER_INIT(capacity, name)                      \
    {                                                          \
        NIDOI_SYNC_INIT(name), (capacity), 0, NIDOI_SPARE_INIT \
    }

/* Makes a limiter of `capacity` places, 0: paused; `name` (for reports) outlives it, or is NULL. Cannot
 * fail: 0. Not a cancellation point. */
NIDO_API int nido_limiter_init(nido_limiter *limiter, uint32_t capacity, const char *name);

/* Borrows a place, and waits for it if necessary. Cancellation point. 0; -ECANCELED, and nothing is
 * borrowed; -EDEADLK: the caller has borrowed from this limiter already; -EBUSY: the token is in
 * use; -EXDEV: another thread's. A wait that got its place returns 0 even if it is cancelled before
 * it runs. */
NIDO_API int nido_limiter_acquire(nido_limiter *limiter, nido_limiter_token *token);

/* Borrows a place if that needs no waiting. Not a cancellation point. 0; -EAGAIN: none is free, or
 * a task waits in line; -EDEADLK: the caller has borrowed already, or is in a callback that must
 * not park; -EBUSY; -EXDEV; -EPERM: no runtime. */
NIDO_API int nido_limiter_try_acquire(nido_limiter *limiter, nido_limiter_token *token);

/* Gives the place back; the first in line gets it at once. Not a cancellation point. 0; -EPERM:
 * another task borrowed with this token, or no task did; -EXDEV. */
NIDO_API int nido_limiter_release(nido_limiter *limiter, nido_limiter_token *token);

/* Changes the number of places. New places are given at once; if there are now fewer than are
 * borrowed, no task gets one before enough have been given back. With 0 places it is paused: no
 * task gets one before the next change. Not a cancellation point. 0; -EXDEV; -EPERM: it is in use
 * and this thread has no runtime. */
NIDO_API int nido_limiter_resize(nido_limiter *limiter, uint32_t capacity);

/* Ends the use of the limiter. Not a cancellation point. 0; -EBUSY: places are borrowed, nothing is
 * done. */
NIDO_API int nido_limiter_deinit(nido_limiter *limiter);

#ifdef __cplusplus
}
#endif

#endif

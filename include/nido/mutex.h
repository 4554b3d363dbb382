/* SPDX-License-Identifier: MIT */
/* nido/mutex.h: a lock that knows its owner, handed over strictly in the order of the requests.
 *
 * The owner is a task. Tasks of a thread run one at a time, so only code that parks in the middle
 * of a change needs a mutex. A task that ends while it owns the mutex leaves it broken: the next
 * owner gets it with -EOWNERDEAD, and should repair what the mutex protects and then call
 * nido_mutex_repair. */
#ifndef NIDO_MUTEX_H
#define NIDO_MUTEX_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address while tasks hold it or wait. */
typedef struct nido_mutex {
    struct nidoi_sync sync;
    struct nidoi_held held;   /* in its owner's list */
    struct nidoi_task *owner; /* NULL: free, and then no task waits */
    uint32_t broken;          /* an owner died, and it has not been repaired since */
    uint32_t expected;        /* tasks in waits for conditions, which will lock it again */
    uint64_t spare[2];
} nido_mutex;

/* A free mutex, as nido_mutex_init makes it, for what is initialised before main. All zeros are one
 * without a name. */
#define NIDO_MUTEX_INIT(name)                                                \
    {                                                                        \
        NIDOI_SYNC_INIT(name), NIDOI_HELD_INIT, NULL, 0, 0, NIDOI_SPARE_INIT \
    }

/* Makes a free mutex; `name` (for reports) outlives it, or is NULL. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_mutex_init(nido_mutex *mutex, const char *name);

/* Locks it, and waits for it if necessary. Cancellation point. 0; -EOWNERDEAD: it is locked, but an
 * owner ended while it held the lock, and it has not been repaired; -ECANCELED, and it is not
 * locked; -EDEADLK: the caller owns it, or its owner waits for the caller, by locks, joins or the
 * close of a group; -EXDEV: another thread's. A wait that got the lock returns so even if it is
 * cancelled before it runs. */
NIDO_API int nido_mutex_lock(nido_mutex *mutex);

/* Locks it if that needs no waiting. Not a cancellation point. 0; -EOWNERDEAD: locked, as
 * nido_mutex_lock; -EAGAIN: another task owns it; -EDEADLK: the caller owns it, or is in a callback
 * that must not park; -EXDEV; -EPERM: no runtime. */
NIDO_API int nido_mutex_try_lock(nido_mutex *mutex);

/* Unlocks it: the first in line owns it from now on. Not a cancellation point. 0; -EPERM: the
 * caller is not its owner; -EXDEV. */
NIDO_API int nido_mutex_unlock(nido_mutex *mutex);

/* Called by the owner: what the mutex protects is consistent again. Not a cancellation point. 0;
 * -EINVAL: it is not broken; -EPERM: the caller is not its owner; -EXDEV. */
NIDO_API int nido_mutex_repair(nido_mutex *mutex);

/* Ends the use of the mutex. Not a cancellation point. 0; -EBUSY: it is locked, or tasks in a
 * condition wait will lock it again; nothing is done. */
NIDO_API int nido_mutex_deinit(nido_mutex *mutex);

#ifdef __cplusplus
}
#endif

#endif

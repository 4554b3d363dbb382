/* nido/mutex.h: a lock that knows its owner, handed over strictly in the order of asking.
 *
 * The owner is a task. Only code that parks while it holds something needs one: tasks of a thread
 * run one at a time. A task that ends while it holds the lock leaves it broken: whoever gets it
 * next gets it with -EOWNERDEAD, should set right what it protects and say so by
 * nido_mutex_repair. */
#ifndef NIDO_MUTEX_H
#define NIDO_MUTEX_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must not move or go away while tasks hold it or wait. */
typedef struct nido_mutex {
    struct nidoi_sync sync;
    struct nidoi_held held;   /* in its owner's list */
    struct nidoi_task *owner; /* NULL: free, and then nobody waits */
    uint32_t broken;          /* an owner died, and nobody has repaired it since */
    uint32_t expected;        /* tasks in waits for conditions, who will lock it again */
} nido_mutex;

/* Makes a free mutex; `name` (for reports) outlives it, or is NULL. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_mutex_init(nido_mutex *mutex, const char *name);

/* Locks it, waits for it if need be. Cancellation point. 0; -EOWNERDEAD: it is locked, but an owner
 * died holding it and nobody has repaired it; -ECANCELED, and it is not locked; -EDEADLK: the
 * caller has it, or its owner waits for the caller, by locks, joins or the close of a group;
 * -EXDEV: another thread's. A wait that got the lock returns so even if it is cancelled before it
 * runs. */
NIDO_API int nido_mutex_lock(nido_mutex *mutex);

/* Locks it if that needs no waiting. Not a cancellation point. 0; -EOWNERDEAD: locked, as
 * nido_mutex_lock; -EAGAIN: another task has it; -EDEADLK: the caller has it, or is in a callback
 * that must not park; -EXDEV; -EPERM: no runtime. */
NIDO_API int nido_mutex_try_lock(nido_mutex *mutex);

/* Unlocks it: the first in line owns it from now on. Not a cancellation point. 0; -EPERM: the
 * caller is not its owner; -EXDEV. */
NIDO_API int nido_mutex_unlock(nido_mutex *mutex);

/* The owner says that what the mutex protects is whole again. Not a cancellation point. 0; -EINVAL:
 * it is not broken; -EPERM: the caller is not its owner; -EXDEV. */
NIDO_API int nido_mutex_repair(nido_mutex *mutex);

/* Ends its life. Not a cancellation point. 0; -EBUSY: it is locked, or tasks in a condition wait
 * will lock it again; nothing is done. */
NIDO_API int nido_mutex_deinit(nido_mutex *mutex);

#ifdef __cplusplus
}
#endif

#endif

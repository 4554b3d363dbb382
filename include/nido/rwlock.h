/* SPDX-License-Identifier: MIT */
/* nido/rwlock.h: a lock for many readers or one writer, in strict order of arrival.
 *
 * Readers next to each other in line enter together; a waiting writer keeps the readers behind it
 * out. The lock knows its writer, as a mutex knows its owner: a task that ends while it writes
 * leaves the lock broken, and every later reader or writer gets it with -EOWNERDEAD until a writer
 * calls nido_rwlock_repair. Readers are only counted: a reader that locks again while a writer
 * waits, or that locks to write, waits for itself. */
#ifndef NIDO_RWLOCK_H
#define NIDO_RWLOCK_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address while tasks hold it or wait. */
typedef struct nido_rwlock {
    struct nidoi_sync sync;
    struct nidoi_recheck recheck;
    struct nidoi_held held;    /* in the writer's list */
    struct nidoi_task *writer; /* that writes, or NULL */
    uint32_t readers;          /* how many read */
    uint32_t broken;           /* a writer ended inside, not repaired since */
    uint64_t spare[2];
} nido_rwlock;

/* A free lock, as nido_rwlock_init makes it, for what is initialised before main. All zeros are one
 * without a name. */
#define NIDO_RWLOCK_INIT(name)                                                                   \
    {                                                                                            \
        NIDOI_SYNC_INIT(name), NIDOI_RECHECK_INIT, NIDOI_HELD_INIT, NULL, 0, 0, NIDOI_SPARE_INIT \
    }

/* Makes a free lock; `name` (for reports) outlives it, or is NULL. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_rwlock_init(nido_rwlock *lock, const char *name);

/* Enters as a reader, and waits if necessary. Cancellation point. 0; -EOWNERDEAD: entered, but a
 * writer ended inside and the lock has not been repaired; -ECANCELED, and not entered; -EDEADLK:
 * the caller writes, or the writer waits for the caller, by locks, joins or the close of a group;
 * -EXDEV: another thread's. A wait that was let in returns that result even if it is cancelled
 * before it runs. */
NIDO_API int nido_rwlock_read_lock(nido_rwlock *lock);

/* Enters as the writer, and waits if necessary. Cancellation point. As nido_rwlock_read_lock: 0,
 * -EOWNERDEAD, -ECANCELED, -EDEADLK, -EXDEV. */
NIDO_API int nido_rwlock_write_lock(nido_rwlock *lock);

/* Enters as a reader if that needs no waiting. Not a cancellation point. 0; -EOWNERDEAD: entered,
 * as nido_rwlock_read_lock; -EAGAIN: a task writes or waits in line; -EDEADLK: the caller writes,
 * or is in a callback that must not park; -EXDEV; -EPERM: no runtime. */
NIDO_API int nido_rwlock_try_read_lock(nido_rwlock *lock);

/* Enters as the writer if that needs no waiting. Not a cancellation point. As
 * nido_rwlock_try_read_lock; -EAGAIN: a task is inside or waits in line. */
NIDO_API int nido_rwlock_try_write_lock(nido_rwlock *lock);

/* A reader leaves; when the last one has left, the first in line enters. Not a cancellation point.
 * 0; -EPERM: no task reads; -EXDEV. */
NIDO_API int nido_rwlock_read_unlock(nido_rwlock *lock);

/* The writer leaves; the first in line enter. Not a cancellation point. 0; -EPERM: the caller does
 * not write; -EXDEV. */
NIDO_API int nido_rwlock_write_unlock(nido_rwlock *lock);

/* Called by the writer: what the lock protects is consistent again. Not a cancellation point. 0;
 * -EINVAL: it is not broken; -EPERM: the caller does not write; -EXDEV. */
NIDO_API int nido_rwlock_repair(nido_rwlock *lock);

/* Ends the use of the lock. Not a cancellation point. 0; -EBUSY: a task is inside, nothing is done.
 */
NIDO_API int nido_rwlock_deinit(nido_rwlock *lock);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* nido/cond.h: a condition: tasks that hold a mutex wait for a change of what it protects.
 *
 * There are no spurious wake-ups: only a notification ends a wait. Still, what was true at the
 * notification may have changed when the waiter has the mutex again, if other tasks were before it
 * in the line for the mutex. */
#ifndef NIDO_COND_H
#define NIDO_COND_H

#include "nido/mutex.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address while tasks wait. */
typedef struct nido_cond {
    struct nidoi_sync sync;
    nido_mutex *mutex; /* of the tasks that wait */
    uint64_t spare[2];
} nido_cond;

/* As nido_cond_init makes it, for what is initialised before main. All zeros are one without a
 * name. */
#define NIDO_COND_INIT(name)                          \
    {                                                 \
        NIDOI_SYNC_INIT(name), NULL, NIDOI_SPARE_INIT \
    }

/* Makes a condition; `name` (for reports) outlives it, or is NULL. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_cond_init(nido_cond *cond, const char *name);

/* Unlocks the mutex, waits for a notification, and locks the mutex again. The caller owns the mutex
 * whatever the call returns, except after -EPERM and -EXDEV for the mutex. Cancellation point: a
 * cancel ends the wait for a notification, not the wait for the mutex. 0; -ECANCELED: not notified;
 * -EOWNERDEAD: notified, but an owner of the mutex ended while it held it, and it has not been
 * repaired; -EPERM: the caller does not own the mutex; -EINVAL: other tasks wait with another
 * mutex; -EXDEV: another thread's. A wait that was notified returns that result even if it is
 * cancelled before it has the mutex. */
NIDO_API int nido_cond_wait(nido_cond *cond, nido_mutex *mutex);

/* Waits until holds(arg) is true: asked with the mutex owned, at first and after each notification,
 * and more than once for one of them; it must not park. Cancellation point. As nido_cond_wait; 0: it
 * held when the call returned; -ECANCELED: it does not; -EINVAL also if `holds` is NULL. */
NIDO_API int nido_cond_wait_until(nido_cond *cond, nido_mutex *mutex, bool (*holds)(void *arg),
                                  void *arg);

/* Ends the wait of the task that has waited longest. If no task waits, nothing happens, now or
 * later. The caller need not own the mutex. Not a cancellation point. 0; -EXDEV; -EPERM: tasks wait
 * and this thread has no runtime. */
NIDO_API int nido_cond_notify(nido_cond *cond);

/* Ends the waits of the n tasks that have waited longest, or of all if they are fewer; they get the
 * mutex in their order. Not a cancellation point. As nido_cond_notify: 0, -EXDEV, -EPERM. */
NIDO_API int nido_cond_notify_n(nido_cond *cond, uint32_t n);

/* Ends the wait of every task that waits now; they get the mutex in their order. Not a cancellation
 * point. As nido_cond_notify: 0, -EXDEV, -EPERM. */
NIDO_API int nido_cond_notify_all(nido_cond *cond);

/* Ends the use of the condition. Not a cancellation point. 0; -EBUSY: tasks wait, nothing is done.
 */
NIDO_API int nido_cond_deinit(nido_cond *cond);

#ifdef __cplusplus
}
#endif

#endif

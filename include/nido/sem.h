/* SPDX-License-Identifier: MIT */
/* nido/sem.h: a semaphore: permits, given strictly in the order of the requests.
 *
 * No task overtakes another: while one waits for many permits, those behind it wait too, even if
 * there are enough for them. A request is granted as a whole or not at all. Permits have no owner:
 * any task may release what another acquired. (A limiter, nido/limiter.h, knows its borrowers.) */
#ifndef NIDO_SEM_H
#define NIDO_SEM_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address while tasks wait. */
typedef struct nido_sem {
    struct nidoi_sync sync;
    struct nidoi_recheck recheck;
    uint32_t count; /* free permits */
    uint32_t max;
    uint32_t closed;
    uint32_t spare;
    uint64_t spare64;
} nido_sem;

/* As nido_sem_init makes it, of constants, for what is initialised before main. What would be
 * -EINVAL there does not compile. */
#define NIDO_SEM_INIT(count, max, name)                                                    \
    {                                                                                      \
        NIDOI_SYNC_INIT(name), NIDOI_RECHECK_INIT, NIDOI_CHECKED(count, (count) <= (max)), \
            NIDOI_CHECKED(max, (max) > 0 && (max) <= INT32_MAX), 0, 0, 0                   \
    }

/* Makes a semaphore with `count` free permits, and never more than `max`; `name` (for reports)
 * outlives it, or is NULL. Not a cancellation point. 0; -EINVAL: max is 0 or above INT32_MAX, or
 * count above max. */
NIDO_API int nido_sem_init(nido_sem *sem, uint32_t count, uint32_t max, const char *name);

/* Takes one permit, and waits for it if necessary. Cancellation point. 0; -ECANCELED, and no permit
 * is taken; -ESHUTDOWN: closed; -EXDEV: another thread's. A wait that got its permit returns 0 even
 * if it is cancelled before it runs. */
NIDO_API int nido_sem_acquire(nido_sem *sem);

/* Takes n permits together. Cancellation point. As nido_sem_acquire; -EINVAL: n is 0 or above the
 * maximum. */
NIDO_API int nido_sem_acquire_n(nido_sem *sem, uint32_t n);

/* Takes one permit if that needs no waiting. Not a cancellation point. 0; -EAGAIN: none is free, or
 * a task waits in line; -ESHUTDOWN; -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_sem_try_acquire(nido_sem *sem);

/* Takes n permits if that needs no waiting. Not a cancellation point. As nido_sem_try_acquire;
 * -EINVAL: n is 0 or above the maximum. */
NIDO_API int nido_sem_try_acquire_n(nido_sem *sem, uint32_t n);

/* Gives one permit back; the first in line get theirs at once. Works after the close too. Not a
 * cancellation point. 0; -EOVERFLOW: all permits are free already, nothing changes; -EXDEV; -EPERM:
 * tasks wait and this thread has no runtime. */
NIDO_API int nido_sem_release(nido_sem *sem);

/* Gives n permits back; for 0 it does nothing. Not a cancellation point. As nido_sem_release;
 * -EOVERFLOW: the free ones would be more than the maximum, nothing changes. */
NIDO_API int nido_sem_release_n(nido_sem *sem, uint32_t n);

/* No permit is given from now on: every present and later request gets -ESHUTDOWN. Closing again is
 * fine. Not a cancellation point. 0; -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_sem_close(nido_sem *sem);

/* The number of free permits. Cannot fail. Not a cancellation point. */
NIDO_API uint32_t nido_sem_count(const nido_sem *sem);

/* Ends the use of the semaphore. Not a cancellation point. 0; -EBUSY: tasks wait, nothing is done.
 */
NIDO_API int nido_sem_deinit(nido_sem *sem);

#ifdef __cplusplus
}
#endif

#endif

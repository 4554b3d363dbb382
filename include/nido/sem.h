/* nido/sem.h: a semaphore: permits, given out strictly in the order of asking.
 *
 * Nobody overtakes: while a task waits for many permits, those behind it wait too, even if there
 * are enough for them. Permits are taken in whole or not at all. They belong to nobody: any task
 * may release what another acquired (nido/limiter.h knows its borrowers). */
#ifndef NIDO_SEM_H
#define NIDO_SEM_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must not move or go away while tasks wait. */
typedef struct nido_sem {
    struct nidoi_sync sync;
    struct nidoi_recheck recheck;
    uint32_t count; /* free permits */
    uint32_t max;
    uint32_t closed;
    uint32_t spare;
} nido_sem;

/* Makes a semaphore with `count` free permits, of which there are never more than `max`; `name`
 * (for reports) outlives it, or is NULL. Not a cancellation point. 0; -EINVAL: max is 0 or above
 * INT32_MAX, or count above max. */
NIDO_API int nido_sem_init(nido_sem *sem, uint32_t count, uint32_t max, const char *name);

/* Takes one permit, waits for it if need be. Cancellation point. 0; -ECANCELED, and no permit is
 * taken; -ESHUTDOWN: closed; -EXDEV: another thread's. A wait that got its permit returns 0 even if
 * it is cancelled before it runs. */
NIDO_API int nido_sem_acquire(nido_sem *sem);

/* Takes n permits together. Cancellation point. As nido_sem_acquire; -EINVAL: n is 0 or more than
 * there can ever be. */
NIDO_API int nido_sem_acquire_n(nido_sem *sem, uint32_t n);

/* Takes one permit if that needs no waiting. Not a cancellation point. 0; -EAGAIN: none is free, or
 * somebody waits in line; -ESHUTDOWN; -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_sem_try_acquire(nido_sem *sem);

/* Takes n permits if that needs no waiting. Not a cancellation point. As nido_sem_try_acquire;
 * -EINVAL: n is 0 or more than there can ever be. */
NIDO_API int nido_sem_try_acquire_n(nido_sem *sem, uint32_t n);

/* Gives one permit back; those at the head of the line get theirs at once. Also after the close.
 * Not a cancellation point. 0; -EOVERFLOW: all permits are free already, nothing changes; -EXDEV;
 * -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_sem_release(nido_sem *sem);

/* Gives n permits back; 0 is nothing. Not a cancellation point. As nido_sem_release; -EOVERFLOW:
 * the free ones would be more than the maximum, nothing changes. */
NIDO_API int nido_sem_release_n(nido_sem *sem, uint32_t n);

/* No permit is given out from now on: who waits, and whoever asks later, gets -ESHUTDOWN. Closing
 * again is fine. Not a cancellation point. 0; -EXDEV; -EPERM: tasks wait and this thread has no
 * runtime. */
NIDO_API int nido_sem_close(nido_sem *sem);

/* Free permits now. Cannot fail. Not a cancellation point. */
NIDO_API uint32_t nido_sem_count(const nido_sem *sem);

/* Ends its life. Not a cancellation point. 0; -EBUSY: tasks wait, nothing is done. */
NIDO_API int nido_sem_deinit(nido_sem *sem);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* zeros.h: the suites of the sync objects once more, with objects as static initialisers make them.
 *
 * Included before a suite's file: what it initialises is wiped as far as an initialiser could not
 * have done it, and its tests get suites of their own. */
#ifndef ZEROS_H
#define ZEROS_H

#include "sync_help.h"

#define nido_mutex_init(mutex, name)        ((void)(*(mutex) = (nido_mutex)NIDO_MUTEX_INIT(name)))
#define nido_event_init(event, name)        ((void)(*(event) = (nido_event)NIDO_EVENT_INIT(name)))
#define nido_cond_init(cond, name)          ((void)(*(cond) = (nido_cond)NIDO_COND_INIT(name)))
#define nido_rwlock_init(lock, name)        ((void)(*(lock) = (nido_rwlock)NIDO_RWLOCK_INIT(name)))
#define nido_once_init(once, name)          ((void)(*(once) = (nido_once)NIDO_ONCE_INIT(name)))
#define nido_latch_init(latch, n, name)     ((void)(*(latch) = (nido_latch)NIDO_LATCH_INIT(n, name)))
#define nido_limiter_init(limiter, n, name) make_limiter(limiter, n, name)

static inline int make_limiter(nido_limiter *limiter, uint32_t n, const char *name)
{
    *limiter = (nido_limiter)NIDO_LIMITER_INIT(n, name);
    return 0;
}

/* Constants alone go into their initialisers, so the call looks at its arguments here. */
static inline int wipe_sem(nido_sem *sem, int rc)
{
    const nido_sem like = NIDO_SEM_INIT(1, 1, NULL);

    if (rc) return rc;
    sem->recheck = like.recheck;
    sem->sync.waiters = like.sync.waiters;
    return 0;
}

static inline int wipe_barrier(nido_barrier *barrier, int rc)
{
    const nido_barrier like = NIDO_BARRIER_INIT(1, 0, NULL);

    if (!rc) barrier->sync.waiters = like.sync.waiters;
    return rc;
}

#define nido_sem_init(sem, count, max, name) wipe_sem(sem, (nido_sem_init)(sem, count, max, name))
#define nido_barrier_init(barrier, n, flags, name) \
    wipe_barrier(barrier, (nido_barrier_init)(barrier, n, flags, name))

#undef NIDO_TEST
#define NIDO_TEST(suite, name) NIDO_TEST_OF(zeros_##suite, name)

#endif

/* sync/sync.h: what all sync objects share: whose they are, how their tasks line up.
 *
 * 1. An object belongs to the thread whose run uses it first, until it is initialised again: two
 *    threads may find it idle at the same time, and neither could know of the other. From another
 *    thread's run it is -EXDEV; without a run it can be used as long as no task waits for it or
 *    holds it, else -EPERM.
 * 2. What an object has to give changes hands in the claim (nidoi_claim), never when the claimed
 * task runs: so a cancel between the two finds a task that has what it waited for.
 * 3. Whoever may be granted without anybody giving back, because the head of the queue left, is
 *    found by stirring the object. */
#ifndef NIDOI_SYNC_H
#define NIDOI_SYNC_H

#include "coro/scope/scope.h"

/* For nidoi_wait_kind: the name, of waiters whose object is a struct nidoi_sync. */
const char *nidoi_sync_name(const struct nidoi_waiter *waiter);

/* `what`, held by the running task, outlives it: says so. */
void nidoi_sync_bereaved(const char *what, const struct nidoi_sync *sync);

static inline void nidoi_sync_init(struct nidoi_sync *sync, const char *name)
{
    nidoi_waitq_init(&sync->waiters);
    sync->thread = 0;
    sync->name = name;
}

NIDOI_RARE int nidoi_bind_first(const struct nidoi_loop *loop, uint64_t *thread);

/* Whose is it, by the number of a thread? 0: this one's, from now on; -EXDEV. */
static inline int nidoi_bind(const struct nidoi_loop *loop, uint64_t *thread)
{
    if (__atomic_load_n(thread, __ATOMIC_RELAXED) == loop->thread) return 0;
    return nidoi_bind_first(loop, thread);
}

/* The same on a thread that may have no runtime: -EPERM there, if the object is in use. */
static inline int nidoi_bind_here(uint64_t *thread, bool in_use)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return in_use ? -EPERM : 0;
    return nidoi_bind(loop, thread);
}

/* May this thread use it? `held`: a task holds it. 0, -EXDEV, -EPERM. */
static inline int nidoi_sync_foreign(struct nidoi_sync *sync, bool held)
{
    return nidoi_bind_here(&sync->thread, held || !nidoi_waitq_empty(&sync->waiters));
}

/* The entry of calls that take without waiting, in the name of the running task: a callback may be
 * one of its last, when it could not give back any more. 0, -EPERM, -EDEADLK. */
static inline int nidoi_sync_try(struct nidoi_loop **out)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    *out = loop;
    return loop->sched.no_parking || !nidoi_on_task(&loop->sched) ? -EDEADLK : 0;
}

/* Puts the running task last in the queue; nidoi_park comes next. */
static inline void nidoi_sync_line_up(struct nidoi_sync *sync, const struct nidoi_wait_kind *kind,
                                      struct nidoi_queued *queued)
{
    queued->waiter.kind = kind;
    queued->waiter.object = sync;
    nidoi_waitq_enlist(&sync->waiters, queued);
}

/* Everybody who waits now is woken with `value`. */
static inline void nidoi_sync_wake_all(struct nidoi_sync *sync, intptr_t value)
{
    while (nidoi_waitq_wake(&sync->waiters, value)) {
    }
}

static inline int nidoi_sync_deinit(const struct nidoi_sync *sync, bool held)
{
    return held || !nidoi_waitq_empty(&sync->waiters) ? -EBUSY : 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* sync/sync.h: what all sync objects share: the thread that they belong to, and their queue.
 *
 * 1. An object belongs to the thread whose run uses it first, until it is initialised again: two
 *    threads may find it idle at the same time, and neither could know of the other. From another
 *    thread's run it is -EXDEV; without a run it can be used as long as no task waits for it or
 *    holds it, else -EPERM.
 * 2. What an object grants changes its owner in the claim (nidoi_claim), never when the claimed
 *    task runs: so a cancel between the two finds a task that has what it waited for.
 * 3. When a waiter leaves the queue, the waiters behind it may be granted something although
 *    nothing was given back: the object rechecks its queue (nidoi_recheck_run). */
#ifndef NIDOI_SYNC_H
#define NIDOI_SYNC_H

#include "coro/scope/park.h"

/* For a nidoi_wait_kind, if the waiter's object is the struct nidoi_sync that its type begins with. */
#define NIDOI_SYNC_NAME offsetof(struct nidoi_sync, name)

/* -EDEADLK for the running task, which has the object already, with a text: "holds" or "has a permit of". */
NIDOI_RARE int nidoi_sync_has_it(const char *has, const char *what, const struct nidoi_sync *sync);

/* Reports that the running task ends while it holds the object, a `what`. */
void nidoi_sync_owner_died(const char *what, const struct nidoi_sync *sync);

static inline void nidoi_sync_init(struct nidoi_sync *sync, const char *name)
{
    nidoi_waitq_init(&sync->waiters);
    sync->thread = 0;
    sync->name = name;
}

/* It has another number, none, or this runtime notes the users of objects (debug/users.h). */
NIDOI_RARE int nidoi_bind_first(const struct nidoi_loop *loop, uint64_t *thread);

/* *thread is the number of the object's thread; 0: it has none yet, and gets this one. Returns 0,
 * or -EXDEV: it is another thread's. */
static inline int nidoi_bind(const struct nidoi_loop *loop, uint64_t *thread)
{
    if (__atomic_load_n(thread, __ATOMIC_RELAXED) == loop->thread) return 0;
    return nidoi_bind_first(loop, thread);
}

/* The same for a struct nidoi_sync. Its first binding makes the ring of an object that was
 * initialised by zeros: only the thread that it belongs to may touch that. */
NIDOI_RARE int nidoi_sync_bind_first(const struct nidoi_loop *loop, struct nidoi_sync *sync);

static inline int nidoi_sync_bind(const struct nidoi_loop *loop, struct nidoi_sync *sync)
{
    if (__atomic_load_n(&sync->thread, __ATOMIC_RELAXED) == loop->thread) return 0;
    return nidoi_sync_bind_first(loop, sync);
}

/* On a thread that may have no runtime: -EPERM there, if the object is in use. */
static inline int nidoi_bind_here(uint64_t *thread, bool in_use)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return in_use ? -EPERM : 0;
    return nidoi_bind(loop, thread);
}

static inline bool nidoi_sync_has_waiters(const struct nidoi_sync *sync)
{
    return nidoi_linked(&sync->waiters.nodes) && !nidoi_waitq_empty(&sync->waiters);
}

/* nidoi_sync_bind_here without a runtime. */
NIDOI_RARE int nidoi_sync_use_idle(struct nidoi_sync *sync, bool held);

/* The same for a struct nidoi_sync. `held`: a task holds it. 0, -EXDEV, -EPERM. */
static inline int nidoi_sync_bind_here(struct nidoi_sync *sync, bool held)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    return loop ? nidoi_sync_bind(loop, sync) : nidoi_sync_use_idle(sync, held);
}

/* The entry of calls that take something for the running task without waiting. -EDEADLK in a
 * callback: it may be one of the last of its task, which then could not give back. 0, -EPERM. */
static inline int nidoi_sync_try(struct nidoi_loop **out)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    *out = loop;
    return loop->sched.no_parking || !nidoi_on_task(&loop->sched) ? -EDEADLK : 0;
}

/* Puts the running task last in the queue; nidoi_park comes next. */
static inline void nidoi_sync_enlist(struct nidoi_sync *sync, const struct nidoi_wait_kind *kind,
                                     struct nidoi_queued *queued)
{
    queued->waiter.kind = kind;
    queued->waiter.object = sync;
    nidoi_waitq_enlist(&sync->waiters, queued);
}

/* Wakes all present waiters with `value`. */
static inline void nidoi_sync_wake_all(struct nidoi_sync *sync, intptr_t value)
{
    while (nidoi_waitq_wake(&sync->waiters, value)) {
    }
}

static inline int nidoi_sync_deinit(const struct nidoi_sync *sync, bool held)
{
    return held || nidoi_sync_has_waiters(sync) ? -EBUSY : 0;
}

#endif

/* threads/cross.h: how tasks and threads wait together for what any thread may give.
 *
 * 1. An object has a lock and queues of waits; a wait is in a queue exactly until it is granted or
 * withdrawn, both under the lock: so whoever comes first decides, also against a cancel.
 * 2. What is granted is handed over under the lock, into the waiter's memory.
 * 3. A granted task is told by a post to its own loop: no second way to wake.
 * 4. The lock is given up before tasks are told, and the object is not touched afterwards: who was
 * granted what it waited for may free the object at once.
 * 5. An object belongs to the process that made it: a forked child's copy is never locked, for another
 * thread of the parent may have held the lock. */
#ifndef NIDOI_CROSS_H
#define NIDOI_CROSS_H

#include <pthread.h>

#include "coro/scope/park.h"

struct nidoi_cross {
    pthread_mutex_t lock;
    struct nidoi_crossing *told, **last; /* tasks granted under this hold of the lock, in order */
    uint32_t forks;                      /* of the process when it was made */
};

struct nidoi_crossing {
    struct nidoi_link link; /* in a queue of the object; lock */
    struct nidoi_cross *object;
    void *item;
    int result;
    bool granted; /* lock */
    /* A task's: */
    struct nidoi_loop *loop; /* NULL: a thread without a runtime */
    struct nidoi_waiter waiter;
    struct nidoi_post post;
    struct nidoi_crossing *next; /* that is to be told */
    /* A thread's: */
    pthread_cond_t told;
};

/* The entry of a call that does not wait. 0, and the lock is held; -EPERM: a forked child's copy. */
int nidoi_cross_lock(struct nidoi_cross *object);

/* The entry of a call that may wait: a task's cancellation point; nothing for a thread without a runtime
 * (*out is NULL then). 0, and the lock is held; -ECANCELED, -EDEADLK, -EPERM. */
NIDOI_IN_CALLER int nidoi_cross_enter(struct nidoi_cross *object, struct nidoi_loop **out)
{
    int err;

    *out = NULL;
    err = nidoi_sched_self ? nidoi_enter(out) : 0;
    return err ? err : nidoi_cross_lock(object);
}

/* Waits at the end of `queue`; the lock is held, and is given up. What it was granted with, or
 * -ECANCELED. */
int nidoi_cross_wait(struct nidoi_cross *object, struct nidoi_link *queue, struct nidoi_loop *loop,
                     const struct nidoi_wait_kind *kind, void *item);

/* The undo of every such kind. */
enum nidoi_undo nidoi_cross_undo(struct nidoi_waiter *waiter);

/* The first that waits; NULL. The lock is held. */
struct nidoi_crossing *nidoi_cross_first(const struct nidoi_link *queue);

/* It is granted, and told by nidoi_cross_unlock. The lock is held. */
void nidoi_cross_grant(struct nidoi_crossing *crossing, int result);

void nidoi_cross_init(struct nidoi_cross *object);
void nidoi_cross_deinit(struct nidoi_cross *object);

/* In a forked child, and made before the fork? */
static inline bool nidoi_cross_inherited(const struct nidoi_cross *object)
{
    return object->forks != nidoi_forks;
}

/* Tells who was granted. Afterwards the object may be gone. */
void nidoi_cross_unlock(struct nidoi_cross *object);

#endif

/* sync/cross.h: how tasks and threads wait together for what any thread may give.
 *
 * 1. An object has a lock and queues of waits; a wait is in a queue exactly until it is granted or
 * withdrawn, both under the lock: so whoever comes first decides, also against a cancel.
 * 2. What is granted is handed over under the lock, into the waiter's memory.
 * 3. A granted task is told by a post to its own loop: no second way to wake. */
#ifndef NIDOI_CROSS_H
#define NIDOI_CROSS_H

#include <pthread.h>

#include "coro/scope.h"

struct nidoi_cross {
    pthread_mutex_t lock;
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
    /* A thread's: */
    pthread_cond_t told;
};

/* The entry of a call that may wait: a task's cancellation point; nothing for a thread without a runtime
 * (*out is NULL then). 0, -ECANCELED, -EDEADLK. */
int nidoi_cross_enter(struct nidoi_loop **out);

/* Waits at the end of `queue`; the lock is held, and is given up. What it was granted with, or
 * -ECANCELED. */
int nidoi_cross_wait(struct nidoi_cross *object, struct nidoi_link *queue, struct nidoi_loop *loop,
                     const struct nidoi_wait_kind *kind, void *item);

/* The undo of every such kind. */
bool nidoi_cross_undo(struct nidoi_waiter *waiter);

/* The first that waits; NULL. The lock is held. */
struct nidoi_crossing *nidoi_cross_first(const struct nidoi_link *queue);

/* It is granted. The lock is held; afterwards it may be gone. */
void nidoi_cross_grant(struct nidoi_crossing *crossing, int result);

static inline void nidoi_cross_init(struct nidoi_cross *object)
{
    pthread_mutex_init(&object->lock, NULL);
}

static inline void nidoi_cross_deinit(struct nidoi_cross *object)
{
    pthread_mutex_destroy(&object->lock);
}

static inline void nidoi_cross_lock(struct nidoi_cross *object)
{
    pthread_mutex_lock(&object->lock);
}

static inline void nidoi_cross_unlock(struct nidoi_cross *object)
{
    pthread_mutex_unlock(&object->lock);
}

#endif

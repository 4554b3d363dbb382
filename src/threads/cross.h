/* SPDX-License-Identifier: MIT */
/* threads/cross.h: objects that tasks and threads of any kind wait for together.
 *
 * 1. An object has a lock and queues of nodes, one for each wait. A node is in a queue exactly
 * until its wait is granted or withdrawn, both under the lock: the first of the two decides.
 * 2. What is granted is copied to the waiter's memory under the lock.
 * 3. A granted task is woken by a post to its own loop: there is no second way to wake.
 * 4. The lock is given up before tasks are woken, and the object is not touched afterwards: a
 * waiter that was granted may free the object at once.
 * 5. An object belongs to the process that made it: a forked child's copy is never locked, because
 * another thread of the parent may have held the lock. */
#ifndef NIDOI_CROSS_H
#define NIDOI_CROSS_H

#include <pthread.h>

#include "coro/scope/park.h"

struct nidoi_cross {
    pthread_mutex_t lock;
    struct nidoi_cross_node *to_wake, **last; /* tasks granted since the lock was taken, in order */
    uint32_t forks;                           /* nidoi_forks when it was made */
};

struct nidoi_cross_node {
    struct nidoi_link link; /* in a queue of the object; lock */
    struct nidoi_cross *object;
    void *item;
    int result;
    bool granted; /* lock */
    /* Of a task: */
    struct nidoi_loop *loop; /* NULL: a thread without a runtime */
    struct nidoi_waiter waiter;
    struct nidoi_post post;
    struct nidoi_cross_node *next; /* in object->to_wake */
    /* Of a thread: */
    pthread_cond_t wakeup;
};

/* The entry of a call that does not wait. 0, and the lock is held; -EPERM: a forked child's
 * copy. */
int nidoi_cross_lock(struct nidoi_cross *object);

/* The entry of a call that may wait: a cancellation point for a task, and nothing for a thread
 * without a runtime, for which *out is NULL. 0, and the lock is held; -ECANCELED, -EDEADLK,
 * -EPERM. */
NIDOI_IN_CALLER int nidoi_cross_enter(struct nidoi_cross *object, struct nidoi_loop **out)
{
    int err;

    *out = NULL;
    err = nidoi_sched_self ? nidoi_enter(out) : 0;
    return err ? err : nidoi_cross_lock(object);
}

/* Waits at the end of `queue`; the lock is held, and is given up. Returns the result of the grant,
 * or -ECANCELED. */
int nidoi_cross_wait(struct nidoi_cross *object, struct nidoi_link *queue, struct nidoi_loop *loop,
                     const struct nidoi_wait_kind *kind, void *item);

/* The undo of all kinds of waits for such objects. */
enum nidoi_undo nidoi_cross_undo(struct nidoi_waiter *waiter);

/* The first of a queue; NULL: it is empty. The lock is held. */
struct nidoi_cross_node *nidoi_cross_first(const struct nidoi_link *queue);

/* Grants a wait; nidoi_cross_unlock wakes its task. The lock is held. */
void nidoi_cross_grant(struct nidoi_cross_node *node, int result);

void nidoi_cross_init(struct nidoi_cross *object);
void nidoi_cross_deinit(struct nidoi_cross *object);

/* True: this process is a forked child, and the object is its parent's. */
static inline bool nidoi_cross_inherited(const struct nidoi_cross *object)
{
    return object->forks != nidoi_forks;
}

/* Wakes the tasks that were granted. Afterwards the object may be gone. */
void nidoi_cross_unlock(struct nidoi_cross *object);

#endif

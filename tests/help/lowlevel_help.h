/* SPDX-License-Identifier: MIT */
/* lowlevel_help.h: objects made of nido/lowlevel.h, as a user would make them. */
#ifndef LOWLEVEL_HELP_H
#define LOWLEVEL_HELP_H

#include <errno.h>

#include "nido_test.h"

/* Coins: a task takes some at once, in the order of asking; the first that cannot be served holds
 * up those behind it. */
struct purse {
    nido_waitq queue;
    int coins;
};

static inline int purse_attempt(nido_waitq *queue, void *item)
{
    struct purse *purse = (struct purse *)queue;
    const int *wanted = item;

    if (!nido_waitq_empty(queue) || *wanted > purse->coins) return -EAGAIN;
    purse->coins -= *wanted;
    return 0;
}

static inline void purse_serve(nido_waitq *queue)
{
    struct purse *purse = (struct purse *)queue;
    const int *wanted;

    while ((wanted = nido_waitq_first(queue)) != NULL && *wanted <= purse->coins) {
        purse->coins -= *wanted;
        nido_waitq_wake(queue, 0);
    }
}

static const nido_wait_kind purse_kind = {
    .name = "purse", .attempt = purse_attempt, .left = purse_serve};

static inline int purse_take(struct purse *purse, int coins)
{
    return nido_waitq_wait(&purse->queue, &coins);
}

static inline int purse_give(struct purse *purse, int coins)
{
    int err = nido_waitq_use(&purse->queue, false);

    if (err) return err;
    purse->coins += coins;
    purse_serve(&purse->queue);
    return 0;
}

/* One task has it at a time; `owner` is zeros while none has. */
struct padlock {
    nido_waitq queue;
    nido_task owner;
};

static inline int padlock_attempt(nido_waitq *queue, void *item)
{
    struct padlock *lock = (struct padlock *)queue;

    if (lock->owner.id) return -EAGAIN;
    lock->owner = *(nido_task *)item;
    return 0;
}

static inline nido_task padlock_owner(const nido_waitq *queue)
{
    return ((const struct padlock *)queue)->owner;
}

static const nido_wait_kind padlock_kind = {
    .name = "padlock", .attempt = padlock_attempt, .owner = padlock_owner};

static inline int padlock_take(struct padlock *lock)
{
    nido_task me = nido_self();

    return nido_waitq_wait(&lock->queue, &me);
}

static inline int padlock_give(struct padlock *lock)
{
    const nido_task *next = nido_waitq_first(&lock->queue);

    lock->owner = next ? *next : (nido_task){0};
    return nido_waitq_wake(&lock->queue, 0);
}

#endif

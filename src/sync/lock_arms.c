/* SPDX-License-Identifier: MIT */
/* sync/lock_arms.c: the arms of a select that take a mutex or a permit of a limiter: each tries as the
 * try call does, and waits in the queue of its object, whose grant makes the task of the select the
 * owner before it claims the arm. Rings of waits are not looked for: a select has other ways out. */
#include "nido/limiter.h"
#include "nido/mutex.h"
#include "sync/select.h"
#include "sync/sync.h"

static const char *lock_arm_name(const nido_arm *arm)
{
    return ((const struct nidoi_sync *)arm->object)->name;
}

static int lock_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    struct nidoi_sync *sync = arm->object;

    (void)loop;
    nidoi_list_append(&sync->waiters.nodes, &arm->node.link);
    return 0;
}

/* ---- A mutex ---- */

static int mutex_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return nido_mutex_try_lock(arm->object);
}

static const struct nidoi_arm_kind mutex_arm = {.name = "mutex",
                                                .attempt = mutex_arm_attempt,
                                                .enlist = lock_arm_enlist,
                                                .withdraw = nidoi_arm_unlink,
                                                .named = lock_arm_name};

void nido_arm_mutex(nido_arm *arm, nido_mutex *mutex)
{
    *arm = (nido_arm){.kind = &mutex_arm, .object = mutex};
}

/* ---- A permit of a limiter; node.item is the token ---- */

static int limiter_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return nido_limiter_try_acquire(arm->object, arm->node.item);
}

static const struct nidoi_arm_kind limiter_arm = {.name = "limiter",
                                                  .attempt = limiter_arm_attempt,
                                                  .enlist = lock_arm_enlist,
                                                  .withdraw = nidoi_arm_unlink,
                                                  .named = lock_arm_name};

void nido_arm_limiter(nido_arm *arm, nido_limiter *limiter, nido_limiter_token *token)
{
    *arm = (nido_arm){.kind = &limiter_arm, .object = limiter, .node.item = token};
}

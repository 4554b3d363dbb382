/* SPDX-License-Identifier: MIT */
/* sync/select.h: what a select knows of its arms. Each object brings the kind of its own arm. */
#ifndef NIDOI_SELECT_H
#define NIDOI_SELECT_H

#include "base/random.h"
#include "coro/scope/scope.h"
#include "nido/select.h"

struct nidoi_arm_kind {
    const char *name; /* for an arm whose object has none of its own */
    /* Tries without waiting. -EAGAIN: it would have to wait, and nothing has changed; every other
     * value is the arm's status. */
    int (*attempt)(struct nidoi_loop *loop, nido_arm *arm);
    /* Enlists the arm after an attempt has returned -EAGAIN: by arm->node in a queue, so that a
     * claim of that node completes the arm; or where something will call nidoi_arm_done. 0;
     * otherwise it is the arm's status, and the arm is not enlisted. */
    int (*enlist)(struct nidoi_loop *loop, nido_arm *arm);
    /* Undoes `enlist`. May only unlink. */
    void (*withdraw)(struct nidoi_loop *loop, nido_arm *arm);
    /* Called after all arms were withdrawn: rechecks the queue that this one has left. NULL: the
     * queue needs no recheck. */
    void (*left)(struct nidoi_loop *loop, nido_arm *arm);
    /* True: the arm's descriptor was closed since the reactor's count of renewals was `since`, so
     * its number may be another file's now. NULL: the arm has no descriptor. */
    bool (*lost)(struct nidoi_loop *loop, const nido_arm *arm, uint64_t since);
    /* Called by the task after this arm woke it with `value`: the arm's status; -EAGAIN: there was
     * nothing after all, the select starts again. NULL: the status is `value`. */
    int (*woken)(struct nidoi_loop *loop, nido_arm *arm, int value);
    const char *(*named)(const nido_arm *arm); /* NULL: it never has a name */
};

/* The order in which a select tries and enlists its arms: once through the numbers below the next
 * power of two, from a random start below n by a random odd step. Over time each arm is the first
 * as often as any other. */
struct nidoi_arm_order {
    uint32_t at, step, mask;
};

static inline struct nidoi_arm_order nidoi_arm_order_draw(uint64_t *random, size_t n,
                                                          unsigned flags)
{
    uint64_t drawn = flags & NIDO_PRIORITY ? 0 : nidoi_random(random);

    return (struct nidoi_arm_order){.at = (uint32_t)((drawn & UINT32_MAX) * n >> 32),
                                    .step = (uint32_t)(drawn >> 32) | 1,
                                    .mask =
                                        n > 1 ? UINT32_MAX >> __builtin_clz((uint32_t)n - 1) : 0};
}

/* The arm's number at a try, 0 to mask. There is no such arm if it is n or more. */
static inline uint32_t nidoi_arm_order_number(const struct nidoi_arm_order *order, uint32_t tries)
{
    return (order->at + tries * order->step) & order->mask;
}

/* Completes an enlisted arm that is in no queue: withdraws the others and wakes the task. */
void nidoi_arm_done(nido_arm *arm, int value);

/* The withdraw of arms that are in a queue. */
void nidoi_arm_unlink(struct nidoi_loop *loop, nido_arm *arm);

#endif

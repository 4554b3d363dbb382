/* sync/select.h: what a select knows of its arms. The kinds live with their objects. */
#ifndef NIDOI_SELECT_H
#define NIDOI_SELECT_H

#include "base/random.h"
#include "coro/scope/scope.h"
#include "nido/select.h"

struct nidoi_arm_kind {
    const char *name; /* for an arm whose object has none of its own */
    /* Does it without waiting. -EAGAIN: not now, and nothing has happened; all else is the arm's
     * status. */
    int (*attempt)(struct nidoi_loop *loop, nido_arm *arm);
    /* Enlists it after an attempt has said -EAGAIN: in a queue by arm->node, so that a claim of
     * that node does the arm; or wherever something will call nidoi_arm_done. 0; or the arm's
     * status, then it is not enlisted. */
    int (*enlist)(struct nidoi_loop *loop, nido_arm *arm);
    /* Takes it back. May only unlink. */
    void (*withdraw)(struct nidoi_loop *loop, nido_arm *arm);
    /* Called when all have been taken back: the queue may be stirred now. NULL: it needs no second
     * look. */
    void (*left)(struct nidoi_loop *loop, nido_arm *arm);
    /* After a sleep in the call, since when so many renewals: does the arm name something else now?
     * NULL: never. */
    bool (*lost)(struct nidoi_loop *loop, const nido_arm *arm, uint64_t since);
    /* Called by the task after it was woken with `value` by this arm: the arm's status. -EAGAIN: it
     * was no good, the select begins anew. NULL: the status is `value`. */
    int (*woken)(struct nidoi_loop *loop, nido_arm *arm, int value);
    const char *(*named)(const nido_arm *arm); /* NULL: it never has a name */
};

/* The order in which a select tries its arms, and in which they line up: once through the numbers
 * below the next power of two, from a drawn start below n by a drawn odd step. Over time each arm
 * comes first as often as any other. */
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

/* The number of a try, 0 to mask; no arm has it if it is n or more. */
static inline uint32_t nidoi_arm_order_number(const struct nidoi_arm_order *order, uint32_t tries)
{
    return (order->at + tries * order->step) & order->mask;
}

/* An enlisted arm that is in no queue is done: withdraws the others and wakes. */
void nidoi_arm_done(nido_arm *arm, int value);

/* A withdraw for arms that are in a queue. */
void nidoi_arm_unlink(struct nidoi_loop *loop, nido_arm *arm);

#endif

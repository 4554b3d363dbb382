/* SPDX-License-Identifier: MIT */
/* sync/latch_arm.c: the arm of a select that waits for a latch. As nido_latch_wait it takes itself
 * out of `leaving` when it runs again. */
#include "nido/latch.h"
#include "sync/select.h"
#include "sync/sync.h"

static const char *latch_arm_name(const nido_arm *arm)
{
    return ((const nido_latch *)arm->object)->queue.sync.name;
}

static int latch_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return nido_latch_try_wait(arm->object);
}

static int latch_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_latch *latch = arm->object;

    (void)loop;
    nidoi_list_append(&latch->queue.sync.waiters.nodes, &arm->node.link);
    return 0;
}

static int latch_arm_woken(struct nidoi_loop *loop, nido_arm *arm, int value)
{
    (void)loop, (void)value;
    ((nido_latch *)arm->object)->leaving--;
    return 0;
}

static const struct nidoi_arm_kind latch_arm = {.name = "latch",
                                                .attempt = latch_arm_attempt,
                                                .enlist = latch_arm_enlist,
                                                .withdraw = nidoi_arm_unlink,
                                                .woken = latch_arm_woken,
                                                .named = latch_arm_name};

void nido_arm_latch(nido_arm *arm, nido_latch *latch)
{
    *arm = (nido_arm){.kind = &latch_arm, .object = latch};
}

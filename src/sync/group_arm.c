/* SPDX-License-Identifier: MIT */
/* sync/group_arm.c: the arm of a select that waits, in the body of a group, for its children. */
#include "coro/group/body.h"
#include "sync/select.h"

static int group_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_group *group = arm->object;
    int err = nidoi_body_may_wait(loop, group);

    if (err) return err;
    if (!nidoi_group_is_idle(group)) return -EAGAIN;
    arm->result = nidoi_body_outcome(loop, group);
    return 0;
}

/* There is one wait for a group at a time, and one arm. */
static int group_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_group *group = arm->object;

    (void)loop;
    if (group->closer) return -EBUSY;
    nidoi_body_enlist(group, &arm->node);
    return 0;
}

static void group_arm_withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    nidoi_body_withdraw(arm->object);
}

static int group_arm_woken(struct nidoi_loop *loop, nido_arm *arm, int value)
{
    arm->result = nidoi_body_outcome(loop, arm->object);
    return value;
}

static const char *group_arm_name(const nido_arm *arm)
{
    return ((const nido_group *)arm->object)->name;
}

static const struct nidoi_arm_kind group_arm = {.name = "children of group",
                                                .attempt = group_arm_attempt,
                                                .enlist = group_arm_enlist,
                                                .withdraw = group_arm_withdraw,
                                                .woken = group_arm_woken,
                                                .named = group_arm_name};

void nido_arm_group(nido_arm *arm, nido_group *group)
{
    *arm = (nido_arm){.kind = &group_arm, .object = group};
}

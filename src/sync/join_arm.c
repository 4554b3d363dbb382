/* SPDX-License-Identifier: MIT */
/* sync/join_arm.c: the arm of a select that waits for the end of a task. */
#include "nido/task.h"
#include "sync/select.h"

static int join_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    if (arm->of.task.id == loop->sched.current->id) return -EDEADLK;
    return nido_try_join(arm->of.task, &arm->result);
}

static int join_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    struct nidoi_slot *slot = nidoi_slots_get(&loop->slots, arm->of.task.slot);

    nidoi_list_append(&slot->joiners.nodes, &arm->node.link);
    return 0;
}

static const struct nidoi_arm_kind joining = {.name = "end of task",
                                              .attempt = join_arm_attempt,
                                              .enlist = join_arm_enlist,
                                              .withdraw = nidoi_arm_unlink};

void nido_arm_join(nido_arm *arm, nido_task task)
{
    *arm = (nido_arm){.kind = &joining, .of.task = task};
    arm->node.item = &arm->result;
}

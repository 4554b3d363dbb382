/* SPDX-License-Identifier: MIT */
#include "coro/group/body.h"

#include "coro/scope/park.h"

/* ---- Waiting for the children ---- */

static enum nidoi_undo body_undo(struct nidoi_waiter *waiter)
{
    nidoi_body_withdraw(waiter->object);
    return NIDOI_WITHDRAWN;
}

const struct nidoi_wait_kind nidoi_group_waiting = {
    .name = "children of group", .name_at = offsetof(nido_group, name), .undo = body_undo};

/* Does it keep the group from being idle, by itself? */
static bool task_is_counted(const struct nidoi_task *task, const nido_group *group)
{
    const struct nidoi_start *start = task->start;

    if (start && start->target == group) return !start->own;
    return task->group == group && !task->service;
}

bool nidoi_body_needs(const nido_group *group, const struct nidoi_task *task)
{
    for (const nido_scope *scope = task->scope; scope; scope = scope->parent) {
        const struct nidoi_task *above = scope->task;

        if (scope == &above->base && task_is_counted(above, group)) return true;
    }
    return false;
}

int nidoi_body_may_wait(const struct nidoi_loop *loop, const nido_group *group)
{
    int err = nidoi_group_unusable(loop, group);

    if (err) return err;
    return group->scope.task == loop->sched.current ? 0 : -EPERM;
}

void nidoi_body_enlist(nido_group *group, struct nidoi_node *node)
{
    nidoi_list_init(&node->link);
    group->closer = node->waiter;
    group->idler = node;
}

void nidoi_body_withdraw(nido_group *group)
{
    group->closer = NULL;
}

int nidoi_body_outcome(struct nidoi_loop *loop, nido_group *group)
{
    if (!group->failure || group->winner.id) return 0;
    group->flags |= NIDOI_GROUP_TOLD;
    nidoi_error_keep(loop->sched.current, nidoi_failures_first(group->failures, group->failure));
    return group->failure;
}

int nido_group_wait(nido_group *group)
{
    struct nidoi_queued queued = {.waiter = {.kind = &nidoi_group_waiting, .object = group}};
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_body_may_wait(loop, group);
    if (err) return err;
    if (!nidoi_group_is_idle(group)) {
        queued.node.waiter = &queued.waiter;
        nidoi_body_enlist(group, &queued.node);
        err = (int)nidoi_park(loop, &queued.waiter);
    }
    return err ? err : nidoi_body_outcome(loop, group);
}

/* ---- Limit and counts ---- */

int nido_group_set_limit(nido_group *group, uint32_t limit)
{
    int err = nidoi_group_unusable(nidoi_loop_self(), group);

    if (err) return err;
    nidoi_check_frames();
    group->limit = limit;
    nidoi_group_admit(group);
    return 0;
}

int nido_group_counts_get(const nido_group *group, nido_group_counts *out)
{
    const struct nidoi_link *link, *waiting = &group->places.nodes;
    nido_group_counts counts = {.limit = group->limit, .failure = group->failure};

    if (group->scope.flags & NIDOI_SCOPE_FAULTY) return group->scope.code;
    if (group->state != NIDOI_GROUP_NONE) {
        counts.live = group->live;
        counts.services = group->services;
        counts.starting = group->starts;
        counts.waiting = group->reserved;
        for (link = waiting->next; link != waiting; link = link->next) counts.waiting++;
    }
    *out = counts;
    return 0;
}

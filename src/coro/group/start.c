/* SPDX-License-Identifier: MIT */
/* coro/group/start.c: nido_start: a spawn that waits until the task says that it is ready. Until then
 * the task lives in a hidden group on the caller's stack; nido_started hands it over to the group it was
 * meant for. */
#include <errno.h>

#include "coro/group/spawn.h"
#include "coro/scope/park.h"

/* Not cancellable by itself: a cancel of the caller cancels the child, whose end is waited for. */
static const struct nidoi_wait_kind starting = {.name = "start of a task in group",
                                                .name_at = offsetof(nido_group, name)};

/* A service is told to go when the rest is done: what it waits for must not be part of the rest. */
static bool is_below_service(const struct nidoi_task *task, const nido_group *group)
{
    for (const nido_scope *scope = task->scope; scope; scope = scope->parent) {
        const struct nidoi_task *above = scope->task;

        if (scope == &above->base && above->service && above->group == group) return true;
    }
    return false;
}

static void start_count(struct nidoi_start *start, int32_t change)
{
    start->target->starts += (uint32_t)change;
    if (start->own) start->target->own_starts += (uint32_t)change;
}

/* Why a task that ended with success has not said that it is ready. */
static int start_never_ready(struct nidoi_loop *loop, const struct nidoi_start *start, void *place)
{
    if (nidoi_scope_cancelled(&start->hidden.scope)) return -ECANCELED;
    if (nidoi_group_is_over(start->target)) return -ESHUTDOWN;
    return nidoi_fail(loop->sched.current, place, -EPROTO,
                      "start: the task has ended without nido_started");
}

static int start_await(struct nidoi_loop *loop, struct nidoi_start *start, void *place)
{
    int rc;

    start->hidden.state = NIDOI_GROUP_CLOSING;
    start->hidden.closer = &start->waiter;
    start_count(start, 1);
    nidoi_park(loop, &start->waiter);
    if (start->decided) return 0;
    rc = nidoi_group_outcome(loop, &start->hidden, 0);
    if (!rc) rc = start_never_ready(loop, start, place);
    start_count(start, -1);
    nidoi_group_notify(start->target);
    return rc;
}

int nido_start(nido_group *group, nido_fn *fn, void *arg, intptr_t *out)
{
    nido_group_options plain = {.policy = NIDO_WAIT_ALL, .name = "start"};
    struct nidoi_start start = {.target = group, .waiter = {.kind = &starting, .object = group}};
    struct nidoi_spawn_request request = NIDOI_SPAWN_REQUEST(.arg = arg, .start = &start);
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    err = fn ? nidoi_spawn_allowed(loop, group) : -EINVAL;
    if (!err && nidoi_group_is_full(group)) err = -EAGAIN;
    if (err) return err;
    nidoi_scope_check_content(loop->sched.current);
    start.own = is_below_service(loop->sched.current, group);
    nidoi_group_open(loop, &start.hidden, &plain, request.place);
    request.group = &start.hidden;
    err = nidoi_spawn_member(loop, &request, NULL);
    if (!err) err = start_await(loop, &start, request.place);
    nidoi_scope_pop(loop, &start.hidden.scope);
    if (!err && out) *out = start.value;
    return err;
}

static void start_hand_over(struct nidoi_loop *loop, struct nidoi_task *task,
                            struct nidoi_start *start)
{
    nido_group *group = start->target;

    nidoi_list_remove(&task->sibling);
    nidoi_list_append(&group->children, &task->sibling);
    start->hidden.live--;
    start_count(start, -1);
    group->live++;
    task->group = group;
    nidoi_scope_relink(loop, task, &group->scope);
}

int nido_started(intptr_t value)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_task *task = loop ? loop->sched.current : NULL;
    struct nidoi_start *start = task ? task->start : NULL;

    if (!start) return task && task->started ? -EALREADY : -EPERM;
    nidoi_check_frames();
    if (nidoi_scope_cancelled(&start->hidden.scope) || nidoi_group_is_over(start->target))
        return -ECANCELED;
    start_hand_over(loop, task, start);
    task->start = NULL;
    task->started = true;
    start->value = value;
    start->decided = true;
    start->hidden.closer = NULL;
    nidoi_wake(&start->waiter, 0);
    return 0;
}

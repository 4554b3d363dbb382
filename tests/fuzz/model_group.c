/* SPDX-License-Identifier: MIT */
/* Groups: who is in them, how results are judged, when they are over. */
#include "model.h"

struct group *open_group(struct task *task, enum nido_policy policy, int limit, int64_t deadline)
{
    struct group *group = push(task, deadline, false);

    group->is_group = true;
    group->policy = policy;
    group->limit = limit;
    return group;
}

int admissible(const struct group *group, struct task *caller)
{
    if (!group->scope.open) return -EBADF;
    if (due(&group->scope) <= model.now)
        return encloses(&group->scope, caller) || is_cancelled(innermost(caller)) ? -ECANCELED
                                                                                  : -ESHUTDOWN;
    if (group->state == RELEASING) return -ESHUTDOWN;
    if (group->state == CLOSING && !group->live && !group->starts && !group->reserved)
        return -ESHUTDOWN;
    return 0;
}

bool is_full(const struct group *group)
{
    return group->limit && group->live + group->reserved + group->starts >= group->limit;
}

struct task *new_task(void)
{
    struct task *task = &model.tasks[model.count];

    *task = (struct task){.number = model.count++};
    task->base = (struct scope){.task = task, .deadline = NIDO_NEVER};
    return task;
}

void join_group(struct task *task, struct group *group, bool service)
{
    task->live = task->base.open = true;
    task->joined = ++model.joins;
    if (!group) return;
    task->group = group;
    task->service = service;
    task->served = service || group->scope.task->served;
    task->base.parent = &group->scope;
    task->base.shield = service;
    if (service)
        group->services++;
    else
        group->live++;
}

/* ---- Being over ---- */

static bool over(const struct group *group)
{
    if (group->state == CLOSING) return !group->live && !group->starts && !group->reserved;
    return group->state == RELEASING && !group->services;
}

void group_changed(struct group *group)
{
    struct task *closer = group->scope.task;

    while (group->limit && group->places.count && !is_full(group)) {
        group->reserved++;
        op_finish(group->places.places[0].task, 0, 0);
    }
    if (closer->op.waiting && closer->op.group == group && over(group) &&
        (closer->op.arms[0].kind == CLOSE || closer->op.arms[0].kind == START))
        op_finish(closer, 0, 0);
}

/* ---- Judging ---- */

/* The body or a service failed: nobody can win any more. */
static void owner_failed(struct group *group, int rc)
{
    if (group->winner) {
        model.drops++;
        group->winner = group->failure = 0;
    }
    group->disowned = true;
    if (!group->failure) group->failure = rc;
    cancel_scope(&group->scope, rc);
}

static void child_failed(struct group *group, int rc)
{
    if (group->winner) return;
    if (!group->failure) group->failure = rc;
    if (group->policy == NIDO_FAIL_FAST) cancel_scope(&group->scope, rc);
}

static void child_succeeded(struct group *group, const struct task *task, int rc)
{
    if (group->policy != NIDO_RACE) return;
    if (group->winner || group->disowned) {
        model.drops++;
        return;
    }
    group->winner = task->number;
    group->value = rc;
    cancel_scope(&group->scope, 0);
}

static int judge(struct task *task, int rc)
{
    struct group *group = task->group;

    if (rc == -ECANCELED && !struck(task)) rc = -EPROTO;
    if (rc == -ECANCELED && !is_cancelled(&group->scope)) return task->base.code;
    if (rc == -ECANCELED)
        group->seen = true;
    else if (rc < 0 && task->service)
        owner_failed(group, rc);
    else if (rc < 0)
        child_failed(group, rc);
    else if (!task->service)
        child_succeeded(group, task, rc);
    return rc;
}

static void bury(struct task *task)
{
    for (int i = 0; i < MUTEXES; i++) {
        if (model.mutexes[i].owner != task) continue;
        model.mutexes[i].broken = true;
        mutex_unlock(&model.mutexes[i]);
    }
}

static void tell_joiners(struct task *task)
{
    struct line *joiners = &task->joiners;

    while (joiners->count) {
        joiners->places[0].task->op.got = (uint32_t)task->result;
        op_finish(joiners->places[0].task, joiners->places[0].arm, 0);
    }
}

int end_task(struct task *task, int rc)
{
    struct group *group = task->group;

    bury(task);
    task->result = group ? judge(task, rc) : verdict(&task->base, rc);
    task->ended = true;
    task->gone = !task->kept;
    tell_joiners(task);
    task->live = task->base.open = false;
    if (!group) return task->result;
    if (task->service)
        group->services--;
    else
        group->live--;
    group_changed(group);
    return task->result;
}

/* ---- Closing ---- */

static void wait_until_over(struct task *task, struct group *group, enum kind kind)
{
    op_begin(task);
    op_arm(task, kind, 0);
    task->op.group = group;
    task->op.waiting = !over(group);
}

void begin_close(struct task *task, int rc)
{
    struct group *group = &task->levels[task->depth - 1];

    if (rc == -ECANCELED && !struck(task)) rc = -EPROTO;
    if (rc == -ECANCELED)
        group->seen = true;
    else if (rc < 0)
        owner_failed(group, rc);
    group->state = CLOSING;
    wait_until_over(task, group, CLOSE);
}

void release_services(struct task *closer)
{
    struct group *group = closer->op.group;
    struct task *task;

    if (group->state != CLOSING) return;
    group->state = RELEASING;
    for (task = next_child(&group->scope, 0); task; task = next_child(&group->scope, task->joined))
        cancel_scope(&task->base, 0);
    wait_until_over(closer, group, CLOSE);
}

static int outcome(struct group *group, int rc)
{
    if (group->winner) return group->value;
    if (group->failure) return group->failure;
    return group->seen ? verdict(&group->scope, -ECANCELED) : rc;
}

int end_close(struct task *task, int rc)
{
    struct group *group = &task->levels[task->depth - 1];

    rc = outcome(group, rc);
    for (int i = 1; i < model.count; i++)
        if (model.tasks[i].group == group) model.tasks[i].gone = true;
    group->state = CLOSED;
    pop(task);
    return rc;
}

/* ---- Starting ---- */

void begin_start(struct task *starter, struct group *target, struct task *task)
{
    struct group *hidden = open_group(starter, NIDO_WAIT_ALL, 0, NIDO_NEVER);

    join_group(task, hidden, false);
    task->starting = true;
    hidden->target = target;
    hidden->state = CLOSING;
    target->starts++;
    wait_until_over(starter, hidden, START);
}

int say_started(struct task *task)
{
    struct group *hidden = task->group, *target;

    if (!task->starting) return task->started ? -EALREADY : -EPERM;
    if (is_cancelled(&hidden->scope)) return -ECANCELED;
    target = task->group = hidden->target;
    task->base.parent = &target->scope;
    task->joined = ++model.joins;
    task->served = target->scope.task->served;
    task->starting = false;
    task->started = hidden->decided = true;
    hidden->live--;
    target->starts--;
    target->live++;
    call_home_below(&task->base);
    group_changed(hidden);
    return 0;
}

int end_start(struct task *starter)
{
    struct group *hidden = &starter->levels[starter->depth - 1];
    int rc = 0;

    if (!hidden->decided) {
        hidden->target->starts--;
        group_changed(hidden->target);
        rc = outcome(hidden, is_cancelled(&hidden->scope) ? -ECANCELED : -EPROTO);
    }
    pop(starter);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* Scopes: the tree of cancellation, deadlines, shields and the grace. */
#include "model.h"

struct model model;

struct scope *innermost(struct task *task)
{
    return task->depth ? &task->levels[task->depth - 1].scope : &task->base;
}

/* A shield ends with the grace of each cancelled scope around it at the latest. */
static int64_t bounded(const struct scope *scope)
{
    int64_t end = scope->deadline;

    if (!scope->shield || model.grace == NIDO_NEVER) return end;
    for (const struct scope *above = scope->parent; above; above = above->parent)
        if (above->cancelled && above->when + model.grace < end) end = above->when + model.grace;
    return end;
}

int64_t due(const struct scope *scope)
{
    int64_t end = bounded(scope), above;

    if (scope->cancelled) return INT64_MIN;
    if (scope->shield || !scope->parent) return end;
    above = due(scope->parent);
    return above < end ? above : end;
}

bool is_cancelled(const struct scope *scope)
{
    return due(scope) == INT64_MIN;
}

bool encloses(const struct scope *outer, struct task *task)
{
    const struct scope *scope = innermost(task);

    while (scope && scope != outer) scope = scope->parent;
    return scope;
}

struct group *push(struct task *task, int64_t deadline, bool shield)
{
    struct scope *parent = innermost(task);
    struct group *level = &task->levels[task->depth++];

    *level = (struct group){.state = OPEN};
    level->scope = (struct scope){
        .parent = parent, .task = task, .open = true, .shield = shield, .deadline = deadline};
    if (deadline == INT64_MIN) level->scope.deadline++; /* that value means cancelled */
    parent->inner = &level->scope;
    return level;
}

/* ---- Striking ---- */

struct task *next_child(const struct scope *scope, unsigned joined)
{
    struct task *found = NULL;

    for (int i = 1; i < model.count; i++) {
        struct task *task = &model.tasks[i];

        if (task->live && task->base.parent == scope && task->joined > joined &&
            (!found || task->joined < found->joined))
            found = task;
    }
    return found;
}

/* Who is cancelled is called home from the outside in: a task before its children. */
void call_home_below(struct scope *scope)
{
    if (is_cancelled(scope) && innermost(scope->task) == scope) op_call_home(scope->task);
    if (scope->inner) call_home_below(scope->inner);
    for (struct task *child = next_child(scope, 0); child; child = next_child(scope, child->joined))
        call_home_below(&child->base);
}

int cancel_scope(struct scope *scope, int code)
{
    if (!scope->open) return -ESRCH;
    if (scope->cancelled) return -EALREADY;
    scope->cancelled = true;
    scope->code = code;
    scope->when = model.now;
    call_home_below(scope);
    return 0;
}

static struct scope *outermost_expired(struct scope *scope)
{
    struct scope *found = NULL;

    for (; scope; scope = scope->parent)
        if (!scope->cancelled && bounded(scope) <= model.now) found = scope;
    return found;
}

void expire(struct scope *scope)
{
    struct scope *expired;

    while ((expired = outermost_expired(scope)) != NULL) cancel_scope(expired, -ETIMEDOUT);
}

bool struck(struct task *task)
{
    struct scope *scope = innermost(task);

    if (!is_cancelled(scope) && due(scope) <= model.now) expire(scope);
    return is_cancelled(scope);
}

int verdict(struct scope *scope, int rc)
{
    if (rc != -ECANCELED) return rc;
    expire(scope);
    if (scope->parent && is_cancelled(scope->parent)) return -ECANCELED;
    return scope->cancelled ? scope->code : -EPROTO;
}

void pop(struct task *task)
{
    innermost(task)->open = false;
    task->depth--;
    innermost(task)->inner = NULL;
}

int close_scope(struct task *task, int rc)
{
    rc = verdict(innermost(task), rc);
    pop(task);
    return rc;
}

int move_scope(struct scope *scope, int64_t deadline)
{
    if (!scope->open) return -EBADF;
    if (scope->cancelled) return -EALREADY;
    if (bounded(scope) <= model.now) {
        expire(scope);
        return -EALREADY;
    }
    scope->deadline = deadline;
    return 0;
}

/* ---- Time ---- */

/* Calls `look` with every open scope. */
static void each_scope(void (*look)(struct scope *scope, int64_t *out), int64_t *out)
{
    for (int i = 0; i < model.count; i++) {
        struct task *task = &model.tasks[i];

        if (!task->live) continue;
        look(&task->base, out);
        for (int level = 0; level < task->depth; level++) look(&task->levels[level].scope, out);
    }
}

static void find_first(struct scope *scope, int64_t *first)
{
    if (!scope->cancelled && bounded(scope) < *first) *first = bounded(scope);
}

static void expire_one(struct scope *scope, int64_t *unused)
{
    (void)unused;
    expire(scope);
}

static int64_t next_instant(void)
{
    int64_t first = NIDO_NEVER;

    for (int i = 0; i < model.count; i++)
        if (model.tasks[i].op.waiting && model.tasks[i].op.alarm < first)
            first = model.tasks[i].op.alarm;
    each_scope(find_first, &first);
    return first;
}

/* A sleep that ends with a deadline has ended: alarms first. */
static void happen(void)
{
    for (int i = 0; i < model.count; i++) {
        struct task *task = &model.tasks[i];

        if (task->op.waiting && task->op.alarm <= model.now) op_finish(task, task->op.ringer, 0);
    }
    each_scope(expire_one, NULL);
}

void advance(int64_t now)
{
    int64_t next;

    if (now <= model.now) return;
    while ((next = next_instant()) <= now) {
        if (next > model.now) model.now = next;
        happen();
    }
    model.now = now;
}

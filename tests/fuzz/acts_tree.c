/* SPDX-License-Identifier: MIT */
/* Instructions: scopes, groups, spawning. */
#include "program.h"

/* NULL: a task's own first scope. */
static nido_scope *real_scope(const struct scope *scope)
{
    int number = scope->task->number;

    for (int level = 0; level < DEPTH; level++)
        if (&model.tasks[number].levels[level].scope == scope)
            return model.tasks[number].levels[level].is_group ? &world.groups[number][level].scope
                                                              : &world.scopes[number][level];
    return NULL;
}

static bool has_room(const struct task *task)
{
    return task->depth < DEPTH - 1; /* one is left for nido_start */
}

/* ---- Scopes ---- */

/* A task that has not said yet that it is ready will leave the scopes around it. */
static bool will_move(const struct task *task)
{
    for (; task->group; task = task->group->scope.task)
        if (task->starting) return true;
    return false;
}

/* Instants that have passed, that are the same as an enclosing one, and others. Two that are equal
 * and not one inside the other would strike in an order that is nido's affair. */
static int64_t deadline_of(struct task *task, unsigned a)
{
    if (a % 8 == 0) return NIDO_NEVER;
    if (a % 8 == 1) return model.now - (int64_t)(a / 8);
    if (a % 8 == 2 && !will_move(task)) return nido_deadline();
    return after(a / 8 % 8);
}

int act_scope(struct task *task, unsigned a, unsigned b)
{
    int64_t deadline = deadline_of(task, a);
    nido_scope *scope = &world.scopes[task->number][task->depth];

    (void)b;
    if (!has_room(task)) return 0;
    push(task, deadline, false);
    nido_deadline_open(scope, deadline);
    return 0;
}

/* The grace ends all shields at one instant, and in which order is nido's affair: only one task may
 * have shields then. */
static bool may_shield(const struct task *task)
{
    for (int i = 0; i < model.count && model.grace != NIDO_NEVER; i++)
        for (int level = 0; level < model.tasks[i].depth; level++)
            if (model.tasks[i].levels[level].scope.shield && &model.tasks[i] != task) return false;
    return has_room(task);
}

int act_shield(struct task *task, unsigned a, unsigned b)
{
    int64_t end = after(a % 16);
    nido_scope *scope = &world.scopes[task->number][task->depth];

    (void)b;
    if (!may_shield(task)) return 0;
    push(task, end, true);
    nido_shield_open(scope, end - model.now);
    return 0;
}

int close_level(struct task *task, int rc)
{
    int number = task->number, level = task->depth - 1, got;

    catch_up();
    if (!task->levels[level].is_group) {
        int wanted = close_scope(task, rc);

        got = nido_scope_close(&world.scopes[number][level], rc);
        expect("the close of a scope", got, wanted);
        return got;
    }
    unlock_all(task);
    begin_close(task, rc);
    if (!task->op.waiting) release_services(task); /* nobody comes between */
    got = nido_group_close(&world.groups[number][level], rc);
    catch_up();
    release_services(task);
    expect("a close that waits", task->op.waiting, 0);
    expect("the close of a group", got, end_close(task, rc));
    return got;
}

int act_close(struct task *task, unsigned a, unsigned b)
{
    static const int results[] = {0, 0, 3, -EIO, -ECANCELED};

    /* The watchdog stays. */
    int least = task->number == 0 && world.watched;

    (void)b;
    return task->depth > least ? close_level(task, results[a % 5]) : 0;
}

/* Any scope of any task that has ever been opened, closed ones too. */
static struct scope *any_scope(unsigned a, nido_scope **out)
{
    struct task *task = &model.tasks[a % (unsigned)model.count];
    int level = (int)(a / 64 + a / 16) % DEPTH;
    struct scope *scope = &task->levels[level].scope;

    if (!scope->task || task->levels[level].target) return NULL;
    *out = real_scope(scope);
    return scope;
}

int code_of(unsigned b)
{
    static const int codes[] = {0, -EINTR, -EBUSY};

    return codes[b % 3];
}

int act_cancel(struct task *task, unsigned a, unsigned b)
{
    nido_scope *real;
    struct scope *scope = any_scope(a, &real);
    bool passed;
    int got, wanted;

    (void)task;
    catch_up();
    if (!scope) return 0;
    /* Whether a deadline that was over from the start has struck already is nido's affair. */
    passed = scope->open && !scope->cancelled && scope->deadline <= model.now;
    got = nido_scope_cancel(real, code_of(b), "fuzz");
    if (passed && got == -EALREADY) expire(scope);
    wanted = cancel_scope(scope, code_of(b));
    expect("a cancel", got, wanted);
    return 0;
}

/* Has a scope further in taken its deadline over? */
static bool is_copied(const struct scope *scope)
{
    int n = scope->deadline == NIDO_NEVER ? -TASKS * DEPTH : 0;

    for (int i = 0; i < model.count; i++)
        for (int level = 0; level < model.tasks[i].depth; level++)
            n += model.tasks[i].levels[level].scope.deadline == scope->deadline;
    return n > 1;
}

int act_move(struct task *task, unsigned a, unsigned b)
{
    nido_scope *real;
    struct scope *scope = any_scope(a, &real);
    int64_t deadline = after(b % 16);

    (void)task;
    catch_up();
    if (!scope || is_copied(scope)) return 0;
    expect("a move", nido_scope_move(real, deadline), move_scope(scope, deadline));
    return 0;
}

/* ---- Groups ---- */

static void drop(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
    world.drops++;
}

int act_group(struct task *task, unsigned a, unsigned b)
{
    nido_group_options options;
    int64_t deadline = deadline_of(task, b);

    if (!has_room(task)) return 0;
    nido_group_options_init(&options);
    options.policy = (enum nido_policy)(a % 3);
    options.limit = a / 4 % 4 == 3 ? 1 + a / 16 % 3 : 0;
    options.drop = drop;
    options.deadline = deadline < 1 ? 1 : deadline;
    open_group(task, options.policy, (int)options.limit, options.deadline);
    nido_group_open_with(&world.groups[task->number][task->depth - 1], &options);
    return 0;
}

/* The task's own innermost group, or any. */
static struct group *some_group(struct task *task, unsigned a, nido_group **out)
{
    int level = task->depth - 1;
    struct task *owner = task;

    if (a % 4 == 3) {
        owner = &model.tasks[a / 4 % (unsigned)model.count];
        level = (int)(a / 32) % DEPTH;
    } else {
        while (level >= 0 && !task->levels[level].is_group) level--;
        if (level < 0 && !task->group) return NULL;
        if (level < 0) owner = task->group->scope.task;
        if (level < 0) level = (int)(task->group - owner->levels);
    }
    if (!owner->levels[level].is_group || owner->levels[level].target) return NULL;
    *out = &world.groups[owner->number][level];
    return &owner->levels[level];
}

/* NULL: there have been enough. */
static struct task *next_task(unsigned b)
{
    if (model.count == TASKS) return NULL;
    world.starts[model.count] = 4 + b * 3;
    return new_task();
}

/* b: where the task begins; a: which group, a service, with a handle. */
int act_spawn(struct task *task, unsigned a, unsigned b)
{
    nido_group *real;
    struct group *group = some_group(task, a, &real);
    struct task *child = group ? next_task(b) : NULL;
    nido_spawn_options options;
    int wanted, got;

    catch_up();
    if (!child) return 0;
    nido_spawn_options_init(&options);
    options.service = a & 16 && model.grace == NIDO_NEVER; /* a service is a shield too */
    child->kept = a & 32;
    wanted = admissible(group, task);
    if (!wanted && !options.service && is_full(group)) wanted = -EAGAIN;
    got = nido_spawn_with(real, run_task, child, &options,
                          child->kept ? &world.handles[child->number] : NULL);
    expect("a spawn", got, wanted);
    if (got) return got;
    join_group(child, group, options.service);
    expect("live children", (int64_t)nido_group_live(real), group->live);
    return 0;
}

/* Given a place, it is admitted only now: a group may have been cancelled meanwhile. */
static int place_used(struct task *task, struct group *group)
{
    int wanted;

    expect("a candidate that waits", task->op.waiting, 0);
    if (task->op.status) return task->op.status;
    wanted = admissible(group, task);
    group->reserved--;
    return wanted;
}

int act_spawn_wait(struct task *task, unsigned a, unsigned b)
{
    nido_group *real;
    struct group *group = some_group(task, a, &real);
    struct task *child = group ? next_task(b) : NULL;
    int wanted, got;

    if (!child) return 0;
    wanted = refused(task) ? -ECANCELED : admissible(group, task);
    op_begin(task);
    task->op.group = group;
    if (!wanted && (is_full(group) || group->places.count)) {
        op_arm(task, PLACE, 0);
        op_wait(task);
    }
    got = nido_spawn_wait(real, run_task, child);
    catch_up();
    if (task->op.n) wanted = place_used(task, group);
    expect("a spawn that waits for a place", got, wanted);
    if (!got)
        join_group(child, group, false);
    else if (task->op.n)
        group_changed(group);
    return got;
}

int act_start(struct task *task, unsigned a, unsigned b)
{
    nido_group *real;
    struct group *group = some_group(task, a, &real);
    struct task *child = group && !task->served ? next_task(b) : NULL;
    intptr_t value = 0;
    bool begun;
    int wanted, got;

    if (!child) return 0;
    unlock_all(task);
    wanted = refused(task) ? -ECANCELED : admissible(group, task);
    if (!wanted && is_full(group)) wanted = -EAGAIN;
    begun = !wanted;
    if (begun) begin_start(task, group, child);
    got = nido_start(real, run_task, child, &value);
    catch_up();
    if (begun) {
        expect("a start that waits", task->op.waiting, 0);
        wanted = end_start(task);
    }
    expect("a start", got, wanted);
    if (!got) expect("what it was told", value, child->number);
    return got;
}

int act_started(struct task *task, unsigned a, unsigned b)
{
    int got = nido_started(task->number);

    (void)a, (void)b;
    expect("a task that says that it is ready", got, say_started(task));
    return got == -ECANCELED ? got : 0;
}

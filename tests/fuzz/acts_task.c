/* SPDX-License-Identifier: MIT */
/* Instructions: handles of tasks, time, posts. */
#include "program.h"

/* ---- Handles ---- */

/* A task whose handle is known: it was asked for, or the task has run. */
static struct task *some_task(unsigned a)
{
    struct task *task = &model.tasks[a % (unsigned)model.count];

    return world.handles[task->number].id ? task : NULL;
}

int act_join(struct task *task, unsigned a, unsigned b)
{
    const struct task *other = some_task(a);
    int value = 0, got;
    bool stop;

    (void)b;
    if (!other) return 0;
    stop = refused(task);
    op_begin(task);
    op_arm(task, JOIN, other->number);
    if (stop)
        op_finish(task, -1, -ECANCELED);
    else if (op_ready(task, 0) == -EAGAIN)
        op_wait(task);
    else
        op_do(task, 0);
    got = nido_join(world.handles[other->number], &value);
    catch_up();
    expect_end(task, "a join", got);
    if (!got) expect("a joined result", value, (int)task->op.got);
    return got == -ECANCELED ? got : 0;
}

int act_try_join(struct task *task, unsigned a, unsigned b)
{
    const struct task *other = some_task(a);
    int value = 0, wanted, got;

    (void)task, (void)b;
    if (!other) return 0;
    catch_up();
    wanted = other->gone ? -ESRCH : other->ended ? 0 : -EAGAIN;
    got = nido_try_join(world.handles[other->number], &value);
    expect("a join that does not wait", got, wanted);
    if (!got) expect("a joined result", value, other->result);
    return 0;
}

int act_task_cancel(struct task *task, unsigned a, unsigned b)
{
    struct task *other = some_task(a);
    int got;

    (void)task;
    if (!other) return 0;
    catch_up();
    got = nido_task_cancel(world.handles[other->number], code_of(b), "fuzz");
    expect("the cancel of a task", got,
           other->live ? cancel_scope(&other->base, code_of(b)) : -ESRCH);
    return 0;
}

int act_forget(struct task *task, unsigned a, unsigned b)
{
    struct task *other = some_task(a);
    int wanted;

    (void)task, (void)b;
    if (!other) return 0;
    catch_up();
    wanted = other->kept && !other->gone ? 0 : -ESRCH;
    expect("a handle forgotten", nido_task_forget(world.handles[other->number]), wanted);
    if (!wanted) other->kept = false;
    if (!wanted) other->gone = other->ended;
    return 0;
}

/* ---- Time ---- */

int act_sleep(struct task *task, unsigned a, unsigned b)
{
    bool stop = refused(task);
    int64_t when = a % 8 == 0 ? nido_deadline() : a % 8 == 1 ? model.now : after(a / 8 % 8);
    bool parks = !stop && when > model.now;
    int got;

    (void)b;
    if (when == NIDO_NEVER) return 0;
    op_begin(task);
    op_arm(task, SLEEP, 0);
    task->op.alarm = when;
    if (parks) op_wait(task);
    got = nido_sleep_until(when);
    catch_up();
    if (!parks) task->op.status = stop || struck(task) ? -ECANCELED : 0;
    expect_end(task, "a sleep", got);
    return got;
}

int act_yield(struct task *task, unsigned a, unsigned b)
{
    bool stop = refused(task);
    int got;

    (void)a, (void)b;
    op_begin(task);
    got = nido_yield();
    catch_up();
    expect("a yield", got, stop || struck(task) ? -ECANCELED : 0);
    return got;
}

static int posted(void *arg)
{
    unsigned a = (unsigned)(uintptr_t)arg;

    catch_up();
    if (a & 1)
        act_event_set(NULL, a / 2, 0);
    else
        act_cancel(NULL, a / 2, 0);
    return 0;
}

int act_post(struct task *task, unsigned a, unsigned b)
{
    nido_rt *rt = nido_rt_self();

    (void)task, (void)b;
    expect("a post", nido_post(rt, posted, (void *)(uintptr_t)a), 0);
    nido_rt_release(rt);
    return 0;
}

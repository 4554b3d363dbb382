/* SPDX-License-Identifier: MIT */
/* Instructions: a choice of several things to wait for. */
#include "program.h"
#include "sync/select.h"

static void make_arm(struct task *task, nido_arm *arm, unsigned what, uint32_t *got, uint32_t *item)
{
    static const enum kind kinds[] = {SEND, RECV, EVENT, ACQUIRE, RESERVE, SLEEP, JOIN, RECV};
    enum kind kind = kinds[what % 8];
    int object = (int)(what / 8 % CHANS);

    if (kind == JOIN) object = (int)(what / 8) % model.count;
    if (kind == JOIN && !world.handles[object].id) object = task->number;
    if (kind == SLEEP && task->op.alarm != NIDO_NEVER) kind = EVENT, object = 0;
    op_arm(task, kind, kind == ACQUIRE ? 1 : object);
    if (kind == SEND) nido_arm_send(arm, world.chans[object], item);
    if (kind == RECV) nido_arm_recv(arm, world.chans[object], got);
    if (kind == RESERVE) nido_arm_reserve(arm, world.chans[object]);
    if (kind == EVENT) nido_arm_event(arm, &world.events[object]);
    if (kind == ACQUIRE) nido_arm_sem(arm, &world.sem);
    if (kind == JOIN) nido_arm_join(arm, world.handles[object]);
    if (kind != SLEEP) return;
    task->op.alarm = what / 8 % 4 ? after(what / 8 % 4) : model.now;
    task->op.ringer = task->op.n - 1;
    nido_arm_timer(arm, task->op.alarm);
}

/* The arm that was done at once must be one that could be. */
static void follow(struct task *task, int index, unsigned flags)
{
    int first = 0;

    while (first < task->op.n && op_ready(task, first) == -EAGAIN) first++;
    expect("an arm that can be done", index >= 0 && op_ready(task, index) != -EAGAIN, 1);
    if (flags & NIDO_PRIORITY) expect("the first arm that can be done", index, first);
    op_do(task, index);
}

static bool anything_ready(struct task *task)
{
    for (int arm = 0; arm < task->op.n; arm++)
        if (op_ready(task, arm) != -EAGAIN) return true;
    return false;
}

static void count_arm(struct task *task, int index, uint32_t got)
{
    switch (task->op.arms[index].kind) {
    case SEND:
        world.sent += task->op.sent;
        break;
    case RECV:
        count_item(got, task->op.got);
        break;
    case ACQUIRE:
        world.held[task->number]++;
        break;
    case RESERVE:
        world.places[task->number][task->op.arms[index].object]++;
        break;
    default:
        break;
    }
}

/* In the order that the select is about to draw. */
static void line_up_as_drawn(struct task *task, unsigned flags)
{
    uint64_t random = nidoi_loop_self()->random;
    struct nidoi_arm_order order = nidoi_arm_order_draw(&random, (size_t)task->op.n, flags);

    for (uint32_t i = 0; i <= order.mask; i++) {
        int arm = (int)nidoi_arm_order_number(&order, i);

        if (arm < task->op.n) op_enlist(task, arm);
    }
}

int act_select(struct task *task, unsigned a, unsigned b)
{
    unsigned flags = b & 3;
    uint32_t got[ARMS] = {0}, item;
    nido_arm arms[ARMS];
    bool stop = refused(task), ready;
    int index;

    new_item(task);
    item = task->op.sent;
    op_begin(task);
    task->op.chosen = true;
    for (unsigned i = 0; i < 1 + a % ARMS; i++)
        make_arm(task, &arms[i], (a / 2 + b / 4) * (2 * i + 1) + i, &got[i], &item);
    ready = !stop && anything_ready(task);
    if (stop)
        op_finish(task, -1, -ECANCELED);
    else if (!ready && flags & NIDO_POLL)
        op_finish(task, -1, -EAGAIN);
    else if (!ready)
        line_up_as_drawn(task, flags);
    index = nido_select(arms, (size_t)task->op.n, flags);
    if (ready) follow(task, index, flags);
    catch_up();
    expect_end(task, "a select", index < 0 ? index : arms[index].status);
    expect("the arm of a select", index < 0 ? -1 : index, task->op.index);
    if (index < 0) return index;
    if (arms[index].status) return 0;
    if (task->op.arms[index].kind == JOIN)
        expect("a joined result", arms[index].result, (int)task->op.got);
    count_arm(task, index, got[index]);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* What tasks wait for: rwlock, limiter, barrier, broadcast, watch. */
#include "model.h"

struct line *meet_line(enum kind kind)
{
    switch (kind) {
    case ENTER_READING:
    case ENTER_WRITING:
        return &model.rwlock.waiters;
    case BORROW:
        return &model.limiter.waiters;
    case MEET:
        return &model.barrier.waiters;
    case LISTEN:
        return &model.broadcast.waiters;
    case CHANGE:
        return &model.watch.waiters;
    default:
        return NULL;
    }
}

static struct task *first(const struct line *line)
{
    return line->count ? line->places[0].task : NULL;
}

/* ---- The lock for readers and writers ---- */

static bool admits(enum kind kind)
{
    return !model.rwlock.writer && (kind == ENTER_READING || !model.rwlock.readers);
}

static void enter(struct task *task, enum kind kind)
{
    if (kind == ENTER_READING)
        model.rwlock.readers++;
    else
        model.rwlock.writer = task;
}

static int ready_to_enter(struct task *task, enum kind kind)
{
    if (model.rwlock.writer == task) return -EDEADLK;
    if (admits(kind) && !model.rwlock.waiters.count) return 0;
    return model.rwlock.writer && waits_for(model.rwlock.writer, task) ? -EDEADLK : -EAGAIN;
}

static void admit(void)
{
    struct task *task;

    while ((task = first(&model.rwlock.waiters)) && admits(task->op.arms[0].kind)) {
        enter(task, task->op.arms[0].kind);
        op_finish(task, 0, 0);
    }
}

/* The task leaves as the writer if it writes, else as a reader. */
void rwlock_leave(struct task *task)
{
    if (model.rwlock.writer == task)
        model.rwlock.writer = NULL;
    else
        model.rwlock.readers--;
    admit();
}

/* ---- The limiter ---- */

static void lend_to(struct task *task)
{
    model.limiter.borrowed++;
    model.limiter.has[task->number] = true;
}

static void lend(void)
{
    struct task *task;

    while ((task = first(&model.limiter.waiters)) &&
           model.limiter.borrowed < model.limiter.places) {
        lend_to(task);
        op_finish(task, 0, 0);
    }
}

void limiter_give_back(struct task *task)
{
    model.limiter.borrowed--;
    model.limiter.has[task->number] = false;
    lend();
}

void limiter_resize(int places)
{
    model.limiter.places = places;
    lend();
}

static int ready_to_borrow(const struct task *task)
{
    if (model.limiter.has[task->number]) return -EDEADLK;
    return model.limiter.borrowed < model.limiter.places ? 0 : -EAGAIN;
}

/* ---- The barrier ---- */

static int ready_to_meet(void)
{
    if (model.barrier.aborted) return -EPIPE;
    return model.barrier.waiters.count + 1 == model.barrier.size ? 1 : -EAGAIN;
}

void barrier_abort(void)
{
    model.barrier.aborted = true;
    line_finish_all(&model.barrier.waiters, -EPIPE);
}

/* ---- The broadcast ---- */

static unsigned lost_of(const struct task *task)
{
    unsigned behind = model.broadcast.sent - model.broadcast.next[task->number];

    return behind > KEPT ? behind - KEPT : 0;
}

static int ready_to_listen(const struct task *task)
{
    if (model.broadcast.next[task->number] != model.broadcast.sent) return (int)lost_of(task);
    return model.broadcast.closed ? -EPIPE : -EAGAIN;
}

static void hear(struct task *task)
{
    unsigned *next = &model.broadcast.next[task->number];

    *next += lost_of(task);
    task->op.got = model.broadcast.items[(*next)++ % KEPT];
}

void broadcast_send(uint32_t item)
{
    struct task *task;

    model.broadcast.items[model.broadcast.sent++ % KEPT] = item;
    while ((task = first(&model.broadcast.waiters))) {
        hear(task);
        op_finish(task, 0, 0);
    }
}

void broadcast_close(void)
{
    model.broadcast.closed = true;
    line_finish_all(&model.broadcast.waiters, -EPIPE);
}

/* ---- The watched value: whoever is told of a change reads it when he runs ---- */

static int ready_to_watch(const struct task *task)
{
    if (model.watch.version > model.watch.seen[task->number]) return 0;
    return model.watch.closed ? -EPIPE : -EAGAIN;
}

void watch_set(uint32_t value)
{
    model.watch.value = value;
    model.watch.version++;
    line_finish_all(&model.watch.waiters, 0);
}

void watch_close(void)
{
    model.watch.closed = true;
    line_finish_all(&model.watch.waiters, -EPIPE);
}

/* ---- All of them ---- */

int meet_ready(struct task *task, enum kind kind)
{
    switch (kind) {
    case BORROW:
        return ready_to_borrow(task);
    case MEET:
        return ready_to_meet();
    case LISTEN:
        return ready_to_listen(task);
    case CHANGE:
        return ready_to_watch(task);
    default:
        return ready_to_enter(task, kind);
    }
}

void meet_do(struct task *task, enum kind kind, int status)
{
    if (status < 0) return;
    if (kind == ENTER_READING || kind == ENTER_WRITING) enter(task, kind);
    if (kind == BORROW) lend_to(task);
    if (kind == MEET) line_finish_all(&model.barrier.waiters, 0);
    if (kind == LISTEN) hear(task);
}

void meet_settle(void)
{
    admit();
    lend();
}

void meet_withdrawn(enum kind kind)
{
    if (kind == MEET && model.barrier.breaks) barrier_abort();
}

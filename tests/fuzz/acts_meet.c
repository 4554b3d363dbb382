/* SPDX-License-Identifier: MIT */
/* Instructions: the lock for readers and writers, the limiter, the barrier, the broadcast, the watch. */
#include "program.h"

/* ---- The lock for readers and writers ---- */

int act_enter(struct task *task, unsigned a, unsigned b)
{
    enum kind kind = a % 2 ? ENTER_WRITING : ENTER_READING;
    bool try = b % 4 == 0;
    int status;

    if (task->served) return 0;
    if (try)
        predict_try(task, kind, 0);
    else
        predict(task, kind, 0);
    /* A try does not look for whom the writer waits. */
    if (try && task->op.status == -EDEADLK && model.rwlock.writer != task)
        task->op.status = -EAGAIN;
    if (a % 2)
        status =
            try ? nido_rwlock_try_write_lock(&world.rwlock) : nido_rwlock_write_lock(&world.rwlock);
    else
        status =
            try ? nido_rwlock_try_read_lock(&world.rwlock) : nido_rwlock_read_lock(&world.rwlock);
    compare(task, "an entry", status);
    if (!status && a % 2 == 0) world.reading[task->number]++;
    return status;
}

static void leave(struct task *task)
{
    bool writes = model.rwlock.writer == task;

    catch_up();
    rwlock_leave(task);
    if (!writes) world.reading[task->number]--;
    expect("a leave",
           writes ? nido_rwlock_write_unlock(&world.rwlock)
                  : nido_rwlock_read_unlock(&world.rwlock),
           0);
}

int act_leave(struct task *task, unsigned a, unsigned b)
{
    (void)a, (void)b;
    if (model.rwlock.writer == task || world.reading[task->number])
        leave(task);
    else
        expect("a leave of nobody", nido_rwlock_write_unlock(&world.rwlock), -EPERM);
    return 0;
}

/* ---- The limiter ---- */

int act_borrow(struct task *task, unsigned a, unsigned b)
{
    nido_limiter_token *token = &world.tokens[task->number];

    (void)a;
    if (b % 4 == 0) {
        predict_try(task, BORROW, 0);
        return compare(task, "a place", nido_limiter_try_acquire(&world.limiter, token));
    }
    predict(task, BORROW, 0);
    return compare(task, "a place", nido_limiter_acquire(&world.limiter, token));
}

int act_give_back(struct task *task, unsigned a, unsigned b)
{
    bool has;

    (void)a, (void)b;
    catch_up();
    has = model.limiter.has[task->number];
    if (has) limiter_give_back(task);
    expect("a place given back", nido_limiter_release(&world.limiter, &world.tokens[task->number]),
           has ? 0 : -EPERM);
    return 0;
}

int act_resize(struct task *task, unsigned a, unsigned b)
{
    int places = (int)(a % 4);

    (void)task, (void)b;
    catch_up();
    if (!places) return 0; /* paused, nothing would end the waits */
    limiter_resize(places);
    expect("a resize", nido_limiter_resize(&world.limiter, (uint32_t)places), 0);
    return 0;
}

/* ---- The barrier ---- */

int act_meet(struct task *task, unsigned a, unsigned b)
{
    (void)a, (void)b;
    predict(task, MEET, 0);
    return compare(task, "a meeting", nido_barrier_wait(&world.barrier));
}

int act_barrier(struct task *task, unsigned a, unsigned b)
{
    (void)task, (void)b;
    catch_up();
    if (a % 2) {
        barrier_abort();
        expect("an abort", nido_barrier_abort(&world.barrier), 0);
    } else {
        model.barrier.aborted = false;
        expect("a reset", nido_barrier_reset(&world.barrier), 0);
    }
    return 0;
}

/* ---- The broadcast ---- */

int act_broadcast(struct task *task, unsigned a, unsigned b)
{
    uint32_t item = ++world.items;

    (void)task, (void)b;
    catch_up();
    if (a % 16 == 15) {
        broadcast_close();
        expect("the end of the broadcast", nido_broadcast_close(&world.broadcast), 0);
        return 0;
    }
    expect("a broadcast", nido_broadcast_send(&world.broadcast, &item),
           model.broadcast.closed ? -EPIPE : 0);
    if (!model.broadcast.closed) broadcast_send(item);
    return 0;
}

int act_listen(struct task *task, unsigned a, unsigned b)
{
    nido_broadcast_reader *reader = &world.readers[task->number];
    uint32_t got = 0;
    int status;

    (void)a;
    if (b % 4 == 0)
        predict_try(task, LISTEN, 0);
    else
        predict(task, LISTEN, 0);
    status = b % 4 ? nido_broadcast_recv(reader, &got) : nido_broadcast_try_recv(reader, &got);
    compare(task, "a listener", status);
    if (status >= 0) expect("an item of the broadcast", got, task->op.got);
    return status;
}

/* ---- The watch ---- */

int act_set(struct task *task, unsigned a, unsigned b)
{
    uint32_t value = ++world.items;

    (void)task, (void)b;
    catch_up();
    if (a % 16 == 15) {
        watch_close();
        expect("the end of the watch", nido_watch_close(&world.watch), 0);
        return 0;
    }
    expect("a set", nido_watch_set(&world.watch, &value), model.watch.closed ? -EPIPE : 0);
    if (!model.watch.closed) watch_set(value);
    return 0;
}

int act_watch(struct task *task, unsigned a, unsigned b)
{
    uint64_t *seen = &world.seen[task->number];
    uint32_t got = 0;
    int status;

    (void)a, (void)b;
    predict(task, CHANGE, 0);
    status = compare(task, "a change", nido_watch_wait(&world.watch, &got, seen));
    if (status) return status;
    model.watch.seen[task->number] = model.watch.version;
    expect("the watched value", got, model.watch.value);
    expect("its version", (int64_t)*seen, model.watch.version);
    return 0;
}

/* ---- Their life ---- */

void make_meeting_places(unsigned barrier)
{
    nido_rwlock_init(&world.rwlock, NULL);
    model.limiter.places = 2;
    expect("a limiter", nido_limiter_init(&world.limiter, 2, NULL), 0);
    model.barrier.size = 2 + (int)(barrier % 2);
    model.barrier.breaks = barrier / 2 % 2;
    expect("a barrier",
           nido_barrier_init(&world.barrier, (uint32_t)model.barrier.size,
                             model.barrier.breaks ? NIDO_BARRIER_BREAKS : 0, NULL),
           0);
    expect("a broadcast",
           nido_broadcast_init(&world.broadcast, sizeof *world.kept, KEPT, world.kept, NULL), 0);
    for (int i = 0; i < TASKS; i++) nido_broadcast_subscribe(&world.broadcast, &world.readers[i]);
    model.watch.version = 1;
    expect("a watch",
           nido_watch_init(&world.watch, &world.watched_value, sizeof world.watched_value, NULL),
           0);
}

void expect_meeting_places_over(void)
{
    expect("a rwlock", nido_rwlock_deinit(&world.rwlock), 0);
    expect("a limiter", nido_limiter_deinit(&world.limiter), 0);
    expect("a barrier", nido_barrier_deinit(&world.barrier), 0);
    expect("a broadcast", nido_broadcast_deinit(&world.broadcast), 0);
    expect("a watch", nido_watch_deinit(&world.watch), 0);
}

void leave_meeting_places(struct task *task)
{
    while (model.rwlock.writer == task || world.reading[task->number]) leave(task);
    if (model.limiter.has[task->number]) act_give_back(task, 0, 0);
}

/* SPDX-License-Identifier: MIT */
/* Instructions: channels, events, permits, locks, conditions. */
#include "program.h"

/* ---- One thing to wait for ---- */

void predict(struct task *task, enum kind kind, int object)
{
    bool stop = refused(task);

    op_begin(task);
    op_arm(task, kind, object);
    if (stop)
        op_finish(task, -1, -ECANCELED);
    else if (op_ready(task, 0) == -EAGAIN)
        op_wait(task);
    else
        op_do(task, 0);
}

void predict_try(struct task *task, enum kind kind, int object)
{
    catch_up();
    op_begin(task);
    op_arm(task, kind, object);
    if (op_ready(task, 0) == -EAGAIN)
        op_finish(task, -1, -EAGAIN);
    else
        op_do(task, 0);
}

int compare(struct task *task, const char *what, int status)
{
    catch_up();
    expect_end(task, what, status);
    return status;
}

void new_item(struct task *task)
{
    task->op.sent = ++world.items;
}

void count_item(uint32_t got, uint32_t wanted)
{
    expect("an item", got, wanted);
    world.received += got;
}

/* ---- Channels ---- */

int act_send(struct task *task, unsigned a, unsigned b)
{
    uint32_t item;
    int status;

    (void)b;
    new_item(task);
    item = task->op.sent;
    predict(task, SEND, (int)(a % CHANS));
    status = compare(task, "a send", nido_chan_send(world.chans[a % CHANS], &item));
    if (!status) world.sent += item;
    return status;
}

int act_recv(struct task *task, unsigned a, unsigned b)
{
    uint32_t got = 0;
    int status;

    (void)b;
    predict(task, RECV, (int)(a % CHANS));
    status = compare(task, "a receive", nido_chan_recv(world.chans[a % CHANS], &got));
    if (!status) count_item(got, task->op.got);
    return status;
}

int act_try(struct task *task, unsigned a, unsigned b)
{
    nido_chan *chan = world.chans[a % CHANS];
    uint32_t got = 0, item = 0;
    int status;

    new_item(task);
    item = task->op.sent;
    predict_try(task, b % 2 ? SEND : RECV, (int)(a % CHANS));
    status = b % 2 ? nido_chan_try_send(chan, &item) : nido_chan_try_recv(chan, &got);
    compare(task, "a try", status);
    if (!status && b % 2) world.sent += item;
    if (!status && b % 2 == 0) count_item(got, task->op.got);
    return status;
}

int act_reserve(struct task *task, unsigned a, unsigned b)
{
    int status;

    (void)b;
    predict(task, RESERVE, (int)(a % CHANS));
    status = compare(task, "a reservation", nido_chan_reserve(world.chans[a % CHANS]));
    if (!status) world.places[task->number][a % CHANS]++;
    return status;
}

static void give_back_place(struct task *task, int object)
{
    world.places[task->number][object]--;
    chan_unreserve(&model.chans[object]);
    expect("a place given back", nido_chan_unreserve(world.chans[object]), 0);
}

int act_commit(struct task *task, unsigned a, unsigned b)
{
    int object = (int)(a % CHANS), wanted;
    uint32_t item = ++world.items;

    catch_up();
    if (!world.places[task->number][object]) return 0;
    if (b % 4 == 0) {
        give_back_place(task, object);
        return 0;
    }
    world.places[task->number][object]--;
    wanted = chan_commit(&model.chans[object], item);
    expect("a commit", nido_chan_commit(world.chans[object], &item), wanted);
    if (!wanted) world.sent += item;
    return wanted;
}

int act_chan_close(struct task *task, unsigned a, unsigned b)
{
    nido_chan *chan = world.chans[a % CHANS];
    bool send = b % 2;

    (void)task;
    catch_up();
    chan_close(&model.chans[a % CHANS], send, !send);
    expect("a close", send ? nido_chan_close_send(chan) : nido_chan_close_recv(chan), 0);
    return 0;
}

/* ---- Events ---- */

int act_event(struct task *task, unsigned a, unsigned b)
{
    (void)b;
    predict(task, EVENT, (int)(a % EVENTS));
    return compare(task, "a wait for an event", nido_event_wait(&world.events[a % EVENTS]));
}

int act_event_set(struct task *task, unsigned a, unsigned b)
{
    bool set = b % 2 == 0;
    nido_event *event = &world.events[a % EVENTS];

    (void)task;
    catch_up();
    model.events[a % EVENTS].set = set;
    if (set) line_finish_all(&model.events[a % EVENTS].waiters, 0);
    expect("an event", set ? nido_event_set(event) : nido_event_reset(event), 0);
    return 0;
}

/* ---- Permits ---- */

int act_acquire(struct task *task, unsigned a, unsigned b)
{
    uint32_t n = 1 + a % PERMITS;
    int status;

    if (b % 4 == 0)
        predict_try(task, ACQUIRE, (int)n);
    else
        predict(task, ACQUIRE, (int)n);
    status = b % 4 ? nido_sem_acquire_n(&world.sem, n) : nido_sem_try_acquire_n(&world.sem, n);
    compare(task, "a permit", status);
    if (!status) world.held[task->number] += (int)n;
    return status;
}

int act_release(struct task *task, unsigned a, unsigned b)
{
    int n = world.held[task->number];

    (void)b;
    catch_up();
    if (a % 2 && n) n = 1;
    world.held[task->number] -= n;
    sem_release(n);
    expect("a release", nido_sem_release_n(&world.sem, (uint32_t)n), 0);
    return 0;
}

/* ---- Locks ---- */

int locks_of(const struct task *task)
{
    int n = 0;

    for (int i = 0; i < MUTEXES; i++) n += model.mutexes[i].owner == task;
    return n;
}

static int unlock(struct task *task, int object)
{
    bool mine = model.mutexes[object].owner == task;

    catch_up();
    if (mine) mutex_unlock(&model.mutexes[object]);
    expect("an unlock", nido_mutex_unlock(&world.mutexes[object]), mine ? 0 : -EPERM);
    return 0;
}

void unlock_all(struct task *task)
{
    for (int i = 0; i < MUTEXES; i++)
        if (model.mutexes[i].owner == task) unlock(task, i);
}

int act_lock(struct task *task, unsigned a, unsigned b)
{
    int object = (int)(a % MUTEXES), status;

    if (task->served) return 0;
    if (b % 4 == 0)
        predict_try(task, LOCK, object);
    else
        predict(task, LOCK, object);
    /* A try that finds an owner waiting for it does not wait, so it is not refused. */
    if (b % 4 == 0 && task->op.status == -EDEADLK && model.mutexes[object].owner != task)
        task->op.status = -EAGAIN;
    status = b % 4 ? nido_mutex_lock(&world.mutexes[object])
                   : nido_mutex_try_lock(&world.mutexes[object]);
    return compare(task, "a lock", status);
}

int act_unlock(struct task *task, unsigned a, unsigned b)
{
    int object = (int)(a % MUTEXES);
    struct mutex *mutex = &model.mutexes[object];

    if (task->served) return 0;
    if (b % 2 == 0 && mutex->owner == task) {
        expect("a repair", nido_mutex_repair(&world.mutexes[object]), mutex->broken ? 0 : -EINVAL);
        mutex->broken = false;
    }
    return unlock(task, object);
}

int act_wait(struct task *task, unsigned a, unsigned b)
{
    int object = (int)(a % MUTEXES), cond = (int)(b % CONDS);
    const struct mutex *mutex = &model.mutexes[object];
    bool stop, begun;
    int wanted = 0;

    if (task->served || locks_of(task) > 1) return 0;
    if (locks_of(task) == 1 && mutex->owner != task) object = 1 - object;
    mutex = &model.mutexes[object];
    stop = refused(task);
    if (stop)
        wanted = -ECANCELED;
    else if (mutex->owner != task)
        wanted = -EPERM;
    else if (model.conds[cond].waiters.count && model.conds[cond].mutex != object)
        wanted = -EINVAL;
    begun = !wanted;
    op_begin(task);
    if (begun)
        cond_wait(cond, task, object);
    else
        op_finish(task, -1, wanted);
    compare(task, "a wait for a condition",
            nido_cond_wait(&world.conds[cond], &world.mutexes[object]));
    if (begun) expect("who has the mutex", mutex->owner == task, 1);
    return task->op.status;
}

int act_notify(struct task *task, unsigned a, unsigned b)
{
    int cond = (int)(b % CONDS);

    (void)task;
    catch_up();
    do {
        cond_notify(cond);
    } while (a % 2 && model.conds[cond].waiters.count);
    expect("a notification",
           a % 2 ? nido_cond_notify_all(&world.conds[cond]) : nido_cond_notify(&world.conds[cond]),
           0);
    return 0;
}

/* ---- The end of a task ---- */

void give_back(struct task *task)
{
    act_release(task, 0, 0);
    leave_meeting_places(task);
    for (int i = 0; i < CHANS; i++)
        while (world.places[task->number][i]) give_back_place(task, i);
}

/* SPDX-License-Identifier: MIT */
/* What tasks wait for: lines, channels, events, permits, locks, conditions. */
#include "model.h"

#include <string.h>

/* ---- Lines ---- */

void line_join(struct line *line, struct task *task, int arm)
{
    line->places[line->count].task = task;
    line->places[line->count++].arm = arm;
}

static void leave(struct line *line, const struct task *task)
{
    int kept = 0;

    for (int i = 0; i < line->count; i++)
        if (line->places[i].task != task) line->places[kept++] = line->places[i];
    line->count = kept;
}

static struct line *line_of(const struct op *op, int arm)
{
    int object = op->arms[arm].object;

    switch (op->arms[arm].kind) {
    case SEND:
    case RESERVE:
        return &model.chans[object].senders;
    case RECV:
        return &model.chans[object].receivers;
    case EVENT:
        return &model.events[object].waiters;
    case ACQUIRE:
        return &model.borrowers;
    case LOCK:
    case RELOCK:
        return &model.mutexes[object].waiters;
    case NOTICE:
        return &model.conds[object].waiters;
    case JOIN:
        return &model.tasks[object].joiners;
    case PLACE:
        return &op->group->places;
    default:
        return meet_line(op->arms[arm].kind);
    }
}

static void finish_first(struct line *line, int status)
{
    op_finish(line->places[0].task, line->places[0].arm, status);
}

void line_finish_all(struct line *line, int status)
{
    while (line->count) finish_first(line, status);
}

/* ---- Permits ---- */

static void lend(void)
{
    while (model.borrowers.count) {
        const struct op *op = &model.borrowers.places[0].task->op;
        int want = op->arms[model.borrowers.places[0].arm].object;

        if (want > model.permits) return;
        model.permits -= want;
        finish_first(&model.borrowers, 0);
    }
}

void sem_release(int n)
{
    model.permits += n;
    lend();
}

/* ---- Channels ---- */

/* The first pair of a sender and a receiver that are not the same task. */
static bool meet(struct chan *chan)
{
    for (int s = 0; s < chan->senders.count; s++)
        for (int r = 0; r < chan->receivers.count; r++) {
            struct task *sender = chan->senders.places[s].task;
            struct task *receiver = chan->receivers.places[r].task;
            int send_arm = chan->senders.places[s].arm, recv_arm = chan->receivers.places[r].arm;

            if (sender == receiver) continue;
            receiver->op.got = sender->op.sent;
            op_finish(receiver, recv_arm, 0);
            op_finish(sender, send_arm, 0);
            return true;
        }
    return false;
}

static uint32_t oldest(struct chan *chan)
{
    uint32_t item = chan->items[0];

    memmove(chan->items, chan->items + 1, sizeof chan->items - sizeof item);
    chan->count--;
    return item;
}

static bool take_in(struct chan *chan)
{
    const struct op *op;

    if (chan->count + chan->reserved == chan->capacity || !chan->senders.count) return false;
    op = &chan->senders.places[0].task->op;
    if (op->arms[chan->senders.places[0].arm].kind == RESERVE)
        chan->reserved++;
    else
        chan->items[chan->count++] = op->sent;
    finish_first(&chan->senders, 0);
    return true;
}

static bool move(struct chan *chan)
{
    if (chan->count && chan->receivers.count) {
        chan->receivers.places[0].task->op.got = oldest(chan);
        finish_first(&chan->receivers, 0);
        return true;
    }
    return chan->capacity ? take_in(chan) : meet(chan);
}

static void settle(struct chan *chan)
{
    while (move(chan)) {
    }
}

void chan_close(struct chan *chan, bool send, bool recv)
{
    chan->send_open &= !send;
    chan->recv_open &= !recv;
    line_finish_all(&chan->senders, -EPIPE);
    line_finish_all(&chan->receivers, -EPIPE);
    if (recv) chan->count = 0;
}

int chan_commit(struct chan *chan, uint32_t item)
{
    if (!chan->reserved) return -EPERM;
    chan->reserved--;
    if (!chan->send_open || !chan->recv_open) return -EPIPE;
    chan->items[chan->count++] = item;
    settle(chan);
    return 0;
}

void chan_unreserve(struct chan *chan)
{
    chan->reserved--;
    settle(chan);
}

static int ready_to_send(const struct chan *chan)
{
    bool room =
        chan->capacity ? chan->count + chan->reserved < chan->capacity : chan->receivers.count > 0;

    if (!chan->send_open || !chan->recv_open) return -EPIPE;
    return room ? 0 : -EAGAIN;
}

static int ready_to_receive(const struct chan *chan)
{
    if (!chan->recv_open) return -EPIPE;
    if (chan->count || (!chan->capacity && chan->senders.count)) return 0;
    return chan->send_open ? -EAGAIN : -EPIPE;
}

/* ---- Locks ---- */

int mutex_state(const struct mutex *mutex)
{
    return mutex->broken ? -EOWNERDEAD : 0;
}

static void grant(struct mutex *mutex)
{
    struct task *heir;

    mutex->owner = NULL;
    if (!mutex->waiters.count) return;
    heir = mutex->owner = mutex->waiters.places[0].task;
    op_finish(heir, 0, heir->op.status ? heir->op.status : mutex_state(mutex));
}

void mutex_unlock(struct mutex *mutex)
{
    grant(mutex);
}

/* Would `me` wait for ever for `owner`? True if that one waits for `me` by locks, joins or the close
 * of a group in which `me` is. */
bool waits_for(struct task *owner, struct task *me)
{
    for (int left = TASKS; owner && left > 0; left--) {
        const struct op *op = &owner->op;

        if (owner == me) return true;
        if (!op->waiting || op->chosen) return false;
        if (op->arms[0].kind == CLOSE) return encloses(&op->group->scope, me);
        if (op->arms[0].kind == LOCK || op->arms[0].kind == RELOCK)
            owner = model.mutexes[op->arms[0].object].owner;
        else if (op->arms[0].kind == ENTER_READING || op->arms[0].kind == ENTER_WRITING)
            owner = model.rwlock.writer;
        else
            owner = op->arms[0].kind == JOIN ? &model.tasks[op->arms[0].object] : NULL;
    }
    return false;
}

/* Off the condition, with `status` as its answer (0: what the mutex says), as soon as it has the
 * mutex. */
static void regain(struct task *task, int status)
{
    struct op *op = &task->op;
    struct mutex *mutex = &model.mutexes[model.conds[op->arms[0].object].mutex];

    leave(&model.conds[op->arms[0].object].waiters, task);
    op->status = status;
    op->arms[0].object = (int)(mutex - model.mutexes);
    op->arms[0].kind = RELOCK;
    line_join(&mutex->waiters, task, 0);
    if (!mutex->owner) grant(mutex);
}

void cond_wait(int cond, struct task *task, int mutex)
{
    model.conds[cond].mutex = mutex;
    op_begin(task);
    op_arm(task, NOTICE, cond);
    op_wait(task);
    grant(&model.mutexes[mutex]);
}

void cond_notify(int cond)
{
    if (model.conds[cond].waiters.count) regain(model.conds[cond].waiters.places[0].task, 0);
}

/* ---- Operations ---- */

void op_begin(struct task *task)
{
    task->op = (struct op){.index = -1, .alarm = NIDO_NEVER, .sent = task->op.sent};
}

void op_arm(struct task *task, enum kind kind, int object)
{
    task->op.arms[task->op.n].kind = kind;
    task->op.arms[task->op.n++].object = object;
}

static int ready_to_join(struct task *task, int number)
{
    const struct task *other = &model.tasks[number];

    if (other->gone) return -ESRCH;
    if (other->ended) return 0;
    return task == other || (!task->op.chosen && waits_for(&model.tasks[number], task)) ? -EDEADLK
                                                                                        : -EAGAIN;
}

static int ready_to_lock(struct task *task, const struct mutex *mutex)
{
    if (!mutex->owner) return mutex_state(mutex);
    return waits_for(mutex->owner, task) ? -EDEADLK : -EAGAIN;
}

int op_ready(struct task *task, int arm)
{
    int object = task->op.arms[arm].object;

    switch (task->op.arms[arm].kind) {
    case SEND:
        return ready_to_send(&model.chans[object]);
    case RECV:
        return ready_to_receive(&model.chans[object]);
    case RESERVE:
        return model.chans[object].capacity ? ready_to_send(&model.chans[object]) : -EINVAL;
    case EVENT:
        return model.events[object].set ? 0 : -EAGAIN;
    case ACQUIRE:
        return model.borrowers.count || object > model.permits ? -EAGAIN : 0;
    case LOCK:
        return ready_to_lock(task, &model.mutexes[object]);
    case JOIN:
        return ready_to_join(task, object);
    case SLEEP:
        return task->op.alarm <= model.now ? 0 : -EAGAIN;
    default:
        return meet_line(task->op.arms[arm].kind) ? meet_ready(task, task->op.arms[arm].kind)
                                                  : -EAGAIN;
    }
}

void op_enlist(struct task *task, int arm)
{
    struct line *line = line_of(&task->op, arm);

    task->op.waiting = true;
    if (line) line_join(line, task, arm);
}

void op_wait(struct task *task)
{
    for (int arm = 0; arm < task->op.n; arm++) op_enlist(task, arm);
}

void op_do(struct task *task, int arm)
{
    int status = op_ready(task, arm), object = task->op.arms[arm].object;
    enum kind kind = task->op.arms[arm].kind;

    if (kind == LOCK && (status == 0 || status == -EOWNERDEAD)) model.mutexes[object].owner = task;
    if (kind == JOIN && !status) task->op.got = (uint32_t)model.tasks[object].result;
    if (!status && (kind == SEND || kind == RECV || kind == RESERVE || kind == ACQUIRE)) {
        op_enlist(task, arm);
        if (kind == ACQUIRE)
            lend();
        else
            settle(&model.chans[object]);
    } else {
        if (meet_line(kind)) meet_do(task, kind, status);
        op_finish(task, arm, status);
    }
}

void op_finish(struct task *task, int arm, int status)
{
    struct op *op = &task->op;

    op->waiting = false;
    op->index = arm;
    op->status = status;
    op->end = ++model.ends;
    for (int i = 0; i < op->n; i++)
        if (line_of(op, i)) leave(line_of(op, i), task);
    lend();
    meet_settle();
}

void op_call_home(struct task *task)
{
    struct op *op = &task->op;

    if (!op->waiting) return;
    switch (op->arms[0].kind) {
    case RELOCK:
    case CLOSE:
    case START:
        return;
    case NOTICE:
        regain(task, -ECANCELED);
        return;
    default:
        op_finish(task, -1, -ECANCELED);
        meet_withdrawn(op->arms[0].kind);
    }
}

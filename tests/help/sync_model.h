/* SPDX-License-Identifier: MIT */
/* sync_model.h: channels, events and a semaphore as plainly as they can be written: lists that are searched from the
 * front. An operation is a choice of arms, of which one is done; a call that is no select has one arm. */
#ifndef SYNC_MODEL_H
#define SYNC_MODEL_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inside_help.h"
#include "seeded.h"

enum { MODEL_CHANS = 3, MODEL_EVENTS = 2, MODEL_ARMS = 4, MODEL_PLACES = 8, MODEL_LINE = 64 };

enum model_kind { SEND, RECV, RESERVE, EVENT, ACQUIRE };

struct model_op {
    struct {
        enum model_kind kind;
        int object; /* number of the channel or event; of ACQUIRE: how many permits */
    } arms[MODEL_ARMS];
    int n;
    uint64_t sent; /* what its sends would send */
    bool waiting;
    int index, status; /* of the arm that was done; status alone if none was */
    uint64_t got;
};

struct model_line {
    struct {
        struct model_op *op;
        int arm;
    } places[MODEL_LINE];
    int count;
};

struct model_chan {
    struct model_line senders, receivers;
    uint64_t items[MODEL_PLACES];
    int capacity, count, reserved;
    bool send_open, recv_open;
};

struct model {
    struct model_chan chans[MODEL_CHANS];
    struct {
        struct model_line waiters;
        bool set;
    } events[MODEL_EVENTS];
    struct model_line borrowers;
    int permits;
};

/* ---- Lines ---- */

static inline void model_leave(struct model_line *line, const struct model_op *op)
{
    int kept = 0;

    for (int i = 0; i < line->count; i++)
        if (line->places[i].op != op) line->places[kept++] = line->places[i];
    line->count = kept;
}

static inline struct model_line *model_line_of(struct model *model, const struct model_op *op,
                                               int arm)
{
    int object = op->arms[arm].object;

    switch (op->arms[arm].kind) {
    case SEND:
    case RESERVE:
        return &model->chans[object].senders;
    case RECV:
        return &model->chans[object].receivers;
    case EVENT:
        return &model->events[object].waiters;
    default:
        return &model->borrowers;
    }
}

static inline void model_enlist(struct model *model, struct model_op *op, int arm)
{
    struct model_line *line = model_line_of(model, op, arm);

    line->places[line->count].op = op;
    line->places[line->count++].arm = arm;
    op->waiting = true;
}

static inline void model_lend(struct model *model);

/* The operation is over: out of all lines; that may let others have permits. */
static inline void model_finish(struct model *model, struct model_op *op, int arm, int status)
{
    op->waiting = false;
    op->index = arm;
    op->status = status;
    for (int i = 0; i < op->n; i++) model_leave(model_line_of(model, op, i), op);
    model_lend(model);
}

static inline void model_finish_first(struct model *model, struct model_line *line, int status)
{
    model_finish(model, line->places[0].op, line->places[0].arm, status);
}

static inline void model_finish_all(struct model *model, struct model_line *line, int status)
{
    while (line->count) model_finish_first(model, line, status);
}

/* ---- What can happen by itself ---- */

static inline void model_lend(struct model *model)
{
    while (model->borrowers.count) {
        const struct model_op *op = model->borrowers.places[0].op;
        int want = op->arms[model->borrowers.places[0].arm].object;

        if (want > model->permits) return;
        model->permits -= want;
        model_finish_first(model, &model->borrowers, 0);
    }
}

/* The first pair of a sender and a receiver that are not the same operation. */
static inline bool model_meet(struct model *model, struct model_chan *chan)
{
    for (int s = 0; s < chan->senders.count; s++)
        for (int r = 0; r < chan->receivers.count; r++) {
            struct model_op *sender = chan->senders.places[s].op;
            struct model_op *receiver = chan->receivers.places[r].op;
            int send_arm = chan->senders.places[s].arm, recv_arm = chan->receivers.places[r].arm;

            if (sender == receiver) continue;
            receiver->got = sender->sent;
            model_finish(model, receiver, recv_arm, 0);
            model_finish(model, sender, send_arm, 0);
            return true;
        }
    return false;
}

static inline uint64_t model_pop(struct model_chan *chan)
{
    uint64_t item = chan->items[0];

    memmove(chan->items, chan->items + 1, sizeof chan->items - sizeof item);
    chan->count--;
    return item;
}

static inline bool model_move(struct model *model, struct model_chan *chan)
{
    if (chan->count && chan->receivers.count) {
        chan->receivers.places[0].op->got = model_pop(chan);
        model_finish_first(model, &chan->receivers, 0);
        return true;
    }
    if (!chan->capacity) return model_meet(model, chan);
    if (chan->count + chan->reserved == chan->capacity || !chan->senders.count) return false;
    if (chan->senders.places[0].op->arms[chan->senders.places[0].arm].kind == RESERVE)
        chan->reserved++;
    else
        chan->items[chan->count++] = chan->senders.places[0].op->sent;
    model_finish_first(model, &chan->senders, 0);
    return true;
}

static inline void model_settle(struct model *model, struct model_chan *chan)
{
    while (model_move(model, chan)) {
    }
}

/* ---- Operations ---- */

/* What an arm would do at once: a status, or -EAGAIN. */
static inline int model_ready(const struct model *model, const struct model_op *op, int arm)
{
    const struct model_chan *chan = &model->chans[op->arms[arm].object % MODEL_CHANS];
    bool room =
        chan->capacity ? chan->count + chan->reserved < chan->capacity : chan->receivers.count > 0;

    switch (op->arms[arm].kind) {
    case RESERVE:
        if (!chan->capacity) return -EINVAL;
        /* fall through */
    case SEND:
        return !chan->send_open || !chan->recv_open ? -EPIPE : room ? 0 : -EAGAIN;
    case RECV:
        if (!chan->recv_open) return -EPIPE;
        if (chan->count || (!chan->capacity && chan->senders.count)) return 0;
        return chan->send_open ? -EAGAIN : -EPIPE;
    case EVENT:
        return model->events[op->arms[arm].object].set ? 0 : -EAGAIN;
    default:
        return model->borrowers.count || op->arms[arm].object > model->permits ? -EAGAIN : 0;
    }
}

/* Does an arm that is ready. */
static inline void model_do(struct model *model, struct model_op *op, int arm)
{
    int status = model_ready(model, op, arm);

    if (status == 0) {
        model_enlist(model, op, arm);
        if (op->arms[arm].kind == ACQUIRE) model_lend(model);
        if (op->arms[arm].kind <= RESERVE) model_settle(model, &model->chans[op->arms[arm].object]);
    }
    if (status < 0 || op->arms[arm].kind == EVENT) model_finish(model, op, arm, status);
}

/* Closing one side or both; what is left after that is dropped if nobody receives. */
static inline void model_close(struct model *model, struct model_chan *chan, bool send, bool recv)
{
    chan->send_open &= !send;
    chan->recv_open &= !recv;
    model_finish_all(model, &chan->senders, -EPIPE);
    model_finish_all(model, &chan->receivers, -EPIPE);
}

/* ---- The model beside the truth ---- */

enum { ACTORS = 12, STEPS = 25000, SEEDS = 100, PERMITS = 3, NOTHING = -77 };

struct actor {
    struct model_op op;
    nido_scope scope;
    nido_task task;
    bool in_scope, cancelled, over;
    int borrowed;
    int places[MODEL_CHANS]; /* reserved */
    int births[MODEL_CHANS]; /* world.births when its operation began */
};

static struct {
    struct seeded seeded;
    struct model model;
    nido_chan *chans[MODEL_CHANS];
    nido_event events[MODEL_EVENTS];
    nido_sem sem;
    struct actor actors[ACTORS];
    uint64_t next_item, sent, received, dropped; /* sums of items */
    struct model_chan *dropping;                 /* what the drop callback compares with */
    int births[MODEL_CHANS];                     /* how often the channels were renewed */
    int steps;
    char complaint[256];
} world;

static int below(unsigned n)
{
    return (int)seeded_below(&world.seeded, n);
}

/* The first complaint ends the run. */
static void complain(const char *format, ...) NIDO_PRINTF(1, 2);
static void complain(const char *format, ...)
{
    va_list args;

    if (world.complaint[0]) return;
    va_start(args, format);
    vsnprintf(world.complaint, sizeof world.complaint, format, args);
    va_end(args);
}

static void compare(const char *what, int64_t got, int64_t expected)
{
    if (got != expected)
        complain("%s: %lld, not %lld, %d steps before the end", what, (long long)got,
                 (long long)expected, world.steps);
}

#endif

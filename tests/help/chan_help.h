/* SPDX-License-Identifier: MIT */
/* chan_help.h: tasks that do one thing on a channel of ints, for the tests of channels and select. */
#ifndef CHAN_HELP_H
#define CHAN_HELP_H

#include "inside_help.h"

struct user {
    nido_chan *chan;
    int value; /* sent, or received */
    int rc;    /* 1 until the call is over */
    nido_task task;
};

static inline int sends(void *arg)
{
    struct user *self = arg;

    self->rc = nido_chan_send(self->chan, &self->value);
    return 0;
}

static inline int receives(void *arg)
{
    struct user *self = arg;

    self->rc = nido_chan_recv(self->chan, &self->value);
    return 0;
}

static inline int reserves(void *arg)
{
    struct user *self = arg;

    self->rc = nido_chan_reserve(self->chan);
    return 0;
}

/* Starts one and lets it go as far as it can. */
static inline void begin_user(nido_group *group, nido_fn *fn, struct user *user, nido_chan *chan,
                              int value)
{
    *user = (struct user){.chan = chan, .value = value, .rc = 1};
    user->task = begin_kept(group, fn, user);
    nido_yield();
}

static inline void cancel_user(struct user *user)
{
    cr_expect(eq(int, nido_task_cancel(user->task, 0, NULL), 0));
}

static inline nido_chan *new_chan(size_t capacity)
{
    nido_chan *chan = NULL;

    cr_expect(eq(int, nido_chan_new(sizeof(int), capacity, NULL, NULL, &chan), 0));
    return chan;
}

static inline void expect_recv(nido_chan *chan, int value)
{
    int item = -1;

    cr_expect(eq(int, nido_chan_recv(chan, &item), 0));
    cr_expect(eq(int, item, value));
}

static inline void expect_try_recv(nido_chan *chan, int rc)
{
    int item = -1;

    cr_expect(eq(int, nido_chan_try_recv(chan, &item), rc));
    if (rc) cr_expect(eq(int, item, -1), "a failed call has written");
}

static inline void expect_send(nido_chan *chan, int value, int rc)
{
    cr_expect(eq(int, nido_chan_send(chan, &value), rc));
}

static inline void expect_try_send(nido_chan *chan, int value, int rc)
{
    cr_expect(eq(int, nido_chan_try_send(chan, &value), rc));
}

/* A drop callback's context: what came back, in order. */
struct dropped {
    int count, last;
    int sum;
};

static inline void count_drop(void *ctx, void *item, int result)
{
    struct dropped *dropped = ctx;

    cr_expect(eq(int, result, 0));
    dropped->count++;
    dropped->last = *(int *)item;
    dropped->sum += dropped->last;
}

#endif

/* SPDX-License-Identifier: MIT */
/* chan.c: floors of channels.
 *
 * One channel for all: a ring of longs, a line of senders and one receiver, which is handed the item
 * where it waits; a sender that waits has its item taken from its stack. A rendezvous is the same
 * with a ring of none. It leaves out closing, cancelling, items of any size, other threads and more
 * than one receiver. Inline like the scheduler beneath. */
#include "floors.h"
#include "mini.h"

enum { RING = 128 };

struct waiter {
    struct mini_task *task;
    struct waiter *next;
    long item;
};

struct channel {
    long ring[RING];
    unsigned capacity, head, count;
    struct waiter *first, *last; /* senders */
    struct waiter *receiver;
};

static inline void push(struct channel *channel, long item)
{
    channel->ring[(channel->head + channel->count++) % RING] = item;
}

static inline long pop(struct channel *channel)
{
    channel->count--;
    return channel->ring[channel->head++ % RING];
}

static inline void line_up(struct channel *channel, struct waiter *waiter)
{
    if (channel->first)
        channel->last->next = waiter;
    else
        channel->first = waiter;
    channel->last = waiter;
    mini_park(waiter->task);
}

static inline void give(struct mini_task *self, struct channel *channel, long item)
{
    struct waiter waiter = {.task = self, .item = item};
    if (channel->receiver) {
        channel->receiver->item = item;
        mini_append(self->mini, channel->receiver->task);
        channel->receiver = NULL;
    } else if (channel->count < channel->capacity) {
        push(channel, item);
    } else {
        line_up(channel, &waiter);
    }
}

/* The item of the first in line. */
static inline long admit(struct mini *mini, struct channel *channel)
{
    struct waiter *sender = channel->first;
    channel->first = sender->next;
    mini_append(mini, sender->task);
    return sender->item;
}

static inline long take(struct mini_task *self, struct channel *channel)
{
    struct waiter waiter = {.task = self};
    if (channel->count) {
        long item = pop(channel);
        if (channel->first) push(channel, admit(self->mini, channel));
        return item;
    }
    if (channel->first) return admit(self->mini, channel);
    channel->receiver = &waiter;
    mini_park(self);
    return waiter.item;
}

struct wire {
    struct bench_run run;
    struct channel there, back;
};

static void answer(struct mini_task *self)
{
    struct wire *wire = self->mini->arg;
    long n = bench_warm_up(wire->run.ask) + wire->run.ask->rounds;
    for (long i = 0; i < n; i++) give(self, &wire->back, take(self, &wire->there));
}

static void ask_and_hear(struct mini_task *self, struct wire *wire, long n)
{
    for (long i = 0; i < n; i++) {
        give(self, &wire->there, i);
        take(self, &wire->back);
    }
}

static void question(struct mini_task *self)
{
    struct wire *wire = self->mini->arg;
    ask_and_hear(self, wire, bench_warm_up(wire->run.ask));
    int64_t start = bench_now();
    ask_and_hear(self, wire, wire->run.ask->rounds);
    bench_per_operation(wire->run.out, bench_now() - start, wire->run.ask->rounds * 2);
}

void floor_rendezvous(const struct bench_ask *ask, struct bench_sample *out)
{
    struct wire wire = {.run = {.ask = ask, .out = out}};
    struct mini mini;
    if (!mini_init(&mini, 2, &wire, out)) return;
    mini_spawn(&mini, 0, question);
    mini_spawn(&mini, 1, answer);
    mini_drive(&mini);
}

static void produce(struct mini_task *self)
{
    struct wire *wire = self->mini->arg;
    long n = bench_warm_up(wire->run.ask) + wire->run.ask->rounds;
    for (long i = 0; i < n; i++) give(self, &wire->there, i);
}

static void consume(struct mini_task *self)
{
    struct wire *wire = self->mini->arg;
    const struct bench_ask *ask = wire->run.ask;
    for (long i = 0; i < bench_warm_up(ask) * ask->count; i++) take(self, &wire->there);
    int64_t start = bench_now();
    for (long i = 0; i < ask->rounds * ask->count; i++) take(self, &wire->there);
    bench_per_operation(wire->run.out, bench_now() - start, ask->rounds * ask->count);
}

void floor_stream(const struct bench_ask *ask, struct bench_sample *out)
{
    struct wire wire = {.run = {.ask = ask, .out = out}, .there.capacity = RING};
    struct mini mini;
    if (!mini_init(&mini, ask->count + 1, &wire, out)) return;
    mini_spawn(&mini, 0, consume);
    for (long i = 1; i <= ask->count; i++) mini_spawn(&mini, i, produce);
    mini_drive(&mini);
}

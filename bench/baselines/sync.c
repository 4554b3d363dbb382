/* SPDX-License-Identifier: MIT */
/* sync.c: floors of what tasks wait for each other by.
 *
 * The lock is a flag and a line of one, handed over as nido's is; a semaphore of one permit needs no
 * less. The turns of a condition are a flag and its waiters: tasks of one thread need no mutex
 * around it. The barrier makes a whole round ready by moving its list. All leave out owners,
 * cancelling, deadlock detection and other threads; noinline stands for the call into a library
 * where nothing parks. */
#include "floors.h"
#include "mini.h"

struct lock {
    bool taken;
    struct mini_task *waiter;
};

struct line {
    struct mini_task *first, *last;
    long count;
};

struct table {
    struct bench_run run;
    void (*turns)(struct mini_task *self, bool leads, long n);
    struct lock lock;
    struct line line;
    bool second; /* whose turn it is */
    struct mini_task *waiter;
};

static void follower(struct mini_task *self)
{
    struct table *table = self->mini->arg;
    table->turns(self, false, bench_warm_up(table->run.ask) + table->run.ask->rounds);
}

static void leader(struct mini_task *self)
{
    struct table *table = self->mini->arg;
    const struct bench_ask *ask = table->run.ask;
    table->turns(self, true, bench_warm_up(ask));
    int64_t start = bench_now();
    table->turns(self, true, ask->rounds);
    bench_per_operation(table->run.out, bench_now() - start, ask->rounds * ask->count);
}

static void play(struct table *table)
{
    struct mini mini;
    if (!mini_init(&mini, table->run.ask->count, table, table->run.out)) return;
    mini_spawn(&mini, 0, leader);
    for (long i = 1; i < mini.count; i++) mini_spawn(&mini, i, follower);
    mini_drive(&mini);
}

static inline void acquire(struct mini_task *self, struct lock *lock)
{
    if (!lock->taken) {
        lock->taken = true;
        return;
    }
    lock->waiter = self;
    mini_park(self);
}

static inline void release(struct mini *mini, struct lock *lock)
{
    if (!lock->waiter) {
        lock->taken = false;
        return;
    }
    mini_append(mini, lock->waiter);
    lock->waiter = NULL;
}

/* A task that is alone has no other to give way to. */
static void contend(struct mini_task *self, bool leads, long n)
{
    struct table *table = self->mini->arg;
    (void)leads;
    for (long i = 0; i < n; i++) {
        acquire(self, &table->lock);
        if (self->mini->first) mini_yield(self);
        release(self->mini, &table->lock);
    }
}

void floor_lock_handoff(const struct bench_ask *ask, struct bench_sample *out)
{
    struct table table = {.run = {.ask = ask, .out = out}, .turns = contend};
    play(&table);
}

static __attribute__((noinline)) void call_acquire(struct mini_task *self, struct lock *lock)
{
    acquire(self, lock);
}

static __attribute__((noinline)) void call_release(struct mini *mini, struct lock *lock)
{
    release(mini, lock);
}

static void lock_freely(struct mini_task *self, bool leads, long n)
{
    struct table *table = self->mini->arg;
    (void)leads;
    for (long i = 0; i < n; i++) {
        call_acquire(self, &table->lock);
        call_release(self->mini, &table->lock);
    }
}

void floor_lock_free(const struct bench_ask *ask, struct bench_sample *out)
{
    struct table table = {.run = {.ask = ask, .out = out}, .turns = lock_freely};
    play(&table);
}

static void alternate(struct mini_task *self, bool leads, long n)
{
    struct table *table = self->mini->arg;
    for (long i = 0; i < n; i++) {
        while (table->second == leads) {
            table->waiter = self;
            mini_park(self);
        }
        table->second = leads;
        if (table->waiter) mini_append(self->mini, table->waiter);
        table->waiter = NULL;
    }
}

void floor_turns(const struct bench_ask *ask, struct bench_sample *out)
{
    struct table table = {.run = {.ask = ask, .out = out}, .turns = alternate};
    play(&table);
}

/* The last to come finds none ready: all others wait. */
static inline void arrive(struct mini_task *self, struct line *line)
{
    struct mini *mini = self->mini;
    if (++line->count == mini->count) {
        mini->first = line->first;
        mini->last = line->last;
        *line = (struct line){0};
        return;
    }
    self->next = NULL;
    if (line->first)
        line->last->next = self;
    else
        line->first = self;
    line->last = self;
    mini_park(self);
}

static void meet(struct mini_task *self, bool leads, long n)
{
    struct table *table = self->mini->arg;
    (void)leads;
    for (long i = 0; i < n; i++) arrive(self, &table->line);
}

void floor_barrier(const struct bench_ask *ask, struct bench_sample *out)
{
    struct table table = {.run = {.ask = ask, .out = out}, .turns = meet};
    play(&table);
}

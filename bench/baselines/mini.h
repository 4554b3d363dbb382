/* SPDX-License-Identifier: MIT */
/* mini.h: the smallest scheduler that is one: records at the top of their stacks, an intrusive
 * queue, straight switches from task to task. Everything is inline, so that a floor pays for no
 * call that the compiler can save. It has no loop, no states, no cancellation and no checks, and
 * its stacks have no guards. */
#ifndef NIDO_BENCH_MINI_H
#define NIDO_BENCH_MINI_H

#include <sys/mman.h>

#include "fcontext.h"
#include "harness/bench.h"

enum { MINI_STACK = 256 * 1024 }; /* as far apart as nido's */

struct mini_task;
typedef void mini_fn(struct mini_task *self);

struct mini_task {
    void *context;
    struct mini_task *next;
    struct mini *mini;
    mini_fn *fn;
};

struct mini {
    struct mini_task *first, *last; /* ready */
    struct mini_task *running;
    struct mini_task driver; /* the caller's own stack; goes on when none is ready */
    char *stacks;
    long count;
    void *arg; /* the floor's own */
};

/* Address space for `count` stacks; the sample says so if there is none. */
static inline bool mini_init(struct mini *mini, long count, void *arg, struct bench_sample *out)
{
    size_t size = (size_t)count * MINI_STACK;
    void *stacks = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) {
        bench_skip(out, "no address space for %ld stacks", count);
        return false;
    }
    madvise(stacks, size, MADV_NOHUGEPAGE);
    *mini = (struct mini){.stacks = stacks, .count = count, .arg = arg};
    mini->driver.mini = mini;
    return true;
}

static inline struct mini_task *mini_at(struct mini *mini, long i)
{
    return (struct mini_task *)(mini->stacks + (i + 1) * MINI_STACK) - 1;
}

static inline void mini_append(struct mini *mini, struct mini_task *task)
{
    task->next = NULL;
    if (mini->first)
        mini->last->next = task;
    else
        mini->first = task;
    mini->last = task;
}

static inline struct mini_task *mini_next(struct mini *mini)
{
    struct mini_task *task = mini->first;
    if (!task) return &mini->driver;
    mini->first = task->next;
    return task;
}

/* The task that is switched to stores the context of the one that switched. */
static inline struct mini *mini_arrive(struct transfer transfer)
{
    struct mini_task *from = transfer.data;
    from->context = transfer.from;
    return from->mini;
}

static inline void mini_switch(struct mini_task *from, struct mini_task *to)
{
    from->mini->running = to;
    mini_arrive(jump_fcontext(to->context, from));
}

static inline void mini_park(struct mini_task *self)
{
    mini_switch(self, mini_next(self->mini));
}

static inline void mini_yield(struct mini_task *self)
{
    mini_append(self->mini, self);
    mini_park(self);
}

static inline void mini_entry(struct transfer transfer)
{
    struct mini_task *self = mini_arrive(transfer)->running;
    self->fn(self);
    mini_park(self); /* for good: it is never appended again */
}

/* Makes the i-th stack a task that runs fn, last in the queue. */
static inline void mini_spawn(struct mini *mini, long i, mini_fn *fn)
{
    struct mini_task *task = mini_at(mini, i);
    task->mini = mini;
    task->fn = fn;
    task->context = make_fcontext(task, MINI_STACK - sizeof *task, mini_entry);
    mini_append(mini, task);
}

/* All of them. */
static inline void mini_spawn_all(struct mini *mini, mini_fn *fn)
{
    for (long i = 0; i < mini->count; i++) mini_spawn(mini, i, fn);
}

/* Runs the ready ones until all have parked or ended. */
static inline void mini_drive(struct mini *mini)
{
    mini_park(&mini->driver);
}

#endif

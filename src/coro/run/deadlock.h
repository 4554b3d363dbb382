/* coro/run/deadlock.h: the report on tasks that can never run again. */
#ifndef NIDOI_DEADLOCK_H
#define NIDOI_DEADLOCK_H

#include "coro/runtime/loop.h"

/* Nothing could ever wake anybody: says who waits for what, cancels the root with -EDEADLK; aborts
 * if even that wakes nobody. */
void nidoi_deadlock(struct nidoi_loop *loop);

/* Calls line(ctx, text) for each task of the loop, up to some number: what it does, and where it was
 * spawned. No memory is needed. */
void nidoi_tasks_each(struct nidoi_loop *loop, void (*line)(void *ctx, const char *text),
                      void *ctx);

/* The same lines into `text`. */
void nidoi_tasks_print(struct nidoi_loop *loop, char *text, size_t size);

#endif

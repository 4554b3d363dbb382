/* coro/deadlock.h: the report on tasks that can never run again. */
#ifndef NIDOI_DEADLOCK_H
#define NIDOI_DEADLOCK_H

#include "coro/loop.h"

/* Nothing could ever wake anybody: says who waits for what, cancels the root with -EDEADLK; aborts
 * if even that wakes nobody. */
void nidoi_deadlock(struct nidoi_loop *loop);

/* Lists every task of the loop: what it does, and where it was spawned; one line each into `text`.
 */
void nidoi_tasks_print(struct nidoi_loop *loop, char *text, size_t size);

#endif

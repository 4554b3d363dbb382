/* SPDX-License-Identifier: MIT */
/* coro/run/deadlock.h: the report on tasks that can never run again. */
#ifndef NIDOI_DEADLOCK_H
#define NIDOI_DEADLOCK_H

#include "coro/runtime/loop.h"

/* Nothing could ever wake a task: says which task waits for what, cancels the run with -EDEADLK;
 * aborts if even that wakes none. */
void nidoi_deadlock(struct nidoi_loop *loop);

/* The same for a run that is taken for deadlocked (coro/run/silence.h), but does not abort. `threads`: others may
 * wake a task. */
void nidoi_deadlock_believed(struct nidoi_loop *loop, bool threads);

#endif

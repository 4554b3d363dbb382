/* SPDX-License-Identifier: MIT */
/* coro/run/deadlock.h: the report on tasks that can never run again. */
#ifndef NIDOI_DEADLOCK_H
#define NIDOI_DEADLOCK_H

#include "coro/runtime/loop.h"

/* Nothing could ever wake a task: says which task waits for what, cancels the run with -EDEADLK;
 * aborts if even that wakes none. */
void nidoi_deadlock(struct nidoi_loop *loop);

#endif

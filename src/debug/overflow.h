/* SPDX-License-Identifier: MIT */
/* debug/overflow.h: what is said of a task that has used up its stack. */
#ifndef NIDOI_DEBUG_OVERFLOW_H
#define NIDOI_DEBUG_OVERFLOW_H

#include "coro/runtime/loop.h"

/* The task that runs on this thread, if `address` lies in the guard below its stack; else NULL. In a
 * signal handler too. */
const struct nidoi_task *nidoi_overflow_of(const void *address);

/* Says so on stderr: which task, its stack, how far `address` lies in the guard, and its n frames, the
 * innermost first; `cut`: there are more. On another stack than the task's. In a signal handler too, but for
 * the names of functions, which dladdr looks up. */
void nidoi_overflow_tell(const struct nidoi_task *task, const void *address, void *const *frames,
                         int n, bool cut);

#endif

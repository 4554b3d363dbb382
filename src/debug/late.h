/* SPDX-License-Identifier: MIT */
/* debug/late.h: tasks that go on long after their cancel. */
#ifndef NIDOI_DEBUG_LATE_H
#define NIDOI_DEBUG_LATE_H

#include "coro/runtime/loop.h"
#include "debug/task.h"

/* The next task of the run, from slot *slot on, that was cancelled `limit` ago or earlier, whether it can feel
 * that or is behind a shield, and was not told yet; *slot is then the one after it. NULL: there is none. Left out are
 * tasks that wait for their children, which are what goes on, and those that are ready and have neither been
 * refused a call nor returned: they have just been woken. On the run's own thread. */
struct nidoi_task *nidoi_late_next(struct nidoi_loop *loop, int64_t limit, uint32_t *slot);

/* Lines on what a task does that goes on: what it waits for, its innermost scope, its frames. */
void nidoi_late_add_state(struct nidoi_text *text, const struct nidoi_task *task);

/* The report on it. */
void nidoi_late_add(struct nidoi_text *text, const struct nidoi_task *task);

#endif

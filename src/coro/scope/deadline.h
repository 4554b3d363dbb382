/* SPDX-License-Identifier: MIT */
/* coro/scope/deadline.h: the timers of tasks, which end sleeps and fire the deadlines of scopes.
 *
 * A task has one timer, for the earliest of its alarm and the deadlines of its own scopes. The timer
 * may be early, never late: what is found early is corrected. */
#ifndef NIDOI_DEADLINE_H
#define NIDOI_DEADLINE_H

#include "coro/scope/scope.h"

/* The earliest instant at which something is due, corrected; NIDO_NEVER. */
int64_t nidoi_deadline_next(struct nidoi_loop *loop);

/* Fires a piece of what is due by the loop's clock. True: that was not all. */
bool nidoi_deadlines_fire(struct nidoi_loop *loop);

/* How many parked tasks have a sleep or a deadline that was due by `now`, without task number `but`. */
uint32_t nidoi_deadlines_due(const struct nidoi_loop *loop, int64_t now, uint64_t but);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/task/waiter.h: what a wait tells of its object. */
#ifndef NIDOI_WAITER_H
#define NIDOI_WAITER_H

#include "coro/task/sched.h"

/* What the user called the object of a wait; the task that would have to act first. NULL: none is
 * known. */
const char *nidoi_waiter_name(const struct nidoi_waiter *waiter);
struct nidoi_task *nidoi_waiter_owner(const struct nidoi_waiter *waiter);

#endif

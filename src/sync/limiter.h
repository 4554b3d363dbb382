/* SPDX-License-Identifier: MIT */
/* sync/limiter.h: a place that is used longer than the call of the task that borrowed it. */
#ifndef NIDOI_LIMITER_H
#define NIDOI_LIMITER_H

#include "nido/limiter.h"

/* The place stays taken, but is not the running task's any more; the token is free. */
void nidoi_limiter_detach(nido_limiter *limiter, nido_limiter_token *token);
/* A detached place is free again. On the loop's thread. */
void nidoi_limiter_give_back(nido_limiter *limiter);

#endif

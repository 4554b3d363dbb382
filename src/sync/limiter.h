/* sync/limiter.h: a place that outlasts the call of the task that borrowed it. */
#ifndef NIDOI_LIMITER_H
#define NIDOI_LIMITER_H

#include "nido/limiter.h"

/* The running task's loan becomes nobody's, and its token free. */
void nidoi_limiter_hand_over(nido_limiter *limiter, nido_limiter_token *token);
/* Such a place comes back; on the loop's thread. */
void nidoi_limiter_take_back(nido_limiter *limiter);

#endif

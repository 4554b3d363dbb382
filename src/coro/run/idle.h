/* SPDX-License-Identifier: MIT */
/* coro/run/idle.h: what the loop does while no task is ready: it waits for the world, the virtual clock
 * jumps, or the run is found to be stuck. */
#ifndef NIDOI_IDLE_H
#define NIDOI_IDLE_H

#include "coro/runtime/loop.h"
#include "nido/time.h"

#define NIDOI_TURN_NS NIDO_US(200) /* what posts, timers and tasks may take of a turn in all */

/* Handles by which other threads may still post. */
static inline bool nidoi_handles_out(const struct nidoi_loop *loop)
{
    return __atomic_load_n(&loop->remote->handles, __ATOMIC_SEQ_CST) != 0;
}

/* Sources of events that are not the loop's own and may speak at any time. */
static inline bool nidoi_has_sources(const struct nidoi_loop *loop)
{
    return loop->reactor.watching || loop->expected || loop->outside;
}

/* No task is ready: returns when one may be, or the clock has to be looked at. */
void nidoi_idle(struct nidoi_loop *loop);

/* When to wake for what is due at `when`: everything within one slack shares one wake-up. */
int64_t nidoi_idle_until(const struct nidoi_loop *loop, int64_t when);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/run/turn.h: the turns of a run. */
#ifndef NIDOI_TURN_H
#define NIDOI_TURN_H

#include "coro/runtime/loop.h"

/* Turns until no task lives. */
void nidoi_turns_run(struct nidoi_loop *loop);

/* One turn that does not wait, for a loop inside another; while it rests, posts wake the other. */
void nidoi_turn_step(struct nidoi_loop *loop);
void nidoi_turn_rest(struct nidoi_loop *loop);

/* For how long nothing is to be done unless the backend's descriptor becomes readable, in ns;
 * NIDO_NEVER. */
int64_t nidoi_turn_timeout(struct nidoi_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/runtime/measuring.h: a runtime that is measured (coro/task/measure.h), from its beginning to its end; how long its turns
 * are; and how other threads read the numbers: the loop tells them now and then. */
#ifndef NIDOI_MEASURING_H
#define NIDOI_MEASURING_H

#include "coro/runtime/loop.h"
#include "coro/task/measured.h"

/* Before the first task, if the options or the environment ask for it. 0, -ENOMEM. On the run's own thread, as all
 * but the last. */
int nidoi_measuring_begin(struct nidoi_loop *loop);
/* No task lives any more. */
void nidoi_measuring_end(struct nidoi_loop *loop);

/* A turn may be over. True: it is time to tell the numbers. */
bool nidoi_measuring_turn(struct nidoi_loop *loop);
/* The loop has slept, and a turn begins. */
void nidoi_measuring_awake(struct nidoi_loop *loop);

/* The numbers of now; NULL: the run is not measured. They go on changing. */
const struct nidoi_measured *nidoi_measuring_read(struct nidoi_loop *loop);

/* Tells them; `next`: when to do so again. */
void nidoi_measuring_tell(struct nidoi_loop *loop, int64_t next);

/* Adds what was told last, if the run is measured. Any thread, while the run cannot end. */
void nidoi_measuring_add_told(const struct nidoi_loop *loop, struct nidoi_measured *sum);

/* Forgets what was told: it is counted elsewhere now. */
void nidoi_measuring_forget(struct nidoi_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/runtime/counts.h: the numbers of a runtime, and how other threads read them: the loop tells them now and then,
 * in memory that outlives it. */
#ifndef NIDOI_COUNTS_H
#define NIDOI_COUNTS_H

#include "coro/runtime/loop.h"

/* Now, on the run's own thread. */
void nidoi_counts_read(const struct nidoi_loop *loop, struct nidoi_counts *out);

/* Tells them. On the run's own thread. */
void nidoi_counts_tell(struct nidoi_loop *loop);

/* What was told last. Any thread. */
void nidoi_counts_told(const nido_rt *remote, struct nidoi_counts *out);

/* Was it long ago? And in a measured run a turn may be over. */
void nidoi_counts_look(struct nidoi_loop *loop);

/* Between two batches. */
static inline void nidoi_counts_tell_sometimes(struct nidoi_loop *loop)
{
    if (__builtin_expect(loop->sched.now >= loop->tell_counts_at, 0)) nidoi_counts_look(loop);
}

#endif

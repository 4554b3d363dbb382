/* SPDX-License-Identifier: MIT */
/* coro/runtime/tracing.h: when a runtime is traced (coro/task/trace.h): begun and ended at any moment. What was
 * noted stays until the next beginning or the end of the run. A tool outside that uses the static probes
 * (coro/task/usdt.h) has every runtime traced meanwhile. */
#ifndef NIDOI_TRACING_H
#define NIDOI_TRACING_H

#include "coro/runtime/loop.h"
#include "coro/task/trace.h"

/* `bytes` of memory for events; of those older than window_ns none is told; 0: all are. 0, -ENOMEM; -EALREADY:
 * it is on. On the run's own thread, as all of these. */
int nidoi_tracing_start(struct nidoi_loop *loop, size_t bytes, int64_t window_ns);

/* False: it was not on. */
bool nidoi_tracing_stop(struct nidoi_loop *loop);

/* Is loop->trace being recorded? */
static inline bool nidoi_tracing_is_on(const struct nidoi_loop *loop)
{
    return loop->trace && loop->sched.trace == loop->trace;
}

/* Frees what it has. */
void nidoi_tracing_deinit(struct nidoi_loop *loop);

/* There are users of the static probes, or none any more. */
void nidoi_tracing_serve(struct nidoi_loop *loop, bool users);

/* Between two batches: are there? */
static inline void nidoi_tracing_follow(struct nidoi_loop *loop)
{
#ifdef NIDOI_USDT
    extern volatile unsigned short nidoi_usdt_users; /* raised from outside */

    if (__builtin_expect((nidoi_usdt_users != 0) != loop->served, 0))
        nidoi_tracing_serve(loop, !loop->served);
#else
    (void)loop;
#endif
}

#endif

/* coro/runtime/tracing.h: when a runtime is traced (coro/task/trace.h): begun and ended at any moment. What was
 * noted stays until the next beginning or the end of the run. */
#ifndef NIDOI_TRACING_H
#define NIDOI_TRACING_H

#include "coro/runtime/loop.h"
#include "coro/task/trace.h"

/* `bytes` of memory for events; of those older than window_ns none is told; 0: all are. 0, -ENOMEM; -EALREADY:
 * it is on. On the run's own thread, as the next two. */
int nidoi_tracing_start(struct nidoi_loop *loop, size_t bytes, int64_t window_ns);

/* False: it was not on. */
bool nidoi_tracing_stop(struct nidoi_loop *loop);

/* Frees what it has. */
void nidoi_tracing_deinit(struct nidoi_loop *loop);

#endif

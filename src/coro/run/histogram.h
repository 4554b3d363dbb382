/* SPDX-License-Identifier: MIT */
/* coro/run/histogram.h: what runs that are over have measured stays in the numbers of the process. */
#ifndef NIDOI_HISTOGRAM_H
#define NIDOI_HISTOGRAM_H

#include "coro/runtime/loop.h"

/* No task of the run lives any more; it is still among the runtimes of the process. */
void nidoi_histogram_run_over(struct nidoi_loop *loop);

#endif

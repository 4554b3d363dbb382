/* SPDX-License-Identifier: MIT */
/* coro/run/stats.h: the numbers of runtimes that are over stay in those of the process. */
#ifndef NIDOI_STATS_H
#define NIDOI_STATS_H

#include "coro/runtime/loop.h"

/* No task of the run lives any more; it is still among the runtimes of the process. */
void nidoi_stats_run_over(struct nidoi_loop *loop);

#endif

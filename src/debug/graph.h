/* SPDX-License-Identifier: MIT */
/* debug/graph.h: why parked tasks cannot go on: the rings among their waits, and for each object what no task
 * can do to it any more. */
#ifndef NIDOI_GRAPH_H
#define NIDOI_GRAPH_H

#include "coro/runtime/loop.h"

/* Calls line(ctx, text) for each line: "ring: ...", "hint: ...". All tasks of the loop are parked, and nothing else
 * can wake them. Needs no memory. */
void nidoi_graph_print(struct nidoi_loop *loop, void (*line)(void *ctx, const char *text),
                       void *ctx);

#endif

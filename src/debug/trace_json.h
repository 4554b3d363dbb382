/* SPDX-License-Identifier: MIT */
/* debug/trace_json.h: a trace in the form that ui.perfetto.dev and chrome://tracing open: JSON, "Trace Event
 * Format" (Google, 2016). docs/trace.md has the tracks and the slices.
 *
 * 1. Slices of one track nest, and each that begins ends: what began before the oldest event begins with it, and
 * what has not ended ends with the trace.
 * 2. No memory is needed but what the trace has for its reader, and no pointer of an event is followed but those
 * to code and to the library's own constants. */
#ifndef NIDOI_TRACE_JSON_H
#define NIDOI_TRACE_JSON_H

#include "coro/runtime/loop.h"

/* Writes loop->trace, which is not NULL. 0, or what write(2) said. */
int nidoi_trace_json(struct nidoi_loop *loop, int fd);

#endif

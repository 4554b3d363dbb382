/* SPDX-License-Identifier: MIT */
/* debug/trace_save.h: a trace that is written by itself, beside a report. */
#ifndef NIDOI_TRACE_SAVE_H
#define NIDOI_TRACE_SAVE_H

#include <stddef.h>

#include "coro/runtime/loop.h"

/* Starts it if an option or the environment asks for it. 0, -ENOMEM. */
int nidoi_trace_if_asked(struct nidoi_loop *loop);

/* Writes the trace of a run that records to a new file, and a line that names the file, or says why there is none,
 * to `text`; "" if the run does not record. On the run's own thread, where a report is printed: it needs no memory
 * and changes nothing. */
void nidoi_trace_save(struct nidoi_loop *loop, char *text, size_t size);

enum { NIDOI_TRACE_SAVED = 512 }; /* room for the line */

#endif

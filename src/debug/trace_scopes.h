/* SPDX-License-Identifier: MIT */
/* debug/trace_scopes.h: scopes, cancels, the program's own marks and jobs of workers, as slices and instants of a trace.
 * Each nidoi_trace_read_X turns one event into lines. */
#ifndef NIDOI_TRACE_SCOPES_H
#define NIDOI_TRACE_SCOPES_H

#include "debug/trace_lines.h"

/* Before the events are read each is counted, so that what is open at the oldest is known; then those slices begin.
 * After all events: what is still open ends. */
void nidoi_trace_count_nested(struct nidoi_trace_task *task, const struct nidoi_event *event);
void nidoi_trace_nests_begin(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task);
void nidoi_trace_nests_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task);

void nidoi_trace_read_open(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task);
void nidoi_trace_read_close(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task);
void nidoi_trace_read_cancel(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                             const struct nidoi_trace_task *author);
void nidoi_trace_read_user(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task);
void nidoi_trace_read_job(struct nidoi_trace_reader *reader);
void nidoi_trace_read_job_end(struct nidoi_trace_reader *reader);

#endif

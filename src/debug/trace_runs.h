/* SPDX-License-Identifier: MIT */
/* debug/trace_runs.h: what the loop and each task do, as slices of a trace: they run, wait, are ready, sleep. Each
 * nidoi_trace_read_X turns one event into lines. */
#ifndef NIDOI_TRACE_RUNS_H
#define NIDOI_TRACE_RUNS_H

#include "debug/trace_lines.h"

/* The loop has a slice between two tasks if something happens there. */
void nidoi_trace_loop_show(struct nidoi_trace_reader *reader);
void nidoi_trace_loop_hide(struct nidoi_trace_reader *reader);

void nidoi_trace_read_sleep(struct nidoi_trace_reader *reader);
void nidoi_trace_read_awake(struct nidoi_trace_reader *reader);

/* A task does something else from now on; what it has done until now is a slice; the arrow that leads to its run ends
 * at this instant, where a slice of it begins that was written; what runs ends. */
void nidoi_trace_state_begin(struct nidoi_trace_task *task, enum nidoi_trace_state state,
                             int64_t when);
void nidoi_trace_state_end(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task);
void nidoi_trace_arrow_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                           int64_t when);
void nidoi_trace_run_end(struct nidoi_trace_reader *reader);

void nidoi_trace_read_run(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                          struct nidoi_trace_task *task);
void nidoi_trace_read_park(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task);
void nidoi_trace_read_yield(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task);
void nidoi_trace_read_end(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                          struct nidoi_trace_task *task);
void nidoi_trace_read_wake(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task);
void nidoi_trace_read_spawn(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                            struct nidoi_trace_task *task);
void nidoi_trace_read_name(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/run/report.h: the tasks that reports show. */
#ifndef NIDOI_REPORT_H
#define NIDOI_REPORT_H

#include <stdio.h>

#include "coro/runtime/loop.h"

/* Calls line(ctx, text) for each task of the loop, up to some number: what it does, and where it was
 * spawned. No memory is needed. */
void nidoi_tasks_each(struct nidoi_loop *loop, void (*line)(void *ctx, const char *text),
                      void *ctx);

/* All lines into `text`; what does not fit is left out. */
void nidoi_tasks_print(struct nidoi_loop *loop, char *text, size_t size);

/* The tree of tasks, up to some number of lines; without memory for it the list. */
void nidoi_report_tasks(struct nidoi_loop *loop, FILE *file);

/* From now on a broken law shows the tasks of its thread before it ends the program. */
void nidoi_report_crashes(void);

/* Once in a process: NIDO_DEBUG has a word that asks for nothing. */
void nidoi_report_unknown_word(struct nidoi_loop *loop);

#endif

/* coro/run/report.h: the list of tasks that reports show. */
#ifndef NIDOI_REPORT_H
#define NIDOI_REPORT_H

#include "coro/runtime/loop.h"

/* Calls line(ctx, text) for each task of the loop, up to some number: what it does, and where it was
 * spawned. No memory is needed. */
void nidoi_tasks_each(struct nidoi_loop *loop, void (*line)(void *ctx, const char *text),
                      void *ctx);

/* Lines into memory: `line` for the above, with this as ctx. What does not fit is left out. */
struct nidoi_tasks_text {
    char *text;
    size_t size, used;
};
void nidoi_tasks_add(void *ctx, const char *line);

/* All lines into `text`. */
void nidoi_tasks_print(struct nidoi_loop *loop, char *text, size_t size);

/* From now on a broken law lists the tasks of its thread before it ends the program. */
void nidoi_report_crashes(void);

#endif

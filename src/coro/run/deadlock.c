/* SPDX-License-Identifier: MIT */
#include "coro/run/deadlock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "coro/run/cancel.h"
#include "coro/run/report.h"
#include "debug/graph.h"
#include "debug/trace_save.h"

static void report_add_line(void *file, const char *line)
{
    fputs(line, file);
}

static void report_print(struct nidoi_loop *loop, const char *head, FILE *file)
{
    char trace[NIDOI_TRACE_SAVED];

    fputs(head, file);
    nidoi_report_tasks(loop, file);
    if (!loop->expected) nidoi_graph_print(loop, report_add_line, file);
    nidoi_trace_save(loop, trace, sizeof trace);
    fputs(trace, file);
}

/* In memory of its own: several threads may have something to report at once. Without memory the tasks
 * are left out. */
static void deadlock_report(struct nidoi_loop *loop)
{
    const char *why = loop->expected ? "jobs or child processes are out, but have long been silent"
                                     : "none can ever run again: no timer, no descriptor, no job, "
                                       "no other thread that may post";
    char head[256], *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    snprintf(head, sizeof head, "nido: DEADLOCK: %u %s, and %s\n", loop->live,
             loop->live == 1 ? "task" : "tasks", why);
    nidoi_no_parking_begin(&loop->sched); /* the owner of an object may be a user's function */
    if (memory) report_print(loop, head, memory);
    nidoi_no_parking_end(&loop->sched);
    if (memory && fclose(memory)) text = NULL;
    nidoi_loop_report(loop, text ? text : head);
    free(text);
}

void nidoi_deadlock(struct nidoi_loop *loop)
{
    deadlock_report(loop);
    loop->deadlocked = true;
    nidoi_run_cancel(loop, NIDO_CAUSE_DEADLOCK, -EDEADLK, "deadlock");
    if (!nidoi_sched_ready(&loop->sched))
        nidoi_panic(
            "cancelling the deadlocked tasks above woke none of them: all are in waits that "
            "only another task can end, or behind shields without a bound");
}

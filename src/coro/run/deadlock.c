/* SPDX-License-Identifier: MIT */
#include "coro/run/deadlock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "coro/group/waits.h"
#include "coro/run/cancel.h"
#include "coro/run/report.h"
#include "debug/graph.h"
#include "debug/trace_save.h"
#include "nido/time.h"
#include "reactor/pairs.h"

enum { PAIRS = 16 /* that are listed */ };

static void report_add_line(void *file, const char *line)
{
    fputs(line, file);
}

struct pair_list {
    FILE *file;
    int left;
};

static void report_add_pair(void *ctx, const struct nidoi_pair *pair)
{
    struct pair_list *list = ctx;

    if (list->left-- > 0)
        fprintf(list->file,
                "pair: descriptor %d waits for descriptor %d, the other end of its %s\n",
                pair->waited_for, pair->other, pair->what);
}

static void report_print(struct nidoi_loop *loop, const char *head, FILE *file)
{
    struct pair_list pairs = {file, PAIRS};
    char trace[NIDOI_TRACE_SAVED];

    fputs(head, file);
    nidoi_report_tasks(loop, file);
    if (!loop->expected) nidoi_graph_print(loop, report_add_line, file);
    if (loop->reactor.watching) nidoi_reactor_is_paired(&loop->reactor, report_add_pair, &pairs);
    nidoi_trace_save(loop, trace, sizeof trace);
    fputs(trace, file);
}

/* In memory of its own: several threads may have something to report at once. Without memory the tasks
 * are left out. */
static void deadlock_report(struct nidoi_loop *loop, const char *why)
{
    char head[512], *text = NULL;
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

static void deadlock_end_run(struct nidoi_loop *loop, const char *why)
{
    deadlock_report(loop, why);
    loop->deadlocked = true;
    nidoi_run_cancel(loop, NIDO_CAUSE_DEADLOCK, -EDEADLK, "deadlock");
}

void nidoi_deadlock(struct nidoi_loop *loop)
{
    deadlock_end_run(loop, loop->expected
                               ? "jobs or child processes are out, but have long been silent"
                               : "none can ever run again: no timer, no descriptor, no job, "
                                 "no other thread that may post");
    if (!nidoi_sched_ready(&loop->sched))
        nidoi_panic(
            "cancelling the deadlocked tasks above woke none of them: all are in waits that "
            "only another task can end, or behind shields without a bound");
}

void nidoi_deadlock_believed(struct nidoi_loop *loop, bool threads)
{
    int64_t silent = loop->sched.now - loop->silence.since;
    char why[384] = "";
    size_t used = 0;

    nidoi_text_add(why, sizeof why, &used, "none has run for %lld.%lld s",
                   (long long)(silent / NIDO_SEC(1)),
                   (long long)(silent % NIDO_SEC(1) / NIDO_MS(100)));
    if (threads)
        nidoi_text_add(why, sizeof why, &used,
                       "; other threads may wake one (handles held: %u), but none has",
                       __atomic_load_n(&loop->remote->handles, __ATOMIC_RELAXED));
    if (loop->reactor.watching)
        nidoi_text_add(why, sizeof why, &used,
                       "; each descriptor that is waited for has its other end in this run "
                       "(unless another thread or process uses a copy of an end)");
    deadlock_end_run(loop, why);
}

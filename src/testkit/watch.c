/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "testkit/kit.h"

_Thread_local struct nidoi_observed nidoi_observed;

static _Thread_local struct {
    const struct nidoi_watcher *listener;
    void *ctx;
    int depth;
    int64_t external_wait_ns;
} watching = {.external_wait_ns = -1};

static void watch_entered(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    nidoi_observed.entered++;
    if (watching.listener) watching.listener->entered(watching.ctx, task);
}

static void watch_parked(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    nidoi_taps_nudge(nidoi_kit_hooks()->loop());
    if (watching.listener && task->waiter) watching.listener->parked(watching.ctx, task);
}

/* An alarm belongs to one wait, and is unset when that ends. */
static void watch_resumes(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    nidoi_observed.armed |= task->alarm != INT64_MAX;
    nidoi_kit_hooks()->loop()->external_wait_ns = watching.external_wait_ns;
    if (watching.listener) watching.listener->resumes(watching.ctx, task);
}

static void watch_idle(void *ctx)
{
    (void)ctx;
    if (watching.listener) watching.listener->idle(watching.ctx);
}

static void watch_orphaned(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    if (nidoi_observed.orphaned++) return;
    snprintf(nidoi_observed.orphan, sizeof nidoi_observed.orphan, "task #%llu \"%s\"",
             (unsigned long long)task->id, task->name ? task->name : "");
}

static void watch_over(void *ctx, struct nidoi_sched *sched)
{
    const struct nidoi_loop *loop = (const struct nidoi_loop *)sched;

    (void)ctx;
    nidoi_observed.timers = loop->timers.count;
    nidoi_observed.expected = loop->expected - loop->abandoned;
}

static const struct nidoi_watcher watcher = {watch_entered, watch_parked,   watch_resumes,
                                             watch_idle,    watch_orphaned, watch_over};

void nidoi_watch_begin(const struct nidoi_watcher *listener, void *ctx)
{
    if (listener) {
        watching.listener = listener;
        watching.ctx = ctx;
    }
    if (watching.depth++ == 0) nidoi_kit_hooks()->watch(&watcher, NULL);
}

void nidoi_watch_end(const struct nidoi_watcher *listener)
{
    if (listener) watching.listener = NULL;
    if (--watching.depth == 0) nidoi_kit_hooks()->watch(NULL, NULL);
}

void nidoi_watch_external_wait(int64_t ns)
{
    watching.external_wait_ns = ns;
}

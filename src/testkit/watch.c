#include <stdio.h>

#include "testkit/kit.h"

_Thread_local struct nidoi_seen nidoi_seen;

static _Thread_local struct {
    const struct nidoi_watcher *listener;
    void *ctx;
    int depth;
    int64_t patience;
} watching = {.patience = -1};

static void entered(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    nidoi_seen.entered++;
    if (watching.listener) watching.listener->entered(watching.ctx, task);
}

static void parked(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    nidoi_taps_nudge(nidoi_kit_hooks()->loop());
    if (watching.listener && task->waiter) watching.listener->parked(watching.ctx, task);
}

/* An alarm belongs to one wait: whatever ended that has unset it. */
static void resumes(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    nidoi_seen.armed |= task->alarm != INT64_MAX;
    nidoi_kit_hooks()->loop()->external_wait_ns = watching.patience;
    if (watching.listener) watching.listener->resumes(watching.ctx, task);
}

static void idle(void *ctx)
{
    (void)ctx;
    if (watching.listener) watching.listener->idle(watching.ctx);
}

static void orphaned(void *ctx, struct nidoi_task *task)
{
    (void)ctx;
    if (nidoi_seen.orphaned++) return;
    snprintf(nidoi_seen.orphan, sizeof nidoi_seen.orphan, "task #%llu \"%s\"",
             (unsigned long long)task->id, task->name ? task->name : "");
}

static void over(void *ctx, struct nidoi_sched *sched)
{
    const struct nidoi_loop *loop = (const struct nidoi_loop *)sched;

    (void)ctx;
    nidoi_seen.timers = loop->timers.count;
    nidoi_seen.expected = loop->expected - loop->abandoned;
}

static const struct nidoi_watcher watcher = {entered, parked, resumes, idle, orphaned, over};

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

void nidoi_watch_patience(int64_t ns)
{
    watching.patience = ns;
}

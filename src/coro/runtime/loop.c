/* SPDX-License-Identifier: MIT */
#include "coro/runtime/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/debug_words.h"
#include "base/mem.h"
#include "base/thread_look.h"
#include "coro/runtime/books.h"
#include "coro/runtime/measuring.h"
#include "coro/runtime/tracing.h"
#include "nido/time.h"
#include "reactor/asleep.h"

static void read_options(struct nidoi_loop *loop, const nido_options *options)
{
    loop->options = *options;
    if (!loop->options.stack_size) loop->options.stack_size = NIDOI_STACK_DEFAULT;
    if (!loop->options.max_tasks) loop->options.max_tasks = 16u << 20;
    if (!loop->options.grace_ns) loop->options.grace_ns = NIDO_NEVER;
    if (!loop->options.pool_threads) loop->options.pool_threads = 64;
    if (!loop->options.pool_grace_ns) loop->options.pool_grace_ns = NIDO_SEC(1);
    nidoi_strict = options->flags & NIDO_RUN_STRICT || nidoi_debug_asks("strict");
}

uint64_t nidoi_thread_number(void)
{
    static uint64_t threads; /* atomic */
    static _Thread_local uint64_t number;

    if (!number) number = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    return number;
}

int nidoi_loop_init(struct nidoi_loop *loop, const nido_options *options)
{
    static uint32_t runtimes; /* atomic */
    int err;

    memset(loop, 0, sizeof *loop);
    read_options(loop, options);
    loop->number = __atomic_add_fetch(&runtimes, 1, __ATOMIC_RELAXED);
    loop->thread = nidoi_thread_number();
    loop->system_thread = nidoi_thread_self().number;
    loop->batch = 1;
    loop->external_wait_ns = -1;
    loop->random = options->seed;
    nidoi_clock_init(&loop->clock, options->clock != NIDO_CLOCK_REAL);
    nidoi_stacks_init(&loop->stacks);
    loop->default_stack = nidoi_stacks_class(&loop->stacks, loop->options.stack_size);
    nidoi_timers_init(&loop->timers);
    loop->remote = nidoi_remote_new(loop);
    if (!loop->remote) return -ENOMEM;
    err = nidoi_wakeup_open(&loop->remote->wakeup);
    if (err) goto fail_remote;
    err = nidoi_reactor_init(&loop->reactor, &loop->remote->wakeup);
    if (err) goto fail_wakeup;
    err = nidoi_sched_init(&loop->sched);
    if (err) goto fail_reactor;
    loop->began = nidoi_loop_refresh(loop);
    nidoi_waitq_init(&loop->idle_waiters);
    loop->probe.shuffled = options->flags & NIDO_RUN_SHUFFLE;
    loop->probe.random = options->seed;
    nidoi_probe_set(&loop->sched, &loop->probe);
    err = nidoi_measuring_begin(loop);
    if (err) goto fail_sched;
    nidoi_sched_self = &loop->sched;
    return 0;

fail_sched:
    nidoi_sched_deinit(&loop->sched);
fail_reactor:
    nidoi_reactor_deinit(&loop->reactor);
fail_wakeup:
    nidoi_wakeup_close(&loop->remote->wakeup);
fail_remote:
    nidoi_mem.release(loop->remote);
    return err;
}

void nidoi_loop_call_posts(struct nidoi_loop *loop, int64_t end)
{
    while (loop->posts) {
        struct nidoi_post *post = nidoi_container(loop->posts, struct nidoi_post, link);

        loop->posts = loop->posts->next; /* the call ends the post's life */
        post->call(loop, post);
        if (loop->posts && nidoi_clock_read(&loop->clock) >= end) return;
    }
}

void nidoi_loop_shut(struct nidoi_loop *loop)
{
    struct nidoi_mpsc_link *latest = nidoi_mpsc_close(&loop->remote->posts);

    nidoi_loop_call_posts(loop, NIDO_NEVER);
    loop->posts = latest;
    nidoi_loop_call_posts(loop, NIDO_NEVER);
}

void nidoi_loop_deinit(struct nidoi_loop *loop)
{
    nidoi_loop_shut(loop);
    if (nidoi_asleep_asks()) nidoi_books_check_tasks(loop);
    nidoi_assert(!loop->outside); /* no wait for the outside world is left */
    for (int i = NIDOI_EXTENSIONS - 1; i >= 0; i--)
        if (loop->extensions[i]) loop->extensions[i]->end(loop, loop->extensions[i]);
    if (nidoi_asleep_asks()) nidoi_books_check_all(loop);
    nidoi_tracing_deinit(loop);
    nidoi_measuring_end(loop);
    nidoi_sched_self = NULL;
    nidoi_sched_deinit(&loop->sched);
    nidoi_reactor_deinit(&loop->reactor);
    nidoi_timers_deinit(&loop->timers);
    nidoi_stacks_deinit(&loop->stacks);
    nidoi_slots_deinit(&loop->slots);
    loop->remote->loop = NULL;
    nidoi_remote_release(loop->remote);
}

void nidoi_loop_expect(struct nidoi_loop *loop, int change)
{
    loop->expected += (uint32_t)change;
}

void nidoi_loop_outside(struct nidoi_loop *loop, int change)
{
    loop->outside += (uint32_t)change;
}

void nidoi_loop_report(struct nidoi_loop *loop, const char *text)
{
    if (loop->options.on_report) {
        nidoi_no_parking_begin(&loop->sched);
        loop->options.on_report(loop->options.ctx, text);
        nidoi_no_parking_end(&loop->sched);
    } else {
        fputs(text, stderr);
    }
}

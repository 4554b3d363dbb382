/* SPDX-License-Identifier: MIT */
#include "coro/run/silence.h"

#include "base/debug_words.h"
#include "base/time.h"
#include "coro/run/deadlock.h"
#include "coro/run/idle.h"
#include "nido/time.h"
#include "reactor/pairs.h"

#define LIMIT NIDO_SEC(10) /* if none is given */

static int64_t silence_limit(const nido_options *options)
{
    if (options->clock == NIDO_CLOCK_MANUAL) return 0;
    if (options->deadlock_ns) return options->deadlock_ns == NIDO_NEVER ? 0 : options->deadlock_ns;
    return nidoi_debug_asks("deadlock") ? LIMIT : 0;
}

void nidoi_silence_begin(struct nidoi_loop *loop)
{
    loop->silence.limit = silence_limit(&loop->options);
}

/* How many tasks wait for an act of another thread. */
static uint32_t silence_count_by_thread(const struct nidoi_loop *loop)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        const struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        count += task && task->waiter && task->waiter->kind->by_thread;
    }
    return count;
}

/* Nothing but another thread, or a descriptor of this run, could wake a task. */
static bool silence_means_deadlock(const struct nidoi_loop *loop)
{
    if (loop->expected || loop->outside != silence_count_by_thread(loop)) return false;
    return !loop->reactor.watching || nidoi_reactor_is_paired(&loop->reactor, NULL, NULL);
}

int64_t nidoi_silence_ends(struct nidoi_loop *loop)
{
    struct nidoi_silence *silence = &loop->silence;

    if (silence->resumes != loop->sched.resumes) {
        silence->resumes = loop->sched.resumes;
        silence->since = nidoi_loop_refresh(loop);
    }
    return nidoi_time_add(silence->since, silence->limit);
}

void nidoi_silence_over(struct nidoi_loop *loop)
{
    if (nidoi_loop_posted(loop)) return;
    if (loop->reactor.watching && nidoi_reactor_poll(&loop->reactor, 0) > 0) return;
    if (silence_means_deadlock(loop)) {
        loop->silence.limit = 0;
        nidoi_deadlock_believed(loop, loop->outside || nidoi_handles_out(loop));
    } else {
        loop->silence.since = loop->sched.now;
    }
}

/* SPDX-License-Identifier: MIT */
#include "coro/run/idle.h"

#include "base/sys.h"
#include "base/time.h"
#include "coro/run/deadlock.h"
#include "coro/run/silence.h"
#include "coro/runtime/counts.h"
#include "coro/runtime/measuring.h"
#include "coro/scope/deadline.h"
#include "coro/task/trace.h"
#include "reactor/asleep.h"
#include "reactor/transit.h"

enum {
    EXTERNAL_PEER_MS = 2,
    SLOWER = 10 /* than a peer at a descriptor, a program or a job may be */
};

/* Waits for reports, at most ns, unless a post has come since the last look. */
static int sleep_for(struct nidoi_loop *loop, int64_t ns, bool only_handles)
{
    nido_rt *remote = loop->remote;
    int reports = ns && nidoi_asleep_asks() ? nidoi_asleep_ask(&loop->reactor) : 0;

    if (reports) return reports;
    __atomic_store_n(&remote->sleeping, 1, __ATOMIC_SEQ_CST);
    if (nidoi_loop_posted(loop) || (only_handles && !nidoi_handles_out(loop))) ns = 0;
    if (ns) nidoi_counts_tell(loop);
    if (ns && loop->sched.trace) nidoi_trace_sleep(loop->sched.trace, false);
    reports = nidoi_reactor_poll(&loop->reactor, ns);
    if (ns && loop->sched.trace) nidoi_trace_sleep(loop->sched.trace, true);
    __atomic_store_n(&remote->sleeping, 0, __ATOMIC_RELAXED);
    return reports;
}

/* ---- Under the real clock ---- */

/* Events that arrive within the spin spare both sides a wake-up of the processor. */
static bool spin_for_events(struct nidoi_loop *loop, int64_t limit)
{
    int64_t start = loop->sched.now;
    int64_t end = nidoi_time_add(start, loop->options.spin_ns);

    if (end > limit) end = limit;
    while (nidoi_loop_refresh(loop) < end)
        if (nidoi_reactor_poll(&loop->reactor, 0) > 0 || nidoi_loop_posted(loop)) return true;
    return false;
}

int64_t nidoi_idle_until(const struct nidoi_loop *loop, int64_t when)
{
    int64_t slack = loop->options.timer_slack_ns;

    if (when > loop->stacks.trim_at) when = loop->stacks.trim_at;
    if (!slack || when <= loop->sched.now || when == NIDO_NEVER) return when;
    return nidoi_time_add(when - 1, slack - (when - 1) % slack);
}

/* What came first wins: the process may have been stopped between the end of its sleep and this
 * reading of the clock, by which deadlines fire. */
static void poll_if_late(struct nidoi_loop *loop, int64_t until)
{
    bool late = nidoi_loop_refresh(loop) > nidoi_time_add(until, NIDOI_TURN_NS);

    if (late && loop->reactor.watching) nidoi_reactor_poll(&loop->reactor, 0);
}

static void idle_real(struct nidoi_loop *loop, int64_t when, bool only_handles)
{
    int64_t until = nidoi_idle_until(loop, when);
    int64_t now = nidoi_loop_refresh(loop);

    if (nidoi_stacks_trim(&loop->stacks, now)) until = now;
    if (until <= now && !loop->reactor.watching) return; /* nothing to ask the kernel */
    if (loop->options.spin_ns > 0 && spin_for_events(loop, until)) return;
    now = loop->sched.now;
    sleep_for(loop, until == NIDO_NEVER ? -1 : until > now ? until - now : 0, only_handles);
    poll_if_late(loop, until);
}

/* ---- Under the virtual clock ---- */

/* How much real time others get before the virtual clock jumps to `when`; < 0: all there is. */
static int64_t external_wait_until(const struct nidoi_loop *loop, int64_t when)
{
    int64_t wait = loop->external_wait_ns;

    if (when <= loop->sched.now) return 0; /* there is nothing to jump over */
    if (loop->expected) return wait < NIDO_NEVER / SLOWER ? SLOWER * wait : -1;
    return when == NIDO_NEVER ? wait : NIDO_MS(EXTERNAL_PEER_MS);
}

/* After the wait the clock has nowhere to jump, or must not. */
static bool must_not_jump(const struct nidoi_loop *loop, int64_t when)
{
    return when == NIDO_NEVER || (loop->expected && when > loop->sched.now);
}

/* Bytes between two of our sockets: on their way, or here since the last look. In this order, for
 * what is not on its way any more has arrived. */
static bool bytes_move(struct nidoi_loop *loop)
{
    return nidoi_reactor_in_transit(&loop->reactor) || nidoi_reactor_poll(&loop->reactor, 0) > 0;
}

/* The virtual clock jumps when nothing else can happen. A job or child that is out forbids it; a
 * peer outside this runtime (the other end of a descriptor, a thread with a handle) gets a moment
 * of real time first, and bytes on their way between two of our sockets as long as they take; one
 * that alone could wake the loop has `external_wait_ns`, and a job or child more. That is used up by
 * silence alone, not by a late wake-up or a signal. */
static void idle_virtual(struct nidoi_loop *loop, int64_t when, bool only_handles)
{
    int64_t now = nidoi_loop_refresh(loop), wait = external_wait_until(loop, when);
    bool peers = nidoi_has_sources(loop) || nidoi_handles_out(loop);
    bool last = must_not_jump(loop, when);
    int64_t end = last ? nidoi_time_add(nidoi_sys_now(), wait) : 0;

    nidoi_stacks_trim(&loop->stacks, now);
    if (peers && sleep_for(loop, wait, only_handles) > 0) return;
    if (wait < 0 || nidoi_loop_posted(loop)) return;
    if (!last && loop->reactor.watching && bytes_move(loop)) return;
    if (!last)
        nidoi_clock_jump(&loop->clock, when > now ? when : now);
    else if (nidoi_sys_now() >= end)
        nidoi_deadlock(loop);
    nidoi_loop_refresh(loop);
}

/* ---- Either ---- */

/* A task waits until every other one is parked: so they are, unless something is due now or on its
 * way. One at a time, for the task that goes on is not parked any more. */
static void wake_idle_waiter(struct nidoi_loop *loop)
{
    if (nidoi_deadline_next(loop) <= nidoi_loop_refresh(loop)) return;
    if (loop->reactor.watching && sleep_for(loop, NIDO_MS(EXTERNAL_PEER_MS), false) > 0) return;
    if (!nidoi_loop_posted(loop)) nidoi_waitq_wake(&loop->idle_waiters, 0);
}

static void idle(struct nidoi_loop *loop)
{
    bool manual = loop->options.clock == NIDO_CLOCK_MANUAL;
    int64_t when = manual ? NIDO_NEVER : nidoi_deadline_next(loop), silence = NIDO_NEVER;
    bool only_handles = when == NIDO_NEVER && !nidoi_has_sources(loop);

    if (loop->silence.limit && when == NIDO_NEVER) when = silence = nidoi_silence_ends(loop);
    if (!nidoi_waitq_empty(&loop->idle_waiters))
        wake_idle_waiter(loop);
    else if (only_handles && !nidoi_handles_out(loop) && !nidoi_loop_posted(loop))
        nidoi_deadlock(loop);
    else if (silence <= loop->sched.now)
        nidoi_silence_over(loop);
    else if (!loop->clock.is_virtual)
        idle_real(loop, when, only_handles);
    else
        idle_virtual(loop, when, only_handles);
}

static NIDOI_RARE void idle_probed(struct nidoi_loop *loop)
{
    if (loop->probe.watcher) loop->probe.watcher->idle(loop->probe.ctx);
    if (!nidoi_sched_ready(&loop->sched)) idle(loop);
    if (loop->measuring) nidoi_measuring_awake(loop);
}

void nidoi_idle(struct nidoi_loop *loop)
{
    if (__builtin_expect(loop->sched.probe != NULL, 0))
        idle_probed(loop);
    else
        idle(loop);
}

/* SPDX-License-Identifier: MIT */
/* coro/run/turn.c: a turn.
 *
 *        .-> idle: no task is ready      nidoi_idle: sleeps in the kernel, or the clock jumps
 *        |     |
 *        |   poll: some are              nidoi_reactor_poll, without waiting
 *        |     |
 *        |   posts                       nidoi_loop_call_posts
 *        |   deadlines and sleeps        nidoi_deadlines_fire
 *        |   a batch of tasks            run_tasks
 *        '-----'
 *
 * What has arrived beats a deadline of the same turn. Until the batch begins tasks are made ready and
 * nothing more: no task runs while the kernel's reports are dispatched. */
#include "coro/run/turn.h"

#include "base/time.h"
#include "coro/run/idle.h"
#include "coro/runtime/counts.h"
#include "coro/runtime/tracing.h"
#include "coro/scope/deadline.h"
#include "coro/task/batch.h"
#include "reactor/asleep.h"

#ifdef __GCC_HAVE_DWARF2_CFI_ASM
__attribute__((used)) static const char *const exceptions_end = &nidoi_exceptions_end_linked;
#endif

enum { MOST_RESUMES = 64 }; /* between two looks at the world */
#define SHORT_BATCH NIDO_US(100)

/* Nothing but a ready task can change anything. */
static bool is_isolated(const struct nidoi_loop *loop)
{
    return !nidoi_has_sources(loop) && !loop->timers.count && !nidoi_handles_out(loop) &&
           !nidoi_loop_posted(loop);
}

/* How many resumes go between two readings of the clock: twice as many while they are quick, else
 * what would have taken a turn. */
static void batch_adapt(struct nidoi_loop *loop, int resumes, int64_t took)
{
    if (took > NIDOI_TURN_NS)
        loop->batch = (int)(resumes * NIDOI_TURN_NS / took);
    else if (took < SHORT_BATCH)
        loop->batch *= 2;
    if (loop->batch < 1) loop->batch = 1;
    if (loop->batch > MOST_RESUMES) loop->batch = MOST_RESUMES;
}

/* Ready tasks until `end`, in batches that begin small after each idling and that the clock is read
 * after: never on a switch. Each is seen by batch_adapt, for nothing tells how long the next resume
 * will take but the ones before it. */
static void run_tasks(struct nidoi_loop *loop, int64_t end)
{
    int64_t before = loop->sched.now;
    int left = MOST_RESUMES;

    while (nidoi_sched_ready(&loop->sched)) {
        int resumes = loop->batch < left ? loop->batch : left;

        nidoi_batch_run(&loop->sched, resumes);
        if (!nidoi_sched_ready(&loop->sched)) break; /* idling reads it anyway */
        nidoi_loop_refresh(loop);
        batch_adapt(loop, resumes, loop->sched.now - before);
        before = loop->sched.now;
        left -= resumes;
        if (!left || before >= end) return;
    }
    loop->batch = 1;
}

/* What has come, in the order of the promises, then tasks: within one turn's time, or a piece of
 * each. Deadlines fire by the clock as it was read before the descriptors were looked at; a post
 * that has read it since makes for another look. */
static void dispatch(struct nidoi_loop *loop)
{
    int64_t seen = loop->sched.now, end = nidoi_time_add(seen, NIDOI_TURN_NS);

    loop->turns++;
    if (!loop->posts && nidoi_loop_posted(loop))
        loop->posts = nidoi_mpsc_take(&loop->remote->posts);
    nidoi_loop_call_posts(loop, end);
    if (loop->sched.now > seen && loop->reactor.watching) nidoi_reactor_poll(&loop->reactor, 0);
    while (nidoi_deadlines_fire(loop) && nidoi_clock_read(&loop->clock) < end) continue;
    run_tasks(loop, end);
}

static void turn(struct nidoi_loop *loop)
{
    if (!nidoi_sched_ready(&loop->sched))
        nidoi_idle(loop);
    else if (loop->reactor.watching)
        nidoi_reactor_poll(&loop->reactor, 0);
    dispatch(loop);
}

void nidoi_turns_run(struct nidoi_loop *loop)
{
    NIDOI_EXCEPTIONS_END();
    while (loop->live > 0) {
        nidoi_tracing_follow(loop);
        nidoi_counts_tell_sometimes(loop);
        if (nidoi_sched_ready(&loop->sched) && is_isolated(loop))
            run_tasks(loop, nidoi_time_add(loop->sched.now, NIDOI_TURN_NS));
        else
            turn(loop);
    }
}

/* ---- Inside another loop ---- */

void nidoi_turn_step(struct nidoi_loop *loop)
{
    NIDOI_EXCEPTIONS_END();
    nidoi_tracing_follow(loop);
    nidoi_counts_tell_sometimes(loop);
    nidoi_loop_refresh(loop); /* the time since the last step was the other loop's */
    __atomic_store_n(&loop->remote->sleeping, 0, __ATOMIC_RELAXED);
    nidoi_reactor_poll(&loop->reactor, 0); /* also consumes the wake-up */
    dispatch(loop);
    if (nidoi_asleep_asks() && !nidoi_sched_ready(&loop->sched)) nidoi_asleep_ask(&loop->reactor);
    nidoi_counts_tell_sometimes(loop);
    nidoi_turn_rest(loop);
}

void nidoi_turn_rest(struct nidoi_loop *loop)
{
    __atomic_store_n(&loop->remote->sleeping, 1, __ATOMIC_SEQ_CST);
}

int64_t nidoi_turn_timeout(struct nidoi_loop *loop)
{
    int64_t until, now;

    if (nidoi_sched_ready(&loop->sched) || nidoi_loop_posted(loop)) return 0;
    until = nidoi_idle_until(loop, nidoi_deadline_next(loop));
    if (until == NIDO_NEVER) return NIDO_NEVER;
    now = nidoi_loop_refresh(loop);
    if (nidoi_stacks_trim(&loop->stacks, now)) return 0;
    return until > now ? until - now : 0;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/sys.h"
#include "base/time.h"
#include "coro/scope/park.h"
#include "coro/scope/scope.h"
#include "coro/task/switch.h"
#include "nido/time.h"

int64_t nido_now(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    return loop ? nidoi_loop_refresh(loop) : nidoi_sys_now();
}

int64_t nido_after(int64_t ns)
{
    return nidoi_time_add(nido_now(), ns);
}

static enum nidoi_undo sleep_undo(struct nidoi_waiter *waiter)
{
    waiter->task->alarm = NIDO_NEVER;
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind sleeping = {.name = "sleep", .undo = sleep_undo};

static int yield_and_test(struct nidoi_loop *loop)
{
    nidoi_sched_yield(&loop->sched);
    return nido_check();
}

/* The clock has just been read. */
static int sleep_until(struct nidoi_loop *loop, int64_t when)
{
    struct nidoi_waiter waiter = {.kind = &sleeping};

    if (when <= loop->sched.now) return yield_and_test(loop);
    loop->sched.current->alarm = when;
    if (when != NIDO_NEVER) nidoi_loop_arm(loop, loop->sched.current, when);
    return (int)nidoi_park(loop, &waiter);
}

int nido_sleep_until(int64_t when)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    nidoi_loop_refresh(loop);
    return sleep_until(loop, when);
}

int nido_sleep(int64_t ns)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    return sleep_until(loop, ns <= 0 ? INT64_MIN : nidoi_time_add(nidoi_loop_refresh(loop), ns));
}

/* Not by way of nidoi_enter: the budget is of no interest to a call that yields. */
int nido_yield(void)
{
    struct nidoi_sched *sched = nidoi_sched_self;
    int err;

    if (!sched) return -EPERM;
    nidoi_scope_check_frames(sched->current, nidoi_frame_end());
    if (sched->budget <= 1 || sched->current->scope->due <= sched->now) {
        err = nidoi_enter_slowly(nidoi_loop_of(sched));
        if (err) return err;
    }
    nidoi_sched_yield(sched);
    if (sched->current->scope->due <= sched->now) return nido_check();
    return 0;
}

int nido_check(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop || !nidoi_on_task(&loop->sched)) return -EPERM;
    nidoi_scope_check_frames(loop->sched.current, nidoi_frame_end());
    return nidoi_enter_check(loop);
}

int nido_ticker_init(nido_ticker *ticker, int64_t period_ns, enum nido_missed missed)
{
    if (period_ns <= 0 || (missed != NIDO_SKIP && missed != NIDO_BURST)) return -EINVAL;
    *ticker = (nido_ticker){.next = nido_after(period_ns), .period = period_ns, .missed = missed};
    return 0;
}

/* Ticks stay multiples of the period from the start: the next one is counted from the last, not
 * from now. */
int nido_ticker_wait(nido_ticker *ticker)
{
    int64_t ticks = 1, late;
    int err;

    nidoi_check_frames();
    err = nido_sleep_until(ticker->next);
    if (err) return err;
    late = nido_now() - ticker->next;
    if (ticker->missed == NIDO_SKIP) ticks += late / ticker->period;
    if (ticks > INT32_MAX) ticks = INT32_MAX;
    ticker->next = nidoi_time_add(ticker->next, ticks * ticker->period);
    return (int)ticks;
}

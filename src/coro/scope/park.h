/* SPDX-License-Identifier: MIT */
/* coro/scope/park.h: entering a call that may wait, and parking in it. Every cancellation point enters
 * by nidoi_enter and sleeps by nidoi_park. */
#ifndef NIDOI_PARK_H
#define NIDOI_PARK_H

#include "coro/scope/scope.h"

/* For public calls that wait by way of others and have no entry of their own. */
NIDOI_IN_CALLER void nidoi_check_frames(void)
{
    const struct nidoi_sched *sched = nidoi_sched_self;

    if (sched) nidoi_scope_check_frames(sched->current, nidoi_frame_end());
}

/* Is the running task cancelled by the true time? Reads the clock and fires what has passed. 0 or
 * -ECANCELED. */
int nidoi_enter_check(struct nidoi_loop *loop);

/* The function of the running task has returned. If the watchdog wants the loop to look for tasks that go on after
 * their cancel (coro/run/late.h), the loop has its turn while this one is there. */
NIDOI_RARE void nidoi_turn_of_end_slowly(struct nidoi_loop *loop, struct nidoi_task *task);
static inline void nidoi_turn_of_end(struct nidoi_loop *loop, struct nidoi_task *task)
{
    if (__builtin_expect(__atomic_load_n(&loop->remote->late_asked, __ATOMIC_RELAXED) != 0, 0))
        nidoi_turn_of_end_slowly(loop, task);
}

int nidoi_enter_slowly(struct nidoi_loop *loop);
int nidoi_enter_suspiciously(struct nidoi_loop *loop, const char *frame);

/* The entry of every cancellation point: check the frames, charge, yield if the budget is spent,
 * then look at the scope (in this order: a cancel may come during the yield). `frame` is the end of
 * the public call's. 0, -ECANCELED, -EPERM, -EDEADLK. Now and then it reads the clock. */
static inline int nidoi_enter_from(struct nidoi_loop **out, const char *frame)
{
    struct nidoi_sched *sched = nidoi_sched_self;

    if (!sched) return -EPERM;
    *out = nidoi_loop_of(sched);
    sched->budget--;
    if (nidoi_scope_may_be_dead(sched->current, frame))
        return nidoi_enter_suspiciously(*out, frame);
    if ((sched->budget & 15) == 0 || sched->current->scope->due <= sched->now)
        return nidoi_enter_slowly(*out);
    return 0;
}

/* In a public call, or in what is part of one (NIDOI_IN_CALLER). */
NIDOI_IN_CALLER int nidoi_enter(struct nidoi_loop **out)
{
    return nidoi_enter_from(out, nidoi_frame_end());
}

/* For calls that are no cancellation points but may be repeated without end: charged like them. */
void nidoi_charge_slowly(struct nidoi_loop *loop);
static inline void nidoi_charge(struct nidoi_loop *loop)
{
    if (--loop->sched.budget <= 0) nidoi_charge_slowly(loop);
}

/* The one way to sleep. `waiter` has its kind and object set and stands in every queue that it will
 * be woken from. Returns what it was woken with; -ECANCELED if the scope is cancelled: then it stands
 * in none. */
intptr_t nidoi_park(struct nidoi_loop *loop, struct nidoi_waiter *waiter);

#endif

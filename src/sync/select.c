/* SPDX-License-Identifier: MIT */
/* sync/select.c: the first of several things.
 *
 * 1. A select first tries its arms, one after the other. The first that does not return -EAGAIN
 * ends it, and nothing was enlisted.
 * 2. Then one waiter waits by the nodes of all arms. The claim of one node withdraws the others
 * before anything else runs, so that a node in a queue belongs to an unclaimed waiter here too.
 * They are enlisted in the random order of the attempts: of two arms in one queue either may be
 * first.
 * 3. The item of an arm is in its node. The claim copies it, so an item is written for the winner
 * alone.
 * 4. After the claim no object of an arm is touched: it may be gone. */
#include "sync/select.h"

#include <limits.h>
#include <stdio.h>

#include "coro/scope/park.h"
#include "nido/time.h"

struct selection {
    struct nidoi_waiter waiter;
    struct nidoi_loop *loop;
    nido_arm *arms;
    size_t n;
    struct nidoi_arm_order order;
    uint32_t tries;     /* so many were enlisted */
    nido_arm *winner;   /* NULL: none yet */
    nido_arm *earliest; /* timer: the task's alarm is set for it */
    int early;          /* the winner's value, if it won while others were still being enlisted */
};

/* The arm of a try; NULL: there is no arm of that number. */
static nido_arm *select_arm(const struct nidoi_arm_order *order, uint32_t tries, nido_arm *arms,
                            size_t n)
{
    uint32_t number = nidoi_arm_order_number(order, tries);

    return number < n ? &arms[number] : NULL;
}

/* An enlisted arm that has not won; NULL for a number that has none. */
static nido_arm *select_loser(const struct selection *selection, uint32_t tries)
{
    nido_arm *arm = select_arm(&selection->order, tries, selection->arms, selection->n);

    return arm != selection->winner ? arm : NULL;
}

/* No queue is rechecked before the last node is out: it could grant something to this select
 * again. */
static void select_withdraw_others(struct selection *selection)
{
    struct nidoi_loop *loop = selection->loop;
    nido_arm *arm;

    for (uint32_t i = 0; i < selection->tries; i++)
        if ((arm = select_loser(selection, i)) != NULL) arm->kind->withdraw(loop, arm);
    for (uint32_t i = 0; i < selection->tries; i++)
        if ((arm = select_loser(selection, i)) != NULL && arm->kind->left)
            arm->kind->left(loop, arm);
}

static enum nidoi_undo select_undo(struct nidoi_waiter *waiter)
{
    select_withdraw_others(nidoi_container(waiter, struct selection, waiter));
    return NIDOI_WITHDRAWN;
}

static void select_win(nido_arm *arm)
{
    struct selection *selection = nidoi_container(arm->node.waiter, struct selection, waiter);

    selection->winner = arm;
    select_withdraw_others(selection);
}

static void select_claimed(struct nidoi_waiter *waiter, struct nidoi_node *node)
{
    (void)waiter;
    select_win(nidoi_container(node, nido_arm, node));
}

void nidoi_arm_done(nido_arm *arm, int value)
{
    struct nidoi_waiter *waiter = arm->node.waiter;

    select_win(arm);
    if (waiter->task->waiter == waiter)
        nidoi_wake(waiter, value);
    else
        nidoi_container(waiter, struct selection, waiter)->early = value;
}

void nidoi_arm_unlink(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    nidoi_list_remove(&arm->node.link);
}

/* For reports: the names of its arms. */
static const char *select_names(const struct nidoi_waiter *waiter)
{
    static _Thread_local char text[128];
    const struct selection *selection = nidoi_container(waiter, struct selection, waiter);
    size_t used = 0;

    for (size_t i = 0; i < selection->n && used < sizeof text; i++) {
        const nido_arm *arm = &selection->arms[i];
        const char *name = arm->kind->named ? arm->kind->named(arm) : NULL;

        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "",
                                 name ? name : arm->kind->name);
    }
    return text;
}

/* ---- The timer arm ---- */

static int timer_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    return arm->of.when <= nidoi_loop_refresh(loop) ? 0 : -EAGAIN;
}

static int timer_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    struct nidoi_task *task = loop->sched.current;

    if (arm->of.when >= task->alarm) return 0;
    task->alarm = arm->of.when;
    nidoi_container(arm->node.waiter, struct selection, waiter)->earliest = arm;
    nidoi_loop_arm(loop, task, arm->of.when);
    return 0;
}

static void timer_arm_withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    arm->node.waiter->task->alarm = NIDO_NEVER;
}

static const struct nidoi_arm_kind timer_arm = {.name = "timer",
                                                .attempt = timer_arm_attempt,
                                                .enlist = timer_arm_enlist,
                                                .withdraw = timer_arm_withdraw};

void nido_arm_timer(nido_arm *arm, int64_t when)
{
    *arm = (nido_arm){.kind = &timer_arm, .of.when = when};
}

void nido_arm_timeout(nido_arm *arm, int64_t ns)
{
    nido_arm_timer(arm, nido_after(ns));
}

static void select_timed_out(struct nidoi_waiter *waiter)
{
    nidoi_arm_done(nidoi_container(waiter, struct selection, waiter)->earliest, 0);
}

/* ---- The arm that is off ---- */

static int off_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop, (void)arm;
    return -EAGAIN;
}

static int off_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop, (void)arm;
    return 0;
}

static void off_arm_withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop, (void)arm;
}

static const struct nidoi_arm_kind off_arm = {.name = "off",
                                              .attempt = off_arm_attempt,
                                              .enlist = off_arm_enlist,
                                              .withdraw = off_arm_withdraw};

void nido_arm_off(nido_arm *arm)
{
    *arm = (nido_arm){.kind = &off_arm};
}

/* ---- The select ---- */

static const struct nidoi_wait_kind selecting = {.name = "one of",
                                                 .undo = select_undo,
                                                 .claimed = select_claimed,
                                                 .timed_out = select_timed_out,
                                                 .named = select_names};

static int select_finish(const nido_arm *arms, nido_arm *arm, int status)
{
    arm->status = status;
    return (int)(arm - arms);
}

static int select_attempt_all(struct nidoi_loop *loop, const struct nidoi_arm_order *order,
                              nido_arm *arms, size_t n)
{
    for (uint32_t tries = 0; tries <= order->mask; tries++) {
        nido_arm *arm = select_arm(order, tries, arms, n);
        int status = arm ? arm->kind->attempt(loop, arm) : -EAGAIN;

        if (status != -EAGAIN) return select_finish(arms, arm, status);
    }
    return -EAGAIN;
}

/* 0, or the winner is set, with its status. */
static int select_enlist_all(struct selection *selection)
{
    for (; selection->tries <= selection->order.mask; selection->tries++) {
        nido_arm *arm = select_loser(selection, selection->tries);
        int status;

        if (!arm) continue;
        arm->node.waiter = &selection->waiter;
        status = arm->kind->enlist(selection->loop, arm);
        if (selection->winner) { /* an earlier arm's descriptor was found closed */
            if (!status) arm->kind->withdraw(selection->loop, arm);
            return selection->early;
        }
        if (!status) continue;
        select_win(arm);
        return status;
    }
    return 0;
}

/* True: an arm's descriptor was closed since so many renewals; *out is the arm's index. */
static bool select_find_lost(struct nidoi_loop *loop, nido_arm *arms, size_t n, uint64_t since,
                             int *out)
{
    if (loop->reactor.renewals == since) return false;
    for (nido_arm *arm = arms; arm < arms + n; arm++) {
        if (!arm->kind->lost || !arm->kind->lost(loop, arm, since)) continue;
        *out = select_finish(arms, arm, -EBADF);
        return true;
    }
    return false;
}

/* The index of the arm that was completed; -ECANCELED; -EAGAIN: start again. */
static int select_wait(struct nidoi_loop *loop, const struct nidoi_arm_order *order, nido_arm *arms,
                       size_t n)
{
    struct selection selection = {.waiter = {.kind = &selecting, .task = loop->sched.current},
                                  .loop = loop,
                                  .arms = arms,
                                  .n = n,
                                  .order = *order};
    int value = select_enlist_all(&selection), index;
    uint64_t since = loop->reactor.renewals; /* enlisting may have renewed a foreign number */
    nido_arm *winner;

    if (!value) value = (int)nidoi_park(loop, &selection.waiter);
    winner = selection.winner;
    if (!winner) return value;
    if (winner->kind->woken) value = winner->kind->woken(loop, winner, value);
    if (value != -EAGAIN) return select_finish(arms, winner, value);
    return select_find_lost(loop, arms, n, since, &index) ? index : -EAGAIN;
}

int nido_try_select(nido_arm *arms, size_t n, unsigned flags)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_arm_order order;

    nidoi_check_frames();
    if (!loop || !nidoi_on_task(&loop->sched)) return -EPERM;
    if (!n || n > INT_MAX || flags & ~(unsigned)NIDO_PRIORITY) return -EINVAL;
    order = nidoi_arm_order_draw(&loop->random, n, flags);
    return select_attempt_all(loop, &order, arms, n);
}

int nido_select(nido_arm *arms, size_t n, unsigned flags)
{
    uint64_t since = nidoi_sched_self ? nidoi_loop_self()->reactor.renewals : 0;
    struct nidoi_loop *loop;
    int index = nidoi_enter(&loop);

    if (index) return index;
    if (!n || n > INT_MAX || flags & ~(unsigned)(NIDO_POLL | NIDO_PRIORITY)) return -EINVAL;
    if (select_find_lost(loop, arms, n, since, &index)) return index;
    do {
        struct nidoi_arm_order order = nidoi_arm_order_draw(&loop->random, n, flags);

        index = select_attempt_all(loop, &order, arms, n);
        if (index == -EAGAIN && !(flags & NIDO_POLL)) index = select_wait(loop, &order, arms, n);
    } while (index == -EAGAIN && !(flags & NIDO_POLL));
    return index;
}

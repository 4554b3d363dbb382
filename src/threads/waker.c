/* SPDX-License-Identifier: MIT */
/* threads/waker.c: one post that is used for each wake. */
#include "base/mem.h"
#include "coro/scope/park.h"
#include "nido/thread.h"
#include "sync/select.h"
#include "sync/sync.h"

struct nido_waker {
    struct nidoi_post post;
    nido_rt *rt;                /* a handle: any thread may wake the loop */
    uint32_t refs;              /* atomic: the users', and one for a post that was sent */
    uint32_t sent;              /* atomic: the post was sent and has not been called */
    struct nidoi_waitq waiters; /* the loop's, as is the next field */
    bool woken;                 /* and no wait has taken the wake yet */
};

static enum nidoi_undo waker_undo(struct nidoi_waiter *waiter)
{
    nidoi_loop_outside(nidoi_loop_of(waiter->task->sched), -1);
    return nidoi_waitq_undo(waiter);
}

static const struct nidoi_wait_kind waiting = {
    .name = "waker", .undo = waker_undo, .by_thread = true};

static void waker_received(struct nidoi_loop *loop, struct nidoi_post *post)
{
    nido_waker *waker = nidoi_container(post, nido_waker, post);

    __atomic_store_n(&waker->sent, 0, __ATOMIC_SEQ_CST);
    if (nidoi_waitq_wake(&waker->waiters, 0))
        nidoi_loop_outside(loop, -1);
    else
        waker->woken = true;
    nido_waker_release(waker);
}

int nido_waker_new(nido_waker **out)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    nido_waker *waker;

    if (!loop) return -EPERM;
    waker = nidoi_mem_zeroed(sizeof *waker);
    if (!waker) return -ENOMEM;
    waker->post.call = waker_received;
    waker->rt = nido_rt_self();
    waker->refs = 1;
    nidoi_waitq_init(&waker->waiters);
    *out = waker;
    return 0;
}

void nido_waker_retain(nido_waker *waker)
{
    __atomic_add_fetch(&waker->refs, 1, __ATOMIC_RELAXED);
}

void nido_waker_release(nido_waker *waker)
{
    if (!waker || __atomic_sub_fetch(&waker->refs, 1, __ATOMIC_ACQ_REL)) return;
    nido_rt_release(waker->rt);
    nidoi_mem.release(waker);
}

/* In a signal handler too: no lock, no memory. */
int nido_waker_wake(nido_waker *waker)
{
    if (waker->rt->forks != nidoi_forks) return -EPERM;
    if (__atomic_exchange_n(&waker->sent, 1, __ATOMIC_SEQ_CST)) return 0;
    nido_waker_retain(waker);
    if (nidoi_remote_post(waker->rt, &waker->post)) return 0;
    /* The caller has a reference too, so this was not the last. */
    __atomic_sub_fetch(&waker->refs, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&waker->sent, 0, __ATOMIC_SEQ_CST);
    return -ESHUTDOWN;
}

/* -EAGAIN: the caller has to wait. */
static int waker_take(const struct nidoi_loop *loop, nido_waker *waker)
{
    if (waker->rt != loop->remote) return -EXDEV;
    if (!waker->woken) return -EAGAIN;
    waker->woken = false;
    return 0;
}

int nido_waker_wait(nido_waker *waker)
{
    struct nidoi_queued queued = {.waiter = {.kind = &waiting, .object = waker}};
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = waker_take(loop, waker);
    if (err != -EAGAIN) return err;
    nidoi_waitq_enlist(&waker->waiters, &queued);
    nidoi_loop_outside(loop, 1);
    return (int)nidoi_park(loop, &queued.waiter);
}

/* ---- Its arm of a select ---- */

static int waker_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    return waker_take(loop, arm->object);
}

static int waker_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_list_append(&((nido_waker *)arm->object)->waiters.nodes, &arm->node.link);
    nidoi_loop_outside(loop, 1);
    return 0;
}

static void waker_arm_withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_arm_unlink(loop, arm);
    nidoi_loop_outside(loop, -1);
}

static const struct nidoi_arm_kind waker_arm = {.name = "waker",
                                                .attempt = waker_arm_attempt,
                                                .enlist = waker_arm_enlist,
                                                .withdraw = waker_arm_withdraw};

void nido_arm_waker(nido_arm *arm, nido_waker *waker)
{
    *arm = (nido_arm){.kind = &waker_arm, .object = waker};
}

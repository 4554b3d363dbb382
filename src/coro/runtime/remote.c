/* SPDX-License-Identifier: MIT */
#include "coro/runtime/remote.h"

#include "base/mem.h"

uint32_t nidoi_forks;

nido_rt *nidoi_remote_new(struct nidoi_loop *loop)
{
    nido_rt *rt = nidoi_mem_zeroed(sizeof *rt);

    if (!rt) return NULL;
    rt->refs = 1;
    rt->loop = loop;
    rt->forks = nidoi_forks;
    return rt;
}

nido_rt *nidoi_remote_retain(nido_rt *rt)
{
    __atomic_add_fetch(&rt->refs, 1, __ATOMIC_RELAXED);
    return rt;
}

void nidoi_remote_release(nido_rt *rt)
{
    if (__atomic_sub_fetch(&rt->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    nidoi_wakeup_close(&rt->wakeup);
    nidoi_mem.release(rt);
}

static void wake_loop(nido_rt *rt)
{
    if (__atomic_exchange_n(&rt->sleeping, 0, __ATOMIC_SEQ_CST)) nidoi_wakeup_send(&rt->wakeup);
}

void nido_rt_retain(nido_rt *rt)
{
    nidoi_remote_retain(rt);
    __atomic_add_fetch(&rt->handles, 1, __ATOMIC_RELAXED);
}

void nido_rt_release(nido_rt *rt)
{
    if (!rt || rt->forks != nidoi_forks) return; /* the parent's: its loop is not ours to wake */
    if (__atomic_sub_fetch(&rt->handles, 1, __ATOMIC_SEQ_CST) == 0)
        wake_loop(rt); /* it may sleep because of this handle alone: is it stuck now? */
    nidoi_remote_release(rt);
}

/* Once it has the post the run may end; the wake-up must outlast its use here. */
bool nidoi_remote_post(nido_rt *remote, struct nidoi_post *post)
{
    bool taken;

    nidoi_remote_retain(remote);
    taken = nidoi_mpsc_push(&remote->posts, &post->link);
    if (taken) wake_loop(remote);
    nidoi_remote_release(remote);
    return taken;
}

#include "coro/runtime/remote.h"

#include <errno.h>

#include "base/mem.h"
#include "coro/runtime/loop.h"

struct user_post {
    struct nidoi_post post;
    nido_fn *fn;
    void *arg;
};

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

nido_rt *nido_rt_self(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return NULL;
    nido_rt_retain(loop->remote);
    return loop->remote;
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

static void run_user_post(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct user_post user = *nidoi_container(post, struct user_post, post);

    nidoi_mem.release(nidoi_container(post, struct user_post, post));
    nidoi_no_parking_begin(&loop->sched);
    user.fn(user.arg);
    nidoi_no_parking_end(&loop->sched);
}

int nido_post(nido_rt *rt, nido_fn *fn, void *arg)
{
    struct user_post *user;

    if (!rt || !fn) return -EINVAL;
    if (rt->forks != nidoi_forks) return -EPERM;
    user = nidoi_mem.alloc(sizeof *user);
    if (!user) return -ENOMEM;
    *user = (struct user_post){.post.call = run_user_post, .fn = fn, .arg = arg};
    if (nidoi_remote_post(rt, &user->post)) return 0;
    nidoi_mem.release(user);
    return -ESHUTDOWN;
}

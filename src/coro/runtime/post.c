/* SPDX-License-Identifier: MIT */
/* coro/runtime/post.c: functions that a user posts to a runtime. */
#include <errno.h>

#include "base/mem.h"
#include "coro/runtime/loop.h"

nido_rt *nido_rt_self(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return NULL;
    nido_rt_retain(loop->remote);
    return loop->remote;
}

struct user_post {
    struct nidoi_post post;
    nido_fn *fn;
    void *arg;
};

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

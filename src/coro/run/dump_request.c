/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "coro/run/remotes.h"
#include "debug/dump.h"
#include "nido/debug.h"

static void request_arrived(struct nidoi_loop *loop, struct nidoi_post *post)
{
    nido_rt *rt = nidoi_container(post, nido_rt, dump);

    __atomic_store_n(&rt->dump_asked, 0, __ATOMIC_SEQ_CST);
    nidoi_dump_to_stderr(loop);
}

/* One that is on its way already answers this request too. */
static int request_send(nido_rt *rt)
{
    if (rt->forks != nidoi_forks) return -EPERM;
    if (__atomic_exchange_n(&rt->dump_asked, 1, __ATOMIC_SEQ_CST)) return 0;
    rt->dump.call = request_arrived;
    if (nidoi_remote_post(rt, &rt->dump)) return 0;
    __atomic_store_n(&rt->dump_asked, 0, __ATOMIC_SEQ_CST);
    return -ESHUTDOWN;
}

static void request_send_to_each(nido_rt *rt, void *asked)
{
    request_send(rt);
    *(bool *)asked = true;
}

int nido_dump_request(nido_rt *rt)
{
    bool asked = false;

    if (rt) return request_send(rt);
    nidoi_remotes_lock();
    nidoi_remotes_each(request_send_to_each, &asked);
    nidoi_remotes_unlock();
    return asked || !nidoi_forks ? 0 : -EPERM;
}

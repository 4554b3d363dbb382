/* SPDX-License-Identifier: MIT */
#include "coro/run/late.h"

#include "base/debug_words.h"
#include "coro/run/run.h"
#include "debug/late.h"
#include "nido/time.h"

#define LIMIT NIDO_SEC(5) /* if none is given */
enum { REPORT = 4096 };

static void late_tell(struct nidoi_loop *loop, struct nidoi_task *task)
{
    char room[REPORT];
    struct nidoi_text text = {room, sizeof room, 0};

    task->late = true;
    nidoi_late_add(&text, task);
    nidoi_loop_report(loop, room);
}

static void late_find(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_late *late = nidoi_container(post, struct nidoi_late, post);
    struct nidoi_task *task;
    uint32_t slot = 1;

    __atomic_store_n(&loop->remote->late_asked, 0,
                     __ATOMIC_RELEASE); /* the post is the watchdog's again */
    if (!loop->cancel_count) return;
    nidoi_loop_refresh(loop);
    while ((task = nidoi_late_next(loop, late->limit, &slot))) late_tell(loop, task);
}

static int64_t limit_of(const nido_options *options)
{
    if (options->late_ns) return options->late_ns == NIDO_NEVER ? 0 : options->late_ns;
    return nidoi_debug_asks("cancel") ? LIMIT : 0;
}

void nidoi_late_begin(struct nidoi_run *run, struct nidoi_late *late)
{
    late->limit = limit_of(&run->loop.options);
    late->post.call = late_find;
}

int64_t nidoi_late_look(struct nidoi_run *run, struct nidoi_late *late)
{
    if (!late->limit) return NIDO_NEVER;
    if (!__atomic_exchange_n(&run->loop.remote->late_asked, 1, __ATOMIC_ACQUIRE))
        nidoi_remote_post(run->loop.remote, &late->post);
    return late->limit / 4;
}

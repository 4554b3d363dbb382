/* SPDX-License-Identifier: MIT */
/* threads/shards.c: one runtime on each of several threads. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/cancel.h"
#include "coro/run/fork.h"
#include "coro/run/signals.h"
#include "nido/thread.h"

enum { MOST_SHARDS = 1024 };

struct shard {
    struct shards *all;
    unsigned number;
    pthread_t thread;
    nido_rt *rt; /* lock: set while its root runs */
    struct nidoi_post stop;
    bool stopped; /* lock: `stop` was sent */
    int rc;
};

struct shards {
    pthread_mutex_t lock;
    nido_shard_fn *fn;
    void *arg;
    const nido_options *options;
    unsigned count;
    struct nidoi_arrivals since; /* when no shard had begun */
    int failure;                 /* lock: the first */
    struct shard shards[];
};

static _Thread_local struct shard *self;

static void shard_forked(void)
{
    if (self) nidoi_signals_together(NULL);
    self = NULL;
}

static struct nidoi_fork_handler at_fork = {.forked = shard_forked};

/* ---- One shard ---- */

static void shard_stop(struct nidoi_loop *loop, struct nidoi_post *post)
{
    (void)post;
    nidoi_run_cancel(loop, NIDO_CAUSE_SHUTDOWN, -EINTR, "another shard failed");
}

/* The lock is held. */
static void shards_cancel_others(struct shards *all, const struct shard *failed)
{
    for (struct shard *shard = all->shards; shard < all->shards + all->count; shard++) {
        if (shard == failed || !shard->rt || shard->stopped) continue;
        shard->stop.call = shard_stop;
        shard->stopped = nidoi_remote_post(shard->rt, &shard->stop);
    }
}

/* True: another shard has failed already. */
static bool shard_enter(struct shard *shard)
{
    bool late;

    pthread_mutex_lock(&shard->all->lock);
    late = shard->all->failure != 0;
    if (!late) shard->rt = nido_rt_self();
    pthread_mutex_unlock(&shard->all->lock);
    return late;
}

static void shard_leave(struct shard *shard, int rc)
{
    nido_rt *rt = shard->rt;

    pthread_mutex_lock(&shard->all->lock);
    shard->rt = NULL;
    if (rc < 0 && !shard->all->failure) {
        shard->all->failure = rc;
        shards_cancel_others(shard->all, shard);
    }
    pthread_mutex_unlock(&shard->all->lock);
    nido_rt_release(rt);
}

static int shard_root(void *arg)
{
    struct shard *shard = arg;

    return shard_enter(shard) ? 0 : shard->all->fn(shard->number, shard->all->arg);
}

/* The handle of the runtime is released only after the run, because nido_run's result is not known
 * before. */
static void *shard_main(void *arg)
{
    struct shard *shard = self = arg;

    nidoi_signals_together(&shard->all->since);
    shard->rc = nido_run(shard_root, shard, shard->all->options);
    nidoi_signals_together(NULL);
    shard_leave(shard, shard->rc);
    self = NULL;
    return NULL;
}

/* ---- All of them ---- */

static unsigned shards_start(struct shards *all)
{
    unsigned started = 1;
    int err = 0;

    while (started < all->count && !err) {
        err = nidoi_sys.thread(&all->shards[started].thread, shard_main, &all->shards[started]);
        if (!err) started++;
    }
    if (!err) return started;
    pthread_mutex_lock(&all->lock);
    if (!all->failure) all->failure = err;
    shards_cancel_others(all, NULL);
    pthread_mutex_unlock(&all->lock);
    return started;
}

static int shards_run(struct shards *all)
{
    int before = nidoi_sys_defer_cancel();
    unsigned started = shards_start(all);

    shard_main(&all->shards[0]);
    for (unsigned i = 1; i < started; i++) pthread_join(all->shards[i].thread, NULL);
    nidoi_sys_allow_cancel(before);
    return all->failure ? all->failure : all->shards[0].rc;
}

int nido_shards(unsigned n, nido_shard_fn *fn, void *arg, const nido_options *options)
{
    struct shards *all;
    int rc;

    if (!fn || n > MOST_SHARDS) return -EINVAL;
    if (nidoi_loop_self()) return -EBUSY;
    if (!n) n = nidoi_sys_processors() < MOST_SHARDS ? nidoi_sys_processors() : MOST_SHARDS;
    all = nidoi_mem_zeroed(sizeof *all + n * sizeof *all->shards);
    if (!all) return -ENOMEM;
    nidoi_fork_register(&at_fork);
    pthread_mutex_init(&all->lock, NULL);
    all->fn = fn;
    all->arg = arg;
    all->options = options;
    all->count = n;
    nidoi_arrivals_read(&all->since);
    for (unsigned i = 0; i < n; i++) all->shards[i] = (struct shard){.all = all, .number = i};
    rc = shards_run(all);
    pthread_mutex_destroy(&all->lock);
    nidoi_mem.release(all);
    return rc;
}

nido_rt *nido_shard_rt(unsigned shard)
{
    nido_rt *rt;

    if (!self || shard >= self->all->count) return NULL;
    pthread_mutex_lock(&self->all->lock);
    rt = self->all->shards[shard].rt;
    if (rt) nido_rt_retain(rt);
    pthread_mutex_unlock(&self->all->lock);
    return rt;
}

/* SPDX-License-Identifier: MIT */
#include "pool/jobs.h"

#include "base/mem.h"
#include "base/sys.h"

/* ---- The queue; the lock is held ---- */

static struct nidoi_job *lane_first(const struct nidoi_pool *pool, enum nidoi_lane lane)
{
    struct nidoi_link *first = pool->lanes[lane].next;

    return first == &pool->lanes[lane] ? NULL : nidoi_container(first, struct nidoi_job, link);
}

struct nidoi_job *nidoi_pool_first(const struct nidoi_pool *pool)
{
    struct nidoi_job *general = lane_first(pool, NIDOI_LANE_GENERAL);
    struct nidoi_job *name = lane_first(pool, NIDOI_LANE_NAMES);
    uint32_t half = pool->most > 1 ? pool->most / 2 : 1;

    if (!name || pool->names_running >= half) return general;
    return general && general->ticket < name->ticket ? general : name;
}

void nidoi_pool_add(struct nidoi_pool *pool, struct nidoi_job *job)
{
    job->pool = pool;
    job->state = NIDOI_JOB_QUEUED;
    job->ticket = ++pool->tickets;
    nidoi_list_append(&pool->lanes[job->lane], &job->link);
    __atomic_add_fetch(&pool->queued, 1, __ATOMIC_RELAXED);
}

void nidoi_pool_remove(struct nidoi_pool *pool, struct nidoi_job *job)
{
    nidoi_list_remove(&job->link);
    __atomic_sub_fetch(&pool->queued, 1, __ATOMIC_RELAXED);
}

const char *nidoi_job_name(const struct nidoi_job *job, struct nidoi_place *place)
{
    return job->options.name ? job->options.name : nidoi_place(place, (void *)(intptr_t)job->fn);
}

/* ---- The pool's memory ---- */

struct nidoi_pool *nidoi_pool_new(const struct nidoi_loop *loop)
{
    struct nidoi_pool *pool = nidoi_mem_zeroed(sizeof *pool);

    if (!pool) return NULL;
    pool->remote = nidoi_remote_retain(loop->remote);
    pool->refs = 1;
    pool->most = loop->options.pool_threads;
    pool->spin_ns = loop->options.spin_ns;
    pthread_mutex_init(&pool->lock, NULL);
    nidoi_sys_cond_init(&pool->work);
    nidoi_sys_cond_init(&pool->worker_ended);
    for (int lane = 0; lane < NIDOI_LANES; lane++) nidoi_list_init(&pool->lanes[lane]);
    nidoi_list_init(&pool->running);
    nidoi_list_init(&pool->ended);
    nidoi_list_init(&pool->late);
    return pool;
}

void nidoi_pool_release(struct nidoi_pool *pool)
{
    bool last = --pool->refs == 0;

    pthread_mutex_unlock(&pool->lock);
    if (!last) return;
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->worker_ended);
    pthread_mutex_destroy(&pool->lock);
    nidoi_remote_release(pool->remote);
    nidoi_mem.release(pool);
}

/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/sys.h"
#include "base/time.h"
#include "nido/time.h"
#include "pool/interrupt.h"
#include "pool/worker.h"

uint32_t nidoi_pool_most_surplus = 256;

/* ---- One job ---- */

int nidoi_pool_submit(struct nidoi_pool *pool, struct nidoi_job *job)
{
    int err = 0;

    pthread_mutex_lock(&pool->lock);
    nidoi_pool_add(pool, job);
    nidoi_workers_wake(pool);
    if (!pool->threads) {
        nidoi_pool_remove(pool, job);
        err = -EAGAIN;
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

/* The worker of an abandoned look-up becomes surplus, so that another may take its place: a name
 * server that does not answer delays only the tasks that wait for it. The lock is held. */
static void pool_replace_worker(struct nidoi_pool *pool, struct nidoi_job *job)
{
    if (job->lane != NIDOI_LANE_NAMES || pool->surplus >= nidoi_pool_most_surplus) return;
    job->surplus = true;
    pool->surplus++;
    pool->threads--;
    pool->names_running--;
    nidoi_workers_wake(pool);
}

static enum nidoi_undo job_cancel_running(struct nidoi_pool *pool, struct nidoi_job *job)
{
    job->abandoned = job->options.mode == NIDO_OFFLOAD_ABANDON;
    if (job->abandoned) pool_replace_worker(pool, job);
    if (job->options.mode == NIDO_OFFLOAD_INTERRUPT) nidoi_interrupter_signal(job);
    return job->abandoned ? NIDOI_WITHDRAWN : NIDOI_NOTED;
}

enum nidoi_undo nidoi_pool_cancel(struct nidoi_job *job)
{
    struct nidoi_pool *pool = job->pool;
    enum nidoi_undo undo = NIDOI_NOTED;

    pthread_mutex_lock(&pool->lock);
    __atomic_store_n(&job->cancelled, true, __ATOMIC_RELAXED);
    if (job->state == NIDOI_JOB_QUEUED) {
        nidoi_pool_remove(pool, job);
        undo = NIDOI_WITHDRAWN;
    } else if (job->state == NIDOI_JOB_RUNNING) {
        undo = job_cancel_running(pool, job);
    }
    pthread_mutex_unlock(&pool->lock);
    return undo;
}

/* ---- The end of the run ---- */

void nidoi_pool_post_end(struct nidoi_job *job)
{
    struct nidoi_pool *pool = job->pool;
    bool grace_over;

    if (nidoi_remote_post(pool->remote, &job->post)) return;
    pthread_mutex_lock(&pool->lock);
    grace_over = pool->grace_over;
    if (!grace_over) nidoi_list_append(&pool->late, &job->link);
    pthread_mutex_unlock(&pool->lock);
    if (grace_over) nidoi_mem.release(job);
}

static void pool_finish_late(struct nidoi_loop *loop, struct nidoi_pool *pool)
{
    struct nidoi_link *link;

    while ((link = nidoi_list_pop(&pool->late)) != NULL) {
        struct nidoi_job *job = nidoi_container(link, struct nidoi_job, link);

        job->post.call(loop, &job->post);
    }
}

static int job_describe(char *text, size_t size, const struct nidoi_job *job)
{
    struct nidoi_place place;

    return snprintf(text, size, " abandoned job %.*s", NIDOI_JOB_NAME, nidoi_job_name(job, &place));
}

/* The lock is held, but not while the user's code is called. */
static void pool_report_abandoned(struct nidoi_loop *loop, struct nidoi_pool *pool)
{
    char text[2048];
    size_t used = (size_t)snprintf(text, sizeof text, "nido: the run ends without waiting for");

    for (struct nidoi_link *link = pool->running.next; link != &pool->running; link = link->next) {
        if (link != pool->running.next) text[used++] = ',';
        if (used > sizeof text - NIDOI_JOB_NAME - 50) {
            used += (size_t)snprintf(text + used, sizeof text - used, " and more");
            break;
        }
        used += (size_t)job_describe(text + used, sizeof text - used, nidoi_worker_job(link));
    }
    snprintf(text + used, sizeof text - used, "\n");
    pthread_mutex_unlock(&pool->lock);
    nidoi_loop_report(loop, text);
    pthread_mutex_lock(&pool->lock);
}

/* Waits for all workers; for those in abandoned jobs at most the grace. The lock is held. */
static void pool_await_workers(struct nidoi_loop *loop, struct nidoi_pool *pool)
{
    int64_t grace = loop->options.pool_grace_ns;
    int64_t end = nidoi_time_add(nidoi_sys_now(), grace);

    while (pool->threads || pool->surplus) {
        int64_t now = nidoi_sys_now();

        if (now >= end && !nidoi_list_empty(&pool->running)) {
            pool->grace_over = true;
            pool_report_abandoned(loop, pool);
            return;
        }
        nidoi_sys_cond_wait(&pool->worker_ended, &pool->lock, now < end ? end - now : NIDO_NEVER);
    }
}

static void pool_end(struct nidoi_loop *loop, struct nidoi_extension *extension)
{
    struct nidoi_pool *pool = nidoi_container(extension, struct nidoi_pool, extension);

    nidoi_interrupter_end(pool);
    pthread_mutex_lock(&pool->lock);
    __atomic_store_n(&pool->closing, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&pool->work);
    pool_await_workers(loop, pool);
    nidoi_workers_join(pool);
    pool_finish_late(loop, pool);
    nidoi_pool_release(pool);
}

int nidoi_pool_get(struct nidoi_loop *loop, struct nidoi_pool **out)
{
    struct nidoi_extension *extension = loop->extensions[NIDOI_EXTENSION_POOL];
    struct nidoi_pool *pool;

    if (extension) {
        *out = nidoi_container(extension, struct nidoi_pool, extension);
        return 0;
    }
    pool = nidoi_pool_new(loop);
    if (!pool) return -ENOMEM;
    pool->extension.end = pool_end;
    loop->extensions[NIDOI_EXTENSION_POOL] = &pool->extension;
    *out = pool;
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "pool/worker.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/sys.h"
#include "base/ticks.h"
#include "base/time.h"
#include "coro/run/fork.h"
#include "nido/time.h"
#include "pool/interrupt.h"

struct nidoi_worker {
    struct nidoi_link link; /* running or ended; in neither while it looks for work */
    struct nidoi_pool *pool;
    struct nidoi_job *job;
    pthread_t thread;
    uint32_t number;
    bool surplus; /* it counts no longer, and ends with its job */
};

int64_t nidoi_pool_idle_ns = NIDO_SEC(10);

static _Thread_local struct nidoi_worker *self;

struct nidoi_job *nidoi_job_self(void)
{
    return self ? self->job : NULL;
}

const struct nidoi_job *nidoi_worker_job(const struct nidoi_link *link)
{
    return nidoi_container(link, struct nidoi_worker, link)->job;
}

/* The child of a job that forks is no worker. */
static void worker_forked(void)
{
    self = NULL;
}

static struct nidoi_fork_handler at_fork = {.forked = worker_forked};

static void *worker_main(void *arg);

void nidoi_workers_join(struct nidoi_pool *pool)
{
    while (!nidoi_list_empty(&pool->ended)) {
        struct nidoi_worker *worker = nidoi_container(pool->ended.next, struct nidoi_worker, link);

        nidoi_list_remove(&worker->link);
        pthread_join(worker->thread, NULL);
        nidoi_mem.release(worker);
    }
}

static void worker_start(struct nidoi_pool *pool)
{
    struct nidoi_worker *worker;

    nidoi_fork_register(&at_fork);
    nidoi_workers_join(pool);
    worker = nidoi_mem_zeroed(sizeof *worker);
    if (!worker) return;
    worker->pool = pool;
    worker->number = ++pool->hired;
    pool->threads++;
    pool->refs++;
    pool->wake_pending = true;
    if (!nidoi_sys.thread(&worker->thread, worker_main, worker)) return;
    nidoi_mem.release(worker);
    pool->threads--;
    pool->refs--;
    pool->wake_pending = false;
}

void nidoi_workers_wake(struct nidoi_pool *pool)
{
    if (pool->wake_pending || pool->looking || !nidoi_pool_first(pool)) return;
    if (pool->idle) {
        pool->wake_pending = true;
        pthread_cond_signal(&pool->work);
    } else if (pool->threads < pool->most) {
        worker_start(pool);
    }
}

/* Waits a short time for a job without sleeping. Gives up the lock meanwhile. */
static void worker_spin(struct nidoi_pool *pool)
{
    int64_t end = nidoi_time_add(nidoi_sys_now(), pool->spin_ns);

    pool->looking++;
    pthread_mutex_unlock(&pool->lock);
    while (!__atomic_load_n(&pool->queued, __ATOMIC_RELAXED) &&
           !__atomic_load_n(&pool->closing, __ATOMIC_RELAXED) && nidoi_sys_now() < end) {
    }
    pthread_mutex_lock(&pool->lock);
    pool->looking--;
}

/* Waits for the next job; NULL: this worker has to end. */
static struct nidoi_job *worker_next_job(struct nidoi_pool *pool)
{
    bool patient = true;

    if (pool->spin_ns && !nidoi_pool_first(pool) && !pool->closing) worker_spin(pool);
    while (!nidoi_pool_first(pool) && !pool->closing && patient) {
        pool->idle++;
        patient = nidoi_sys_cond_wait(&pool->work, &pool->lock, nidoi_pool_idle_ns) == 0;
        pool->idle--;
        pool->wake_pending = false;
    }
    return nidoi_pool_first(pool);
}

static void worker_take(struct nidoi_worker *worker, struct nidoi_job *job)
{
    struct nidoi_pool *pool = worker->pool;

    nidoi_pool_remove(pool, job);
    if (job->lane == NIDOI_LANE_NAMES) pool->names_running++;
    job->state = NIDOI_JOB_RUNNING;
    job->thread = pthread_self();
    job->worker = worker->number;
    worker->job = job;
    nidoi_list_append(&pool->running, &worker->link);
    if (job->no_wait) nidoi_interrupter_signal(job);
    nidoi_workers_wake(pool);
}

/* The lock is held. True: the job is abandoned. */
static bool worker_finish(struct nidoi_worker *worker)
{
    struct nidoi_job *job = worker->job;

    nidoi_list_remove(&worker->link);
    worker->job = NULL;
    if (job->options.mode == NIDO_OFFLOAD_INTERRUPT) nidoi_interrupter_stop(job);
    job->state = NIDOI_JOB_OVER;
    worker->surplus = job->surplus;
    return job->abandoned;
}

/* When a broken invariant ends the program on a worker, the message names its job. */
static void worker_print_job(void)
{
    struct nidoi_place place;

    if (self && self->job)
        fprintf(stderr, "nido: the job is %.*s\n", NIDOI_JOB_NAME,
                nidoi_job_name(self->job, &place));
}

static void job_stamp(const struct nidoi_job *job, int64_t *out)
{
    if (job->stamps) *out = job->stamps == NIDOI_STAMPS_TICKS ? nidoi_ticks() : nidoi_sys_now();
}

/* The thread is the pool's: a job must not end it by an exception or by pthread_exit. */
static ssize_t worker_call(const struct nidoi_job *job)
{
    bool interruptible = job->options.mode == NIDO_OFFLOAD_INTERRUPT;
    ssize_t result;

    NIDOI_EXCEPTIONS_END();
    if (interruptible) nidoi_interruptible(true);
    result = job->fn(job->arg);
    if (!self) nidoi_returned_in_child("the function of a job");
    if (interruptible) nidoi_interruptible(false);
    return result;
}

/* The lock is held before and after, not while the job runs. When the job is over its caller may
 * submit the next one at once: this worker takes that, and no other is woken for it. The job keeps
 * its place in the lane until the worker is free, which then looks for the next job there
 * itself. */
static void worker_run(struct nidoi_worker *worker, struct nidoi_job *job)
{
    struct nidoi_pool *pool = worker->pool;
    enum nidoi_lane lane = job->lane;
    bool abandoned;

    worker_take(worker, job);
    pthread_mutex_unlock(&pool->lock);
    job_stamp(job, &job->begun);
    job->result = worker_call(job);
    job_stamp(job, &job->ended);
    pthread_mutex_lock(&pool->lock);
    abandoned = worker_finish(worker);
    if (!abandoned) pool->looking++;
    pthread_mutex_unlock(&pool->lock);
    if (abandoned)
        job->end_abandoned(job);
    else if (!nidoi_remote_post(pool->remote, &job->post))
        nidoi_panic("a run ended while a task waited for a job");
    pthread_mutex_lock(&pool->lock);
    if (!abandoned) pool->looking--;
    if (lane == NIDOI_LANE_NAMES && !worker->surplus) pool->names_running--;
}

static void *worker_main(void *arg)
{
    struct nidoi_worker *worker = self = arg;
    struct nidoi_pool *pool = worker->pool;
    struct nidoi_job *job;

    nidoi_sys_defer_cancel();
    nidoi_crash_hook = worker_print_job;
    pthread_mutex_lock(&pool->lock);
    pool->wake_pending = false;
    while (!worker->surplus && (job = worker_next_job(pool)) != NULL) worker_run(worker, job);
    if (worker->surplus)
        pool->surplus--;
    else
        pool->threads--;
    if (pool->grace_over) {
        pthread_detach(pthread_self());
        nidoi_mem.release(worker);
    } else {
        nidoi_list_append(&pool->ended, &worker->link);
        pthread_cond_signal(&pool->worker_ended);
    }
    nidoi_pool_release(pool);
    return NULL;
}

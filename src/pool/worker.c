#include "pool/worker.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/fork.h"
#include "nido/time.h"
#include "pool/interrupt.h"

struct nidoi_worker {
    struct nidoi_link link; /* running or ended; in neither while it looks for work */
    struct nidoi_pool *pool;
    struct nidoi_job *job;
    pthread_t thread;
    bool stray; /* it has become superfluous with its job */
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

/* A job that forks is none in the child. */
static void forked(void)
{
    self = NULL;
}

static struct nidoi_fork_handler at_fork = {.forked = forked};

static void *work(void *arg);

void nidoi_workers_join(struct nidoi_pool *pool)
{
    while (!nidoi_list_empty(&pool->ended)) {
        struct nidoi_worker *worker = nidoi_container(pool->ended.next, struct nidoi_worker, link);

        nidoi_list_remove(&worker->link);
        pthread_join(worker->thread, NULL);
        nidoi_mem.release(worker);
    }
}

static void start_worker(struct nidoi_pool *pool)
{
    struct nidoi_worker *worker;

    nidoi_fork_register(&at_fork);
    nidoi_workers_join(pool);
    worker = nidoi_mem_zeroed(sizeof *worker);
    if (!worker) return;
    worker->pool = pool;
    pool->threads++;
    pool->refs++;
    pool->coming = true;
    if (!nidoi_sys.thread(&worker->thread, work, worker)) return;
    nidoi_mem.release(worker);
    pool->threads--;
    pool->refs--;
    pool->coming = false;
}

void nidoi_workers_call(struct nidoi_pool *pool)
{
    if (pool->coming || pool->looking || !nidoi_pool_first(pool)) return;
    if (pool->idle) {
        pool->coming = true;
        pthread_cond_signal(&pool->work);
    } else if (pool->threads < pool->most) {
        start_worker(pool);
    }
}

/* Without the lock: a job that comes soon is not worth a sleep. */
static void spin(struct nidoi_pool *pool)
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

/* Waits for the next job; NULL: there will be none for this worker. */
static struct nidoi_job *next_job(struct nidoi_pool *pool)
{
    bool patient = true;

    if (pool->spin_ns && !nidoi_pool_first(pool) && !pool->closing) spin(pool);
    while (!nidoi_pool_first(pool) && !pool->closing && patient) {
        pool->idle++;
        patient = nidoi_sys_cond_wait(&pool->work, &pool->lock, nidoi_pool_idle_ns) == 0;
        pool->idle--;
        pool->coming = false;
    }
    return nidoi_pool_first(pool);
}

static void take(struct nidoi_worker *worker, struct nidoi_job *job)
{
    struct nidoi_pool *pool = worker->pool;

    nidoi_pool_remove(pool, job);
    if (job->lane == NIDOI_LANE_NAMES) pool->names_running++;
    job->state = NIDOI_JOB_RUNNING;
    job->thread = pthread_self();
    worker->job = job;
    nidoi_list_append(&pool->running, &worker->link);
    if (job->passing) nidoi_interrupter_signal(job);
    nidoi_workers_call(pool);
}

/* The lock is held. True: nobody waits for the job any more. */
static bool finish(struct nidoi_worker *worker)
{
    struct nidoi_job *job = worker->job;

    nidoi_list_remove(&worker->link);
    worker->job = NULL;
    if (job->options.mode == NIDO_OFFLOAD_INTERRUPT) nidoi_interrupter_spare(job);
    job->state = NIDOI_JOB_OVER;
    worker->stray = job->stray;
    return job->abandoned;
}

/* When a broken law ends the program on a worker, its job is worth a name. */
static void last_words(void)
{
    struct nidoi_place place;

    if (self && self->job)
        fprintf(stderr, "nido: the job is %.*s\n", NIDOI_JOB_NAME,
                nidoi_job_name(self->job, &place));
}

/* Its thread is the pool's: no job ends it, by an exception or by pthread_exit. */
static ssize_t call(const struct nidoi_job *job)
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

/* The lock is held before and after, not while the job runs. Its caller may have the next one at
 * once: that is for this worker, not for another to be woken. Its place in the lane is taken until
 * the worker is free again: then it looks for the next job there itself. */
static void run(struct nidoi_worker *worker, struct nidoi_job *job)
{
    struct nidoi_pool *pool = worker->pool;
    enum nidoi_lane lane = job->lane;
    bool abandoned;

    take(worker, job);
    pthread_mutex_unlock(&pool->lock);
    job->result = call(job);
    pthread_mutex_lock(&pool->lock);
    abandoned = finish(worker);
    if (!abandoned) pool->looking++;
    pthread_mutex_unlock(&pool->lock);
    if (abandoned)
        job->end_abandoned(job);
    else if (!nidoi_remote_post(pool->remote, &job->post))
        nidoi_panic("a run ended while a task waited for a job");
    pthread_mutex_lock(&pool->lock);
    if (!abandoned) pool->looking--;
    if (lane == NIDOI_LANE_NAMES && !worker->stray) pool->names_running--;
}

static void *work(void *arg)
{
    struct nidoi_worker *worker = self = arg;
    struct nidoi_pool *pool = worker->pool;
    struct nidoi_job *job;

    nidoi_sys_defer_cancel();
    nidoi_crash_hook = last_words;
    pthread_mutex_lock(&pool->lock);
    pool->coming = false;
    while (!worker->stray && (job = next_job(pool)) != NULL) run(worker, job);
    if (worker->stray)
        pool->strays--;
    else
        pool->threads--;
    if (pool->left) {
        pthread_detach(pthread_self());
        nidoi_mem.release(worker);
    } else {
        nidoi_list_append(&pool->ended, &worker->link);
        pthread_cond_signal(&pool->news);
    }
    nidoi_pool_release(pool);
    return NULL;
}

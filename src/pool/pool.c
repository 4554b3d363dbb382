#include "pool/pool.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/place.h"
#include "base/sys.h"
#include "coro/run/fork.h"
#include "nido/time.h"

struct nidoi_worker {
    struct nidoi_link link; /* running or ended; in neither while it looks for work */
    struct nidoi_pool *pool;
    struct nidoi_job *job;
    pthread_t thread;
    bool stray; /* it has become superfluous with its job */
};

enum { MOST_NAME = 60 }; /* of a job, in a report */

int64_t nidoi_pool_idle_ns = NIDO_SEC(10);
uint32_t nidoi_pool_most_strays = 256;

static _Thread_local struct nidoi_worker *self;

struct nidoi_job *nidoi_job_self(void)
{
    return self ? self->job : NULL;
}

/* A job that forks is none in the child. */
static void forked(void)
{
    self = NULL;
}

static struct nidoi_heirloom heirloom = {.forked = forked};

/* ---- The queue; the lock is held ---- */

static struct nidoi_job *head(const struct nidoi_pool *pool, enum nidoi_lane lane)
{
    struct nidoi_link *first = pool->lanes[lane].next;

    return first == &pool->lanes[lane] ? NULL : nidoi_container(first, struct nidoi_job, link);
}

/* The job whose turn it is; NULL: none may run. */
static struct nidoi_job *foremost(const struct nidoi_pool *pool)
{
    struct nidoi_job *general = head(pool, NIDOI_LANE_GENERAL);
    struct nidoi_job *name = head(pool, NIDOI_LANE_NAMES);
    uint32_t half = pool->most > 1 ? pool->most / 2 : 1;

    if (!name || pool->names_running >= half) return general;
    return general && general->ticket < name->ticket ? general : name;
}

static void unqueue(struct nidoi_pool *pool, struct nidoi_job *job)
{
    nidoi_list_remove(&job->link);
    __atomic_sub_fetch(&pool->queued, 1, __ATOMIC_RELAXED);
}

/* ---- Workers ---- */

static void *work(void *arg);

/* A thread that has ended stays until somebody joins it. */
static void join_ended(struct nidoi_pool *pool)
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

    join_ended(pool);
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

/* Somebody comes for the foremost job, if there is one and somebody can. */
static void call_for_help(struct nidoi_pool *pool)
{
    if (pool->coming || pool->looking || !foremost(pool)) return;
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

    if (pool->spin_ns && !foremost(pool) && !pool->closing) spin(pool);
    while (!foremost(pool) && !pool->closing && patient) {
        pool->idle++;
        patient = nidoi_sys_cond_wait(&pool->work, &pool->lock, nidoi_pool_idle_ns) == 0;
        pool->idle--;
        pool->coming = false;
    }
    return foremost(pool);
}

static void take(struct nidoi_worker *worker, struct nidoi_job *job)
{
    struct nidoi_pool *pool = worker->pool;

    unqueue(pool, job);
    if (job->lane == NIDOI_LANE_NAMES) pool->names_running++;
    job->state = NIDOI_JOB_RUNNING;
    job->thread = pthread_self();
    worker->job = job;
    nidoi_list_append(&pool->running, &worker->link);
    if (job->passing) nidoi_interrupter_strike(job);
    call_for_help(pool);
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

static const char *name_of(const struct nidoi_job *job, struct nidoi_place *place)
{
    return job->options.name ? job->options.name : nidoi_place(place, (void *)(intptr_t)job->fn);
}

/* When a broken law ends the program on a worker, its job is worth a name. */
static void last_words(void)
{
    struct nidoi_place place;

    if (self && self->job)
        fprintf(stderr, "nido: the job is %.*s\n", MOST_NAME, name_of(self->job, &place));
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
        nidoi_job_drop(job);
    else if (!nidoi_door_post(pool->door, &job->post))
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
    nidoi_last_words = last_words;
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

/* ---- The loop's side ---- */

int nidoi_pool_submit(struct nidoi_pool *pool, struct nidoi_job *job)
{
    int err = 0;

    job->pool = pool;
    job->state = NIDOI_JOB_QUEUED;
    pthread_mutex_lock(&pool->lock);
    job->ticket = ++pool->tickets;
    nidoi_list_append(&pool->lanes[job->lane], &job->link);
    __atomic_add_fetch(&pool->queued, 1, __ATOMIC_RELAXED);
    call_for_help(pool);
    if (!pool->threads) {
        unqueue(pool, job);
        err = -EAGAIN;
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

/* A name server that does not answer holds up only the tasks that wait for it. The lock is held. */
static void let_stray(struct nidoi_pool *pool, struct nidoi_job *job)
{
    if (job->lane != NIDOI_LANE_NAMES || pool->strays >= nidoi_pool_most_strays) return;
    job->stray = true;
    pool->strays++;
    pool->threads--;
    pool->names_running--;
    call_for_help(pool);
}

static enum nidoi_undo cancel_running(struct nidoi_pool *pool, struct nidoi_job *job)
{
    job->abandoned = job->options.mode == NIDO_OFFLOAD_ABANDON;
    if (job->abandoned) let_stray(pool, job);
    if (job->options.mode == NIDO_OFFLOAD_INTERRUPT) nidoi_interrupter_strike(job);
    return job->abandoned ? NIDOI_WITHDRAWN : NIDOI_NOTED;
}

enum nidoi_undo nidoi_pool_cancel(struct nidoi_job *job)
{
    struct nidoi_pool *pool = job->pool;
    enum nidoi_undo undo = NIDOI_NOTED;

    pthread_mutex_lock(&pool->lock);
    __atomic_store_n(&job->cancelled, true, __ATOMIC_RELAXED);
    if (job->state == NIDOI_JOB_QUEUED) {
        unqueue(pool, job);
        undo = NIDOI_WITHDRAWN;
    } else if (job->state == NIDOI_JOB_RUNNING) {
        undo = cancel_running(pool, job);
    }
    pthread_mutex_unlock(&pool->lock);
    return undo;
}

/* ---- The end of the run ---- */

void nidoi_pool_bring_home(struct nidoi_job *job)
{
    struct nidoi_pool *pool = job->pool;
    bool left;

    if (nidoi_door_post(pool->door, &job->post)) return;
    pthread_mutex_lock(&pool->lock);
    left = pool->left;
    if (!left) nidoi_list_append(&pool->late, &job->link);
    pthread_mutex_unlock(&pool->lock);
    if (left) nidoi_mem.release(job);
}

static void welcome_late(struct nidoi_loop *loop, struct nidoi_pool *pool)
{
    struct nidoi_link *link;

    while ((link = nidoi_list_pop(&pool->late)) != NULL) {
        struct nidoi_job *job = nidoi_container(link, struct nidoi_job, link);

        job->post.call(loop, &job->post);
    }
}

static int describe(char *text, size_t size, const struct nidoi_job *job)
{
    struct nidoi_place place;

    return snprintf(text, size, " abandoned job %.*s", MOST_NAME, name_of(job, &place));
}

/* The lock is held, but not while the user's code is called. */
static void report(struct nidoi_loop *loop, struct nidoi_pool *pool)
{
    char text[2048];
    size_t used = (size_t)snprintf(text, sizeof text, "nido: the run ends without waiting for");

    for (struct nidoi_link *link = pool->running.next; link != &pool->running; link = link->next) {
        if (link != pool->running.next) text[used++] = ',';
        if (used > sizeof text - MOST_NAME - 50) {
            used += (size_t)snprintf(text + used, sizeof text - used, " and more");
            break;
        }
        used += (size_t)describe(text + used, sizeof text - used,
                                 nidoi_container(link, struct nidoi_worker, link)->job);
    }
    snprintf(text + used, sizeof text - used, "\n");
    pthread_mutex_unlock(&pool->lock);
    nidoi_loop_report(loop, text);
    pthread_mutex_lock(&pool->lock);
}

/* Waits for every worker, at most the grace for those in abandoned jobs. The lock is held. */
static void await_workers(struct nidoi_loop *loop, struct nidoi_pool *pool)
{
    int64_t grace = loop->options.pool_grace_ns;
    int64_t end = nidoi_time_add(nidoi_sys_now(), grace);

    while (pool->threads || pool->strays) {
        int64_t now = nidoi_sys_now();

        if (now >= end && !nidoi_list_empty(&pool->running)) {
            pool->left = true;
            report(loop, pool);
            return;
        }
        nidoi_sys_cond_wait(&pool->news, &pool->lock, now < end ? end - now : NIDO_NEVER);
    }
}

static void pool_end(struct nidoi_loop *loop, struct nidoi_annex *annex)
{
    struct nidoi_pool *pool = nidoi_container(annex, struct nidoi_pool, annex);

    nidoi_interrupter_end(pool);
    pthread_mutex_lock(&pool->lock);
    __atomic_store_n(&pool->closing, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&pool->work);
    await_workers(loop, pool);
    join_ended(pool);
    welcome_late(loop, pool);
    nidoi_pool_release(pool);
}

void nidoi_pool_release(struct nidoi_pool *pool)
{
    bool last = --pool->refs == 0;

    pthread_mutex_unlock(&pool->lock);
    if (!last) return;
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->news);
    pthread_mutex_destroy(&pool->lock);
    nidoi_door_release(pool->door);
    nidoi_mem.release(pool);
}

int nidoi_pool_get(struct nidoi_loop *loop, struct nidoi_pool **out)
{
    struct nidoi_annex *annex = loop->annexes[NIDOI_ANNEX_POOL];
    struct nidoi_pool *pool;

    if (annex) {
        *out = nidoi_container(annex, struct nidoi_pool, annex);
        return 0;
    }
    pool = nidoi_mem_zeroed(sizeof *pool);
    if (!pool) return -ENOMEM;
    nidoi_fork_inherit(&heirloom);
    pool->annex.end = pool_end;
    pool->door = nidoi_door_retain(loop->door);
    pool->refs = 1;
    pool->most = loop->options.pool_threads;
    pool->spin_ns = loop->options.spin_ns;
    pthread_mutex_init(&pool->lock, NULL);
    nidoi_sys_cond_init(&pool->work);
    nidoi_sys_cond_init(&pool->news);
    for (int lane = 0; lane < NIDOI_LANES; lane++) nidoi_list_init(&pool->lanes[lane]);
    nidoi_list_init(&pool->running);
    nidoi_list_init(&pool->ended);
    nidoi_list_init(&pool->late);
    loop->annexes[NIDOI_ANNEX_POOL] = &pool->annex;
    *out = pool;
    return 0;
}

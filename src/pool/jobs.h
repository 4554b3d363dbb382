/* pool/jobs.h: jobs, and what the loop, the workers and the interrupter of a pool share. */
#ifndef NIDOI_JOBS_H
#define NIDOI_JOBS_H

#include <pthread.h>
#include <sys/types.h>

#include "base/place.h"
#include "coro/scope/scope.h"
#include "nido/offload.h"

/* Slow look-ups of names may occupy half of the workers. An abandoned one occupies none: its worker
 * strays, and ends with it. */
enum nidoi_lane { NIDOI_LANE_GENERAL, NIDOI_LANE_NAMES, NIDOI_LANES };
enum nidoi_job_state { NIDOI_JOB_QUEUED, NIDOI_JOB_RUNNING, NIDOI_JOB_OVER };

struct nidoi_job {
    struct nidoi_waiter waiter; /* of the caller */
    struct nidoi_link link;     /* in its lane while QUEUED; then among the interrupted or late */
    struct nidoi_post post;     /* brings the end home */
    struct nidoi_pool *pool;
    nido_job_fn *fn;
    void *arg;
    nido_offload_options options;
    enum nidoi_lane lane;
    enum nidoi_job_state state; /* lock */
    uint64_t ticket;            /* its turn, over all lanes */
    ssize_t result;
    bool abandoned; /* lock: nobody waits any more, the worker ends it */
    bool stray;     /* lock: and its worker counts no longer */
    bool cancelled; /* atomic */
    bool passing;   /* interrupted from its beginning: it may not wait */
    pthread_t thread;
    uint8_t parties; /* abandoned: who still has to do with it; the last one on the loop frees it */
    void (*end_abandoned)(
        struct nidoi_job *job);   /* abandoned: called by the worker, without the lock */
    struct nidoi_loop_call *call; /* the worker wants this called before it goes on */
};

struct nidoi_pool {
    struct nidoi_extension extension;
    nido_rt *remote; /* one reference */
    pthread_mutex_t lock;
    pthread_cond_t work;                  /* for idle workers: a job, or the end */
    pthread_cond_t news;                  /* for the end of the run: a worker has ended */
    struct nidoi_link lanes[NIDOI_LANES]; /* jobs, first come first */
    struct nidoi_link running;            /* struct nidoi_worker, with a job */
    struct nidoi_link ended;              /* struct nidoi_worker, to be joined */
    struct nidoi_link late;               /* abandoned jobs that ended while the run did */
    uint32_t queued;                      /* atomic for those who spin */
    uint32_t names_running;
    uint32_t most, threads, idle;
    uint32_t strays;  /* beside `threads` */
    uint32_t looking; /* will see the queue before they sleep: spinning, or fresh from a job */
    uint32_t refs;    /* the loop, and each worker */
    uint64_t tickets;
    int64_t spin_ns;
    bool coming;  /* a worker was woken or started for the queue, and has not come yet */
    bool closing; /* the run is over; atomic for those who spin */
    bool left;    /* and nobody will join who has not ended yet */
    struct nidoi_interrupter *interrupter;
};

/* ---- The queue; the lock is held ---- */

/* The job whose turn it is; NULL: none may run. */
struct nidoi_job *nidoi_pool_first(const struct nidoi_pool *pool);
/* Last in its lane. */
void nidoi_pool_add(struct nidoi_pool *pool, struct nidoi_job *job);
void nidoi_pool_remove(struct nidoi_pool *pool, struct nidoi_job *job);

/* ---- Names ---- */

enum { NIDOI_JOB_NAME = 60 }; /* the most of one in a report */

/* What the user called the job, or its function. */
const char *nidoi_job_name(const struct nidoi_job *job, struct nidoi_place *place);

/* ---- The pool's memory ---- */

/* With one reference, the loop's; NULL: no memory. */
struct nidoi_pool *nidoi_pool_new(const struct nidoi_loop *loop);

/* One less who needs the pool's memory. The lock is held, and is given up. */
void nidoi_pool_release(struct nidoi_pool *pool);

#endif

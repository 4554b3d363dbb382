/* SPDX-License-Identifier: MIT */
/* pool/jobs.h: jobs, and the pool that the loop, the workers and the interrupter share. */
#ifndef NIDOI_JOBS_H
#define NIDOI_JOBS_H

#include <pthread.h>
#include <sys/types.h>

#include "base/place.h"
#include "coro/scope/scope.h"
#include "nido/offload.h"

/* Look-ups of names, which may be slow, occupy at most half of the workers. An abandoned one
 * occupies none: its worker becomes surplus, which means that it counts no longer and ends with its
 * job. */
enum nidoi_lane { NIDOI_LANE_GENERAL, NIDOI_LANE_NAMES, NIDOI_LANES };
enum nidoi_job_state { NIDOI_JOB_QUEUED, NIDOI_JOB_RUNNING, NIDOI_JOB_OVER };

/* A worker notes when a job of a traced run began and ended: by which clock. */
enum nidoi_stamps { NIDOI_STAMPS_NONE, NIDOI_STAMPS_NS, NIDOI_STAMPS_TICKS };

struct nidoi_job {
    struct nidoi_waiter waiter; /* of the caller */
    struct nidoi_link link;     /* in its lane while QUEUED; then among the interrupted or late */
    struct nidoi_post post;     /* tells the loop of the end */
    struct nidoi_pool *pool;
    nido_job_fn *fn;
    void *arg;
    nido_offload_options options;
    enum nidoi_lane lane;
    enum nidoi_job_state state; /* lock */
    uint64_t ticket;            /* its turn, over all lanes */
    ssize_t result;
    uint64_t task;        /* its caller's id */
    int64_t begun, ended; /* in a traced run: by which clock `stamps` says */
    uint32_t worker;      /* its number */
    enum nidoi_stamps stamps;
    bool abandoned; /* lock: its caller has returned; the worker ends it */
    bool surplus;   /* lock: and its worker is surplus */
    bool cancelled; /* atomic */
    bool no_wait;   /* interrupted from the beginning on, so that it does not wait */
    pthread_t thread;
    uint8_t
        refs; /* of an abandoned one: its caller's, and that of its end; the last one frees it */
    void (*end_abandoned)(
        struct nidoi_job *job);   /* abandoned: called by the worker, without the lock */
    struct nidoi_loop_call *call; /* what the worker wants to be called before it goes on */
};

struct nidoi_pool {
    struct nidoi_extension extension;
    nido_rt *remote; /* one reference */
    pthread_mutex_t lock;
    pthread_cond_t work;                  /* for idle workers: a job, or the end */
    pthread_cond_t worker_ended;          /* for the end of the run */
    struct nidoi_link lanes[NIDOI_LANES]; /* jobs, first come first */
    struct nidoi_link running;            /* struct nidoi_worker, with a job */
    struct nidoi_link ended;              /* struct nidoi_worker, to be joined */
    struct nidoi_link late;               /* abandoned jobs that ended while the run did */
    uint32_t queued;                      /* atomic for spinning workers */
    uint32_t names_running;
    uint32_t most, threads, idle;
    uint32_t hired;   /* workers, ever */
    uint32_t surplus; /* workers beside `threads` */
    uint32_t
        looking;   /* workers that look at the queue before they sleep: they spin, or end a job */
    uint32_t refs; /* the loop, and each worker */
    uint64_t tickets;
    int64_t spin_ns;
    bool wake_pending; /* a worker was woken or started for the queue, and has not run yet */
    bool closing;      /* the run is over; atomic for spinning workers */
    bool grace_over;   /* and workers that still run are not waited for, nor joined */
    struct nidoi_interrupter *interrupter;
};

/* ---- The queue; the lock is held ---- */

/* The next job; NULL: none may run. */
struct nidoi_job *nidoi_pool_first(const struct nidoi_pool *pool);
/* Becomes the last in its lane. */
void nidoi_pool_add(struct nidoi_pool *pool, struct nidoi_job *job);
void nidoi_pool_remove(struct nidoi_pool *pool, struct nidoi_job *job);

/* ---- Names ---- */

enum { NIDOI_JOB_NAME = 60 }; /* the most of one in a report */

/* The name that the user gave to the job; without one, its function. */
const char *nidoi_job_name(const struct nidoi_job *job, struct nidoi_place *place);

/* ---- The pool's memory ---- */

/* A new one with one reference, the loop's; NULL: no memory. */
struct nidoi_pool *nidoi_pool_new(const struct nidoi_loop *loop);

/* Gives up a reference; the last one frees the pool. The lock is held, and is given up. */
void nidoi_pool_release(struct nidoi_pool *pool);

#endif

/* pool/pool.h: worker threads of one runtime, and the jobs on their way to them and back.
 *
 * 1. A job is QUEUED, RUNNING or over; the pool's lock guards its way from one to the next, so a
 * cancel either takes it out before it ran or finds it running.
 * 2. Its end comes to the loop as a post: no second way to wake. Completions of a busy moment are
 * taken in one batch, and the loop is woken only if it sleeps.
 * 3. Workers are woken or started one at a time, each looks for company when it has taken a job: a
 * burst of short jobs does not wake sixty threads, and no job waits while a worker may come.
 * 4. Nothing is polled. Who has nothing to do sleeps, for ever or until its idle time is over.
 * 5. The pool's memory belongs to the loop and to each worker: a worker that outlives the run, in an
 * abandoned job, finds it still there. */
#ifndef NIDOI_POOL_H
#define NIDOI_POOL_H

#include <pthread.h>
#include <sys/types.h>

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
    struct nidoi_call *call; /* the worker wants this called before it goes on */
};

struct nidoi_pool {
    struct nidoi_annex annex;
    nido_rt *door; /* one reference */
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

/* How long a worker stays without work; a variable for tests. */
extern int64_t nidoi_pool_idle_ns;

/* How many workers may stray at once; a variable for tests. */
extern uint32_t nidoi_pool_most_strays;

/* The loop's pool, made when first asked for. 0, -ENOMEM. */
int nidoi_pool_get(struct nidoi_loop *loop, struct nidoi_pool **out);

/* Puts a job, its fields set up to `lane`, in the queue. 0; -EAGAIN: there is no worker. */
int nidoi_pool_submit(struct nidoi_pool *pool, struct nidoi_job *job);

/* A cancel of the caller: withdrawn if the job will not run, or is abandoned. */
enum nidoi_undo nidoi_pool_cancel(struct nidoi_job *job);

/* On a worker: its job, else NULL. */
struct nidoi_job *nidoi_job_self(void);

/* On a worker: an abandoned job is over. Its post is called by the loop, during the end of the run
 * if that has begun; when nobody waits for workers any more, the job is freed. */
void nidoi_pool_bring_home(struct nidoi_job *job);

/* One less who needs the pool's memory. The lock is held, and is given up. */
void nidoi_pool_release(struct nidoi_pool *pool);

/* ---- pool/offload.c: the caller's side ---- */

/* A whole job in a lane: enters, waits, drops. */
ssize_t nidoi_offload(nido_job_fn *fn, void *arg, const nido_offload_options *options,
                      enum nidoi_lane lane);

/* A job of one system call that is not to wait, though it could: it is interrupted at once, and
 * again and again until it returns. *ran: it was called. */
ssize_t nidoi_offload_in_passing(nido_job_fn *fn, void *arg, bool *ran);

/* The worker has finished with an abandoned job; no lock is held. */
void nidoi_job_drop(struct nidoi_job *job);

/* ---- pool/interrupt.c: jobs whose system calls are to be interrupted ---- */

/* Ready to interrupt: 0; -EBUSY: SIGURG is the program's; -EAGAIN, -ENOMEM. */
int nidoi_interrupter_need(struct nidoi_pool *pool);
/* From now on until nidoi_interrupter_spare the job's thread gets signals. The lock is held. */
void nidoi_interrupter_strike(struct nidoi_job *job);
void nidoi_interrupter_spare(struct nidoi_job *job);
/* No job is running that could be interrupted. */
void nidoi_interrupter_end(struct nidoi_pool *pool);
/* This thread may be sent such signals, or no longer. */
void nidoi_interruptible(bool on);

#endif

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

#include "pool/jobs.h"

/* How many workers may stray at once; a variable for tests. */
extern uint32_t nidoi_pool_most_strays;

/* The loop's pool, made when first asked for. 0, -ENOMEM. */
int nidoi_pool_get(struct nidoi_loop *loop, struct nidoi_pool **out);

/* Puts a job, its fields set up to `lane`, in the queue. 0; -EAGAIN: there is no worker. */
int nidoi_pool_submit(struct nidoi_pool *pool, struct nidoi_job *job);

/* A cancel of the caller: withdrawn if the job will not run, or is abandoned. */
enum nidoi_undo nidoi_pool_cancel(struct nidoi_job *job);

/* On a worker: an abandoned job is over. Its post is called by the loop, during the end of the run
 * if that has begun; when nobody waits for workers any more, the job is freed. */
void nidoi_pool_post_end(struct nidoi_job *job);

#endif

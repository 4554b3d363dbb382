/* SPDX-License-Identifier: MIT */
/* pool/pool.h: the worker threads of one runtime, from the side of its loop.
 *
 * 1. A job is QUEUED, RUNNING or OVER; the pool's lock guards each change, so a cancel either takes
 * it out of the queue before it has run or finds it running.
 * 2. The loop learns of its end by a post: there is no second way to wake. Ends that come close
 * together are taken in one batch, and the loop is woken only if it sleeps.
 * 3. Workers are woken or started one at a time, and each wakes the next one when it has taken a
 * job: a burst of short jobs does not wake sixty threads, and no job waits while a worker could run
 * it.
 * 4. Nothing is polled. An idle worker sleeps until it is woken or its idle time is over.
 * 5. The loop and each worker have a reference to the pool's memory: a worker that outlives the
 * run, in an abandoned job, still finds it. */
#ifndef NIDOI_POOL_H
#define NIDOI_POOL_H

#include "pool/jobs.h"

/* The most surplus workers at once; a variable for tests. */
extern uint32_t nidoi_pool_most_surplus;

/* The loop's pool; the first call makes it. 0, -ENOMEM. */
int nidoi_pool_get(struct nidoi_loop *loop, struct nidoi_pool **out);

/* Puts a job, its fields set up to `lane`, in the queue. 0; -EAGAIN: there is no worker. */
int nidoi_pool_submit(struct nidoi_pool *pool, struct nidoi_job *job);

/* A cancel of the caller: withdrawn if the job will not run, or is abandoned. */
enum nidoi_undo nidoi_pool_cancel(struct nidoi_job *job);

/* On a worker: an abandoned job is over. The loop calls its post, at the end of the run if that has
 * begun; when the loop does not wait for workers any more, the job is freed. */
void nidoi_pool_post_end(struct nidoi_job *job);

#endif

/* SPDX-License-Identifier: MIT */
/* pool/worker.h: the threads of a pool. */
#ifndef NIDOI_POOL_WORKER_H
#define NIDOI_POOL_WORKER_H

#include "pool/jobs.h"

/* How long a worker stays without work; a variable for tests. */
extern int64_t nidoi_pool_idle_ns;

/* Wakes or starts a worker for the first job, if there is one and no worker is about to look for
 * it. The lock is held. */
void nidoi_workers_wake(struct nidoi_pool *pool);

/* Joins the threads that have ended. The lock is held. */
void nidoi_workers_join(struct nidoi_pool *pool);

/* The job of a worker, by its link in pool->running. */
const struct nidoi_job *nidoi_worker_job(const struct nidoi_link *link);

/* On a worker: its job, else NULL. */
struct nidoi_job *nidoi_job_self(void);

#endif

/* pool/worker.h: the threads of a pool. */
#ifndef NIDOI_POOL_WORKER_H
#define NIDOI_POOL_WORKER_H

#include "pool/jobs.h"

/* How long a worker stays without work; a variable for tests. */
extern int64_t nidoi_pool_idle_ns;

/* Somebody comes for the first job, if there is one and somebody can. The lock is held. */
void nidoi_workers_call(struct nidoi_pool *pool);

/* A thread that has ended stays until somebody joins it. The lock is held. */
void nidoi_workers_join(struct nidoi_pool *pool);

/* The job of one in pool->running. */
const struct nidoi_job *nidoi_worker_job(const struct nidoi_link *link);

/* On a worker: its job, else NULL. */
struct nidoi_job *nidoi_job_self(void);

#endif

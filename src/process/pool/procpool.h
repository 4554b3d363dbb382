/* SPDX-License-Identifier: MIT */
/* process/pool/procpool.h: a pool of worker processes, and what its three kinds of process send
 * each other.
 *
 *     this program                 fork server                  worker
 *          |------- order + 3 fds ----->|--------- fork --------->|
 *          |<---------- status: STARTED, or FAILED ---------------|
 *          |------------------------ request -------------------->|
 *          |<----------------------- reply -----------------------|
 *          |<----- status: ENDED -------|<-------- its end -------|
 *
 * 1. The server is the parent of all workers, and only the server signals and reaps them, so a pid
 * is never that of another process. Orders name workers by an id that is never used again.
 * 2. That a worker has ended is known from its status pipe alone. The end of its socket or of its
 * stderr is no sign of it: a child of the worker may hold them open, and a worker may close them
 * and run on.
 * 3. Of what a worker writes on its socket only complete frames are accepted; one bad frame ends
 * that worker.
 * 4. The server ends when this program does, and its workers end with it. It waits in its poll
 * only.
 * 5. Processes that a job has started end with the job: a worker that still has some when it
 * replies does no other job. Orphans become children of the worker and, when that ends, of the
 * server, which kills every child that is no worker. */
#ifndef NIDOI_PROCPOOL_H
#define NIDOI_PROCPOOL_H

#include "nido/event.h"
#include "nido/scope.h"
#include "nido/sem.h"
#include "process/pool/image.h"
#include "process/pool/worker.h"

struct nido_procpool {
    nido_procpool_options options; /* zeros are replaced by the defaults */
    nido_rt *rt;
    nido_sem places;
    struct nidoi_link idle;
    struct nidoi_link calls; /* struct nidoi_procpool_call */
    nido_event no_calls;     /* set when the last call has ended */
    nido_procpool_stats stats;
    struct nidoi_image last_image; /* the function of the last call */
    uint64_t requests;             /* the number of the last request */
    uint32_t failed_starts;        /* in a row */
    int64_t first_failure, last_failure;
    bool closing;
    bool abandoned; /* the last call frees it */
    char name[32];
};

/* A running call, as its pool knows it. */
struct nidoi_procpool_call {
    struct nidoi_link link;
    nido_scope scope; /* cancelled when the pool is freed */
    nido_procpool *pool;
};

/* Adds the call to its pool's list, and removes it; the last removal frees an abandoned pool. */
void nidoi_procpool_enter(struct nidoi_procpool_call *call);
void nidoi_procpool_leave(struct nidoi_procpool_call *call);

/* For a call that holds a place: a worker that has started. 0; -ECANCELED; or why none could be
 * started. */
int nidoi_procpool_get(nido_procpool *pool, struct nidoi_procworker **out);

/* Takes a worker back that has done its job: for the next call, if it is reusable. */
void nidoi_procpool_put(nido_procpool *pool, struct nidoi_procworker *worker, bool reusable);

/* Stops a worker and frees it. */
void nidoi_procpool_release(nido_procpool *pool, struct nidoi_procworker *worker,
                            enum nidoi_stop_means means);

/* Called after a start has failed with `code`. If another try may succeed, parks for a moment
 * before it. 0: try again; -ECANCELED; or `code`, with a text. */
int nidoi_procpool_start_failed(nido_procpool *pool, int code);

#endif

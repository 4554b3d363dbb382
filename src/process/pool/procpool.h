/* process/pool/procpool.h: who says what to whom in a pool of worker processes.
 *
 *     this program                 fork server                  worker
 *          |------- order + 3 fds ----->|--------- fork --------->|
 *          |<----------- fate: STARTED, or FAILED ----------------|
 *          |------------------------ request -------------------->|
 *          |<----------------------- reply -----------------------|
 *          |<------ fate: ENDED --------|<-------- its end -------|
 *
 * 1. The server alone is the parent of workers and the only one who signals or reaps them, so a
 * number is never a stranger's: orders name workers by an id that is never used again.
 * 2. That a worker has ended is known from its fate pipe alone. The end of its socket or of its
 * stderr says nothing: a child of a worker may hold them, a worker may close them and live.
 * 3. Nothing that a worker writes is trusted but by its frame; one bad frame ends that worker.
 * 4. The server ends when this program does, and its workers with it. It never waits but in its
 * poll.
 * 5. What a job has started ends with the job: a worker of which something else lives when it has
 * replied does no other job. Orphans go to the worker and, when that ends, to the server, which
 * kills every child that is no worker. */
#ifndef NIDOI_PROCPOOL_H
#define NIDOI_PROCPOOL_H

#include "nido/event.h"
#include "nido/scope.h"
#include "nido/sem.h"
#include "process/pool/image.h"
#include "process/pool/worker.h"

struct nido_procpool {
    nido_procpool_options options; /* without zeros that mean something else */
    nido_rt *rt;
    nido_sem places;
    struct nidoi_link idle;
    struct nidoi_link calls; /* struct nidoi_procpool_call */
    nido_event quiet;        /* set when the last call is over */
    nido_procpool_stats stats;
    struct nidoi_image known; /* the function of the last call */
    uint64_t requests;        /* so far: the number of the last one */
    uint32_t bad_starts;      /* in a row */
    int64_t first_bad, last_bad;
    bool closing;
    bool abandoned; /* the last call frees it */
    char name[32];
};

/* A call under way, as its pool knows it. */
struct nidoi_procpool_call {
    struct nidoi_link link;
    nido_scope scope; /* cancelled when the pool is freed */
    nido_procpool *pool;
};

/* Into the pool's list, and out of it; the last one out frees a pool that was abandoned. */
void nidoi_procpool_enter(struct nidoi_procpool_call *call);
void nidoi_procpool_leave(struct nidoi_procpool_call *call);

/* For a call that holds a place: a worker that has started. 0; -ECANCELED; or why none could be. */
int nidoi_procpool_get(nido_procpool *pool, struct nidoi_procworker **out);

/* A worker that has done its job: for the next one, or no longer. */
void nidoi_procpool_give_back(nido_procpool *pool, struct nidoi_procworker *worker, bool reusable);

/* A worker goes, and is freed. */
void nidoi_procpool_release(nido_procpool *pool, struct nidoi_procworker *worker,
                            enum nidoi_stop_means means);

/* A start has failed: parks for a moment in which things may get better, if it is worth another.
 * 0: try again; -ECANCELED; or the code, with a text. */
int nidoi_procpool_bad_start(nido_procpool *pool, int code);

#endif

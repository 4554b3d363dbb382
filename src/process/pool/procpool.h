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

#include <stdint.h>

#include "base/list.h"
#include "nido/event.h"
#include "nido/procpool.h"
#include "nido/scope.h"
#include "nido/sem.h"

/* ---- To the server: one message, whole ---- */

enum nidoi_order_kind { NIDOI_ORDER_START = 1, NIDOI_ORDER_SIGNAL = 2 };

/* The fate is the first: a server that can take no more descriptors can still say so. */
enum nidoi_start_fd { NIDOI_START_FATE, NIDOI_START_JOB, NIDOI_START_STDERR, NIDOI_START_FDS };

/* Where a function lies: the object that holds it, and what that begins with. Two processes in
 * which both are equal have the same code there. */
struct nidoi_image {
    uint64_t fn; /* 0: none */
    uint64_t base;
    uint64_t mark;
};

struct nidoi_order {
    uint64_t id;
    uint32_t kind;
    int32_t signal;
    uint64_t memory;
    uint64_t max_frame;
    uint32_t cpu_seconds;
    uint32_t no_new_privs;
    struct nidoi_image confine;
    char name[16];
};

/* ---- On the fate pipe ---- */

enum nidoi_worker_status_kind {
    NIDOI_FATE_STARTED = 1,
    NIDOI_FATE_FAILED = 2,
    NIDOI_FATE_ENDED = 3
};

struct nidoi_worker_status {
    int32_t kind;
    int32_t value; /* the pid; a negated errno; what waitpid says */
};

/* ---- On the job socket: a head, then `len` bytes ---- */

enum { NIDOI_REQUEST_MAGIC = 0x6e69646f, NIDOI_REPLY_MAGIC = 0x6f64696e };

struct nidoi_request {
    uint32_t magic;
    uint32_t spare;
    uint64_t number;
    uint64_t len;
    struct nidoi_image image;
};

struct nidoi_reply {
    uint32_t magic;
    int32_t status;
    uint64_t number; /* of the request that this answers */
    uint64_t len;
    uint32_t refused;   /* the job was not called, `status` says why */
    uint32_t leftovers; /* processes that the job has started still live */
};

/* Where the function at this address lies in this process. */
struct nidoi_image nidoi_image_of(uintptr_t fn);

/* ---- The server (forkserver.c) ---- */

/* nido_procpool_prepare was called in this process. */
bool nidoi_forkserver_ready(void);

/* Sends an order; START takes the three descriptors along, which stay the caller's. Cancellation
 * point only if the server is behind. 0, -ECANCELED, -EPIPE: the server is gone; or the system
 * call's own. */
int nidoi_forkserver_order(const struct nidoi_order *order, const int *fds);

/* ---- In the worker (procjob.c) ---- */

/* What a worker gives up before its first job: no_new_privs, and what order->confine does. 0 or why
 * it may not begin. */
int nidoi_procjob_confine(const struct nidoi_order *order);

/* Does the jobs that come on the socket, which is blocking, until its end. */
_Noreturn void nidoi_procjob_serve(int fd, const struct nidoi_order *order);

/* ---- One worker, as this program sees it (procpool_worker.c) ---- */

/*  hire            wait_started          let_go, or by itself
 *  -----> STARTING --------------> READY -------------------> ENDED
 *             '--------------> FAILED  '-- the server died --> LOST   */
enum nidoi_procworker_state {
    NIDOI_WORKER_STARTING,
    NIDOI_WORKER_READY,
    NIDOI_WORKER_ENDED,
    NIDOI_WORKER_FAILED,
    NIDOI_WORKER_LOST
};

enum { NIDOI_TAIL = 4096 };

struct nidoi_procworker {
    struct nidoi_link link; /* in the pool's idle list */
    const nido_procpool_options *options;
    uint64_t id;
    enum nidoi_procworker_state state;
    int job, err, fate; /* -1: closed, because its end was seen */
    int pid;            /* 0 until it has started */
    int outcome;        /* ENDED: what waitpid says; FAILED: why */
    uint32_t jobs;      /* that it has done */
    size_t tail_len;
    char tail[NIDOI_TAIL]; /* the last that came on its stderr during this job */
};

/* Orders a worker and does not wait for it. 0 or the error; then there is none. */
int nidoi_procworker_start(const nido_procpool_options *options, struct nidoi_procworker **out);

/* Waits until it has started. 0; -ECANCELED: it still may; or why it has not. */
int nidoi_procworker_wait_started(struct nidoi_procworker *worker);

/* Between jobs: it lives and has said nothing. */
bool nidoi_procworker_options_valid(const struct nidoi_procworker *worker);

/* One job; request and input are set, the rest is zero. */
struct nidoi_talk {
    struct nidoi_request request;
    const char *input;
    size_t sent; /* of head and input */
    struct nidoi_reply reply;
    size_t heard; /* of head and reply */
    char *data;   /* reply.len bytes and a zero; the caller's in the end, or NULL */
    bool deaf;    /* the worker takes no more input */
    bool reset;   /* its connection ended before it had read all of that */
};

/* Sends the input, receives the reply. 0: complete; -ECANCELED; -EPROTO: a bad frame; -ECHILD: its
 * connection has ended; -ENOMEM, -ENOSPC. After all but 0 the worker must be let go. */
int nidoi_procworker_talk(struct nidoi_procworker *worker, struct nidoi_talk *talk);

enum nidoi_held_remove {
    NIDOI_DISMISS,   /* it should find the end of its socket and go */
    NIDOI_TERMINATE, /* SIGTERM */
    NIDOI_KILL
};

/* Begins to dismiss a worker without a job. */
void nidoi_procworker_dismiss(struct nidoi_procworker *worker);

/* Ends it if it has not ended: by this means first, after the grace by SIGKILL. Parks under a
 * shield of its own and returns when the server has reaped it (or is gone). */
void nidoi_procworker_stop(struct nidoi_procworker *worker, enum nidoi_held_remove means);

/* Closes and frees what there is of it on this side; NULL is fine. */
void nidoi_procworker_free(struct nidoi_procworker *worker);

/* ---- The pool (procpool.c), for its calls (procpool_call.c) ---- */

struct nido_procpool {
    nido_procpool_options options; /* without zeros that mean something else */
    nido_rt *rt;
    nido_sem places;
    struct nidoi_link idle;
    struct nidoi_link calls; /* struct nidoi_call */
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

/* A call under way. */
struct nidoi_call {
    struct nidoi_link link;
    nido_scope scope; /* cancelled when the pool is freed */
    nido_procpool *pool;
    nido_procjob_fn *fn;
    const char *name;
    void *place; /* where it was made */
    struct nidoi_talk talk;
    nido_procpool_result result;
};

/* Into the pool's list, and out of it; the last one out frees a pool that was abandoned. */
void nidoi_procpool_enter(struct nidoi_call *call);
void nidoi_procpool_leave(struct nidoi_call *call);

/* For a call that holds a place: a worker that has started. 0; -ECANCELED; or why none could be. */
int nidoi_procpool_get(nido_procpool *pool, struct nidoi_procworker **out);

/* A worker that has done its job: for the next one, or no longer. */
void nidoi_procpool_give_back(nido_procpool *pool, struct nidoi_procworker *worker, bool reusable);

/* A worker goes, and is freed. */
void nidoi_procpool_release(nido_procpool *pool, struct nidoi_procworker *worker,
                            enum nidoi_held_remove means);

/* A start has failed: parks for a moment in which things may get better, if it is worth another.
 * 0: try again; -ECANCELED; or the code, with a text. */
int nidoi_procpool_bad_start(nido_procpool *pool, int code);

/* The system lacks something that others may give back: worth another try. */
bool nidoi_is_shortage(int code);

#endif

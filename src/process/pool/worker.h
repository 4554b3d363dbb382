/* process/pool/worker.h: one worker process, as this program sees it.
 *
 *  hire            wait_started          let_go, or by itself
 *  -----> STARTING --------------> READY -------------------> ENDED
 *             '--------------> FAILED  '-- the server died --> LOST   */
#ifndef NIDOI_PROCWORKER_H
#define NIDOI_PROCWORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "nido/procpool.h"

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
bool nidoi_procworker_usable(const struct nidoi_procworker *worker);

/* Has it ended, one way or the other? */
static inline bool nidoi_procworker_over(const struct nidoi_procworker *worker)
{
    return worker->state >= NIDOI_WORKER_ENDED;
}

/* Reads what is on the fate pipe. */
void nidoi_procworker_learn_fate(struct nidoi_procworker *worker);

/* Parks until its fate, its stderr or its job's socket has news, or `has_more` and the socket room for
 * more. A virtual clock does not jump meanwhile. 0, -ECANCELED, -ENOMEM, -ENOSPC. */
int nidoi_procworker_wait_for_answer(const struct nidoi_procworker *worker, bool has_more);

enum nidoi_stop_means {
    NIDOI_DISMISS,   /* it should find the end of its socket and go */
    NIDOI_TERMINATE, /* SIGTERM */
    NIDOI_KILL
};

/* Begins to dismiss a worker without a job. */
void nidoi_procworker_dismiss(struct nidoi_procworker *worker);

/* Ends it if it has not ended: by this means first, after the grace by SIGKILL. Parks under a
 * shield of its own and returns when the server has reaped it (or is gone). */
void nidoi_procworker_stop(struct nidoi_procworker *worker, enum nidoi_stop_means means);

/* Closes and frees what there is of it on this side; NULL is fine. */
void nidoi_procworker_free(struct nidoi_procworker *worker);

/* The system lacks something that others may give back: worth another try. */
bool nidoi_is_shortage(int code);

#endif

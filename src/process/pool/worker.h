/* SPDX-License-Identifier: MIT */
/* process/pool/worker.h: one worker process, as this program sees it.
 *
 *  start            wait_started          stop, or by itself
 *  ------> STARTING --------------> READY -------------------> ENDED
 *              '--------------> FAILED  '- the server ended --> LOST   */
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
    int job_fd, stderr_fd, status_fd; /* -1: closed */
    int pid;                          /* 0 until it has started */
    int outcome;                      /* ENDED: the status of waitpid(2); FAILED: the error */
    uint32_t jobs;                    /* done so far */
    size_t tail_len;
    char tail[NIDOI_TAIL]; /* the last bytes of its stderr during this job */
};

/* Sends the order to start a worker, and does not wait for the start. 0, or the error and no
 * worker. */
int nidoi_procworker_start(const nido_procpool_options *options, struct nidoi_procworker **out);

/* Waits until it has started. 0; -ECANCELED: it may still start; or why it has not. */
int nidoi_procworker_wait_started(struct nidoi_procworker *worker);

/* Between jobs: it runs, and has written nothing to its socket. */
bool nidoi_procworker_usable(const struct nidoi_procworker *worker);

/* Has it ended, one way or the other? */
static inline bool nidoi_procworker_has_ended(const struct nidoi_procworker *worker)
{
    return worker->state >= NIDOI_WORKER_ENDED;
}

/* Reads its status pipe, without waiting. */
void nidoi_procworker_read_status(struct nidoi_procworker *worker);

/* Parks until its status pipe, its stderr or its socket can be read or, if `has_more`, the socket
 * can be written. A virtual clock does not jump meanwhile. 0, -ECANCELED, -ENOMEM, -ENOSPC. */
int nidoi_procworker_wait(const struct nidoi_procworker *worker, bool has_more);

enum nidoi_stop_means {
    NIDOI_STOP_BY_CLOSE,   /* it ends when it reads the end of its socket */
    NIDOI_STOP_BY_SIGTERM, /* SIGTERM */
    NIDOI_STOP_BY_SIGKILL
};

/* Closes its socket, at whose end a worker without a job ends. */
void nidoi_procworker_close_socket(struct nidoi_procworker *worker);

/* Ends the worker, if it has not ended: by this means and, after the grace, by SIGKILL. Parks under
 * a shield of its own and returns when the server has reaped the worker or has ended. */
void nidoi_procworker_stop(struct nidoi_procworker *worker, enum nidoi_stop_means means);

/* Closes the descriptors and frees the record; `worker` may be NULL. */
void nidoi_procworker_free(struct nidoi_procworker *worker);

/* Does the system lack something that may be given back soon? */
bool nidoi_is_shortage(int code);

#endif

/* SPDX-License-Identifier: MIT */
/* process/pool/forkserver.h: what the program does with the process that forks workers, and the
 * messages between the two. */
#ifndef NIDOI_FORKSERVER_H
#define NIDOI_FORKSERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "process/pool/image.h"

/* ---- To the server: each order is one message ---- */

enum nidoi_order_kind { NIDOI_ORDER_START = 1, NIDOI_ORDER_SIGNAL = 2 };

/* The status pipe is the first: if a server can take only one descriptor, it can still report that.
 */
enum nidoi_start_fd { NIDOI_START_STATUS, NIDOI_START_JOB, NIDOI_START_STDERR, NIDOI_START_FDS };

struct nidoi_forkserver_order {
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

/* The control message that carries descriptors. */
union nidoi_passed_fds {
    struct cmsghdr head;
    char room[CMSG_SPACE(NIDOI_START_FDS * sizeof(int))];
};

/* ---- On the status pipe ---- */

enum nidoi_worker_status_kind {
    NIDOI_STATUS_STARTED = 1,
    NIDOI_STATUS_FAILED = 2,
    NIDOI_STATUS_ENDED = 3
};

struct nidoi_worker_status {
    int32_t kind;
    int32_t value; /* the pid; a negated errno; the status of waitpid(2) */
};

/* ---- In the program ---- */

/* Was nido_procpool_prepare called in this process? */
bool nidoi_forkserver_ready(void);

/* Sends an order; START carries three descriptors, which stay open here. Parks, and so is a
 * cancellation point, only if the server has not read earlier orders. 0, -ECANCELED, -EPIPE: the
 * server has ended; or the error of sendmsg(2). */
int nidoi_forkserver_send(const struct nidoi_forkserver_order *order, const int *fds);

#endif

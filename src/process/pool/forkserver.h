/* process/pool/forkserver.h: the process that forks workers, from the side of the program; and what is
 * written to it and by it. */
#ifndef NIDOI_FORKSERVER_H
#define NIDOI_FORKSERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "process/pool/image.h"

/* ---- To the server: one message, whole ---- */

enum nidoi_order_kind { NIDOI_ORDER_START = 1, NIDOI_ORDER_SIGNAL = 2 };

/* The fate is the first: a server that can take no more descriptors can still say so. */
enum nidoi_start_fd { NIDOI_START_FATE, NIDOI_START_JOB, NIDOI_START_STDERR, NIDOI_START_FDS };

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

/* The control message that takes descriptors along. */
union nidoi_passed_fds {
    struct cmsghdr head;
    char room[CMSG_SPACE(NIDOI_START_FDS * sizeof(int))];
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

/* ---- In the program ---- */

/* nido_procpool_prepare was called in this process. */
bool nidoi_forkserver_ready(void);

/* Sends an order; START takes the three descriptors along, which stay the caller's. Cancellation
 * point only if the server is behind. 0, -ECANCELED, -EPIPE: the server is gone; or the system
 * call's own. */
int nidoi_forkserver_send(const struct nidoi_forkserver_order *order, const int *fds);

#endif

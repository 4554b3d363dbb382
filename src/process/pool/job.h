/* SPDX-License-Identifier: MIT */
/* process/pool/job.h: what a worker does: it reads jobs from a socket and does one after the other.
 */
#ifndef NIDOI_PROCJOB_H
#define NIDOI_PROCJOB_H

#include <stdint.h>

#include "process/pool/forkserver.h"
#include "process/pool/image.h"

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

/* Restricts a worker before its first job: no_new_privs, and order->confine. 0, or the error after
 * which it must not begin. */
int nidoi_procjob_confine(const struct nidoi_forkserver_order *order);

/* Does the jobs that come on the socket, which blocks, until its end. */
_Noreturn void nidoi_procjob_serve(int fd, const struct nidoi_forkserver_order *order);

#endif

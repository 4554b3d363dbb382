/* SPDX-License-Identifier: MIT */
/* pool/offload.h: a job from the side of the task that waits for it: for calls of the library. */
#ifndef NIDOI_OFFLOAD_H
#define NIDOI_OFFLOAD_H

#include "pool/jobs.h"

/* nido_offload_with for a lane, which may be the one for names. */
ssize_t nidoi_offload(nido_job_fn *fn, void *arg, const nido_offload_options *options,
                      enum nidoi_lane lane);

/* A job of one system call that could wait but must not: it is interrupted from the beginning on,
 * until it returns. *ran: it was called. */
ssize_t nidoi_offload_no_wait(nido_job_fn *fn, void *arg, bool *ran);

#endif

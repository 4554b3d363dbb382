/* pool/offload.h: a job from the side of the task that waits for it, for calls of ours. */
#ifndef NIDOI_OFFLOAD_H
#define NIDOI_OFFLOAD_H

#include "pool/jobs.h"

/* A whole job in a lane: enters, waits, drops. */
ssize_t nidoi_offload(nido_job_fn *fn, void *arg, const nido_offload_options *options,
                      enum nidoi_lane lane);

/* A job of one system call that is not to wait, though it could: it is interrupted at once, and
 * again and again until it returns. *ran: it was called. */
ssize_t nidoi_offload_in_passing(nido_job_fn *fn, void *arg, bool *ran);

#endif

/* SPDX-License-Identifier: MIT */
/* process/pool/stderr.h: the stderr of a worker. */
#ifndef NIDOI_STDERR_H
#define NIDOI_STDERR_H

#include "process/pool/worker.h"

/* Pieces of 4 KiB: at one time, and of a worker that has ended. */
enum { NIDOI_STDERR_SLICE = 4, NIDOI_STDERR_REST = 256 };

/* Reads what is there, at most so many pieces: keeps the last bytes, and passes all of it on. May
 * yield. */
void nidoi_procworker_read_stderr(struct nidoi_procworker *worker, int pieces);

#endif

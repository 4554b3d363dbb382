/* process/pool/stderr.h: what a worker says on its stderr. */
#ifndef NIDOI_STDERR_H
#define NIDOI_STDERR_H

#include "process/pool/worker.h"

/* Pieces of 4 KiB: at one look, and of a worker that has ended. */
enum { NIDOI_STDERR_SLICE = 4, NIDOI_STDERR_REST = 256 };

/* Keeps and hands on what is there, so many pieces at most. May yield. */
void nidoi_procworker_read_stderr(struct nidoi_procworker *worker, int pieces);

#endif

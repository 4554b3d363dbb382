/* SPDX-License-Identifier: MIT */
/* coro/task/batch.h: a batch of tasks, between two turns. */
#ifndef NIDOI_BATCH_H
#define NIDOI_BATCH_H

#include "coro/task/sched.h"

/* From the loop: runs ready tasks, at most `batch` resumes. */
void nidoi_batch_run(struct nidoi_sched *sched, int batch);

#endif

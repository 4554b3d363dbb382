/* SPDX-License-Identifier: MIT */
/* pool/interrupt.h: jobs whose system calls are to be interrupted. */
#ifndef NIDOI_INTERRUPT_H
#define NIDOI_INTERRUPT_H

#include "pool/jobs.h"

/* Makes the interrupter if there is none. 0; -EBUSY: the program uses SIGURG; -EAGAIN, -ENOMEM. */
int nidoi_interrupter_need(struct nidoi_pool *pool);
/* The job's thread gets signals until nidoi_interrupter_stop. The lock is held. */
void nidoi_interrupter_signal(struct nidoi_job *job);
void nidoi_interrupter_stop(struct nidoi_job *job);
/* No job that could be interrupted is running. */
void nidoi_interrupter_end(struct nidoi_pool *pool);
/* Whether the signal may interrupt this thread. */
void nidoi_interruptible(bool on);

#endif

/* pool/interrupt.h: jobs whose system calls are to be interrupted. */
#ifndef NIDOI_INTERRUPT_H
#define NIDOI_INTERRUPT_H

#include "pool/jobs.h"

/* Ready to interrupt: 0; -EBUSY: SIGURG is the program's; -EAGAIN, -ENOMEM. */
int nidoi_interrupter_need(struct nidoi_pool *pool);
/* From now on until nidoi_interrupter_spare the job's thread gets signals. The lock is held. */
void nidoi_interrupter_signal(struct nidoi_job *job);
void nidoi_interrupter_spare(struct nidoi_job *job);
/* No job is running that could be interrupted. */
void nidoi_interrupter_end(struct nidoi_pool *pool);
/* This thread may be sent such signals, or no longer. */
void nidoi_interruptible(bool on);

#endif

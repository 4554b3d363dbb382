/* SPDX-License-Identifier: MIT */
/* sync/mutex.h: what a condition needs of its mutex. */
#ifndef NIDOI_MUTEX_H
#define NIDOI_MUTEX_H

#include "nido/mutex.h"
#include "sync/sync.h"

/* 0: the running task owns it; -EPERM, -EXDEV. */
int nidoi_mutex_check_owner(nido_mutex *mutex);

/* Its owner, the running task, gives it to the first waiter. */
void nidoi_mutex_pass(nido_mutex *mutex);

/* A parked task whose node is in no queue needs it whatever happens. True: it has it now. False: it
 * waits in the queue, not cancellable, and is woken when it has it. */
bool nidoi_mutex_regain(nido_mutex *mutex, struct nidoi_queued *queued);

/* What a lock returns to the new owner: 0 or -EOWNERDEAD. */
static inline int nidoi_mutex_state(const nido_mutex *mutex)
{
    return mutex->broken ? -EOWNERDEAD : 0;
}

#endif

/* sync/mutex.h: the mutex, as conditions know it. */
#ifndef NIDOI_MUTEX_H
#define NIDOI_MUTEX_H

#include "nido/mutex.h"
#include "sync/sync.h"

/* Is it the running task's? 0, -EPERM, -EXDEV. */
int nidoi_mutex_mine(nido_mutex *mutex);

/* Its owner, the running task, gives it to the first in line. */
void nidoi_mutex_pass(nido_mutex *mutex);

/* A parked task whose node is in no queue wants it, whatever happens: true if it has it now; false
 * if it stands in line, where no cancel reaches it, and is woken when it has it. */
bool nidoi_mutex_regain(nido_mutex *mutex, struct nidoi_queued *queued);

/* What a task that gets it is told: 0 or -EOWNERDEAD. */
static inline int nidoi_mutex_state(const nido_mutex *mutex)
{
    return mutex->broken ? -EOWNERDEAD : 0;
}

#endif

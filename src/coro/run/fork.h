/* SPDX-License-Identifier: MIT */
/* coro/run/fork.h: what a fork makes of a runtime: in the child it is dead, in the parent nothing has
 * changed.
 *
 * Whatever of nido belongs to the process or to a thread and not to one runtime (locks, signals that
 * were taken over, a thread's job) has a handler here: each registers itself before it is first used, and
 * in a forked child all are put back to what they were before there was a runtime. */
#ifndef NIDOI_FORK_H
#define NIDOI_FORK_H

#include <stdbool.h>

/* Static. `forked` runs in the child, on the thread that forked, where other threads may have held
 * any lock: stores, and calls that are safe in a signal handler. */
struct nidoi_fork_handler {
    void (*forked)(void);
    struct nidoi_fork_handler *next;
    bool known;
};

/* From the first call on the process's children find it put back. Any thread; again is fine. */
void nidoi_fork_register(struct nidoi_fork_handler *handler);

/* From the first call on the process's children find their copies of runtimes dead. */
void nidoi_fork_watch(void);

/* Has this thread inherited a runtime that nido_after_fork_reset has not yet cleared away? */
bool nidoi_fork_pending(void);

#endif

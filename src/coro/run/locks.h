/* SPDX-License-Identifier: MIT */
/* coro/run/locks.h: a lock of pthread that a task holds while it waits: another task that wants it would stop the
 * thread, and with it the one that could unlock it. libnido_locks.so (tools/locks) knows which are held. */
#ifndef NIDOI_LOCKS_H
#define NIDOI_LOCKS_H

#include "coro/runtime/loop.h"

/* If the environment asks for it and libnido_locks.so is in the process: from now on each task that leaves the
 * thread is looked at, and each lock that it holds is reported once. */
void nidoi_locks_watch(struct nidoi_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/run/remotes.h: all runtimes of the process, for what concerns every one of them. */
#ifndef NIDOI_REMOTES_H
#define NIDOI_REMOTES_H

#include "coro/runtime/loop.h"

/* Their ring, by nido_rt.link. */
extern struct nidoi_link nidoi_remotes;

/* A run begins; it ends: it has still to take its last posts. */
void nidoi_remotes_add(nido_rt *remote);
void nidoi_remotes_remove(nido_rt *remote);

/* Held while they are gone through: none is added or removed meanwhile; also for what upper floors keep
 * beside them. Any thread. */
void nidoi_remotes_lock(void);
void nidoi_remotes_unlock(void);
void nidoi_remotes_each(void (*call)(nido_rt *remote, void *arg), void *arg);

#endif

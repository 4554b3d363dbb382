/* coro/run/doors.h: the doors of all runtimes of the process, for what concerns every one of them. */
#ifndef NIDOI_DOORS_H
#define NIDOI_DOORS_H

#include "coro/runtime/loop.h"

/* A run begins; it ends: it has still to take its last posts. */
void nidoi_doors_add(nido_rt *door);
void nidoi_doors_remove(nido_rt *door);

/* Held by who goes through them, and none comes or goes meanwhile; also for what upper floors keep
 * beside them. Any thread. */
void nidoi_doors_lock(void);
void nidoi_doors_unlock(void);
void nidoi_doors_each(void (*visit)(nido_rt *door, void *arg), void *arg);

#endif

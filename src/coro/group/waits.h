/* SPDX-License-Identifier: MIT */
/* coro/group/waits.h: what tasks wait for: in words, and whether they wait for each other. */
#ifndef NIDOI_WAITS_H
#define NIDOI_WAITS_H

#include "coro/group/group.h"
#include "coro/task/waiter.h"

/* Appends; what does not fit is left out. */
void nidoi_text_add(char *text, size_t size, size_t *used, const char *format, ...)
    NIDO_PRINTF(4, 5);

/* Appends "waits for mutex "m" of #3"; NULL: "is ready". */
void nidoi_wait_print(char *text, size_t size, size_t *used, const struct nidoi_waiter *waiter);

/* May the running task wait for `object`, as `kind` (which knows an owner) says? 0; -EDEADLK: the
 * owner waits for it, by locks, joins, or the close of a group in which it lives; the error that it
 * keeps tells the ring. */
int nidoi_wait_check(struct nidoi_loop *loop, const struct nidoi_wait_kind *kind, void *object);

/* Does a parked task stand in a ring of waits that it closes by a lock or a join? Each ring is told of one of
 * its tasks. Appends it, as "#2 "a" waits for mutex "x" of #3; #3 ...". */
bool nidoi_wait_ring(struct nidoi_loop *loop, const struct nidoi_waiter *waiter, char *text,
                     size_t size, size_t *used);

#endif

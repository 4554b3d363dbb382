/* SPDX-License-Identifier: MIT */
/* debug/users.h: which tasks have used an object last, for reports of those that wait for it in vain. With
 * NIDO_DEBUG=users in the environment, for tasks of one runtime.
 *
 * 1. The number of the thread that an object keeps (sync/sync.h) is compared on every use. A runtime that notes
 * users has a number that is never equal, so each use takes the slow way and comes here; a runtime that does not
 * pays nothing.
 * 2. What is kept has a fixed size: of older objects and users nothing is known. */
#ifndef NIDOI_USERS_H
#define NIDOI_USERS_H

#include "coro/runtime/loop.h"

enum { NIDOI_USERS_KEPT = 4 /* of an object */ };

struct nidoi_user {
    uint64_t id; /* of a task; 0: none */
    int64_t when;
    char name[32];
};

/* Begins if the environment asks for it; without memory, not. */
void nidoi_users_open(struct nidoi_loop *loop);
void nidoi_users_close(struct nidoi_loop *loop);

/* The running task uses the object that keeps its thread's number here. */
void nidoi_users_note(const struct nidoi_loop *loop, const uint64_t *thread);

/* Of an object: NIDOI_USERS_KEPT of them, the latest first; NULL: none are known. */
const struct nidoi_user *nidoi_users_of(const struct nidoi_loop *loop, const void *object);

#endif

/* SPDX-License-Identifier: MIT */
/* base/held_lock.h: what libnido_locks.so (tools/locks) tells of the locks of pthread that a thread holds. */
#ifndef NIDOI_HELD_LOCK_H
#define NIDOI_HELD_LOCK_H

struct nido_held_lock {
    const void *lock;
    const char *kind;    /* "mutex", "read-write lock" */
    void *place;         /* where it was locked */
    const void *told_of; /* the library's: NULL until it has looked at this one */
};

/* Of the calling thread, the latest last; *count of them. */
typedef struct nido_held_lock *nido_locks_held_fn(int *count);

#endif

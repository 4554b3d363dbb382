/* SPDX-License-Identifier: MIT */
/* nido/broadcast.h: every reader gets every item, as long as it keeps up.
 *
 * The newest `capacity` items are kept. A send never waits; it overwrites the oldest. A reader that
 * falls further behind loses the oldest ones, and is told how many. A receive that was given its
 * item returns it even if it is cancelled before it runs.
 *
 * A broadcast belongs to the thread whose run uses it first: calls on the thread of another runtime
 * return -EXDEV and, while tasks wait, on a thread without a runtime -EPERM. */
#ifndef NIDO_BROADCAST_H
#define NIDO_BROADCAST_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. It must stay at its address. */
typedef struct nido_broadcast {
    struct nidoi_waitq waiters;
    uint64_t thread;
    const char *name;
    unsigned char *buffer;
    size_t item_size;
    size_t capacity;
    uint64_t sent; /* items in all, so the next one's number */
    uint32_t closed;
    uint32_t spare;
    uint64_t spare64;
} nido_broadcast;

/* The position of one reader, in the caller's memory; it needs no clean-up. Fields are private. */
typedef struct nido_broadcast_reader {
    nido_broadcast *broadcast;
    uint64_t next; /* number of the item it gets next */
    uint32_t busy; /* a task waits with it */
    uint32_t spare;
} nido_broadcast_reader;

/* Makes a broadcast of items of `item_size` bytes that keeps the newest `capacity`; one allocation.
 * Not a cancellation point. 0 and *out; -EINVAL: one of them is 0, or their product does not fit in
 * size_t; -ENOMEM. */
NIDO_API int nido_broadcast_new(size_t item_size, size_t capacity, nido_broadcast **out);

/* Closes it and frees what nido_broadcast_new made; NULL is fine. Readers that wait get -EPIPE;
 * afterwards no reader of it may be used. Not a cancellation point. 0; -EXDEV, -EPERM: nothing is
 * done. */
NIDO_API int nido_broadcast_free(nido_broadcast *broadcast);

/* Makes a broadcast in the caller's memory: `buffer` has item_size * capacity bytes and lives as
 * long as the broadcast; `name` (for reports) too, or is NULL. Not a cancellation point. 0,
 * -EINVAL. */
NIDO_API int nido_broadcast_init(nido_broadcast *broadcast, size_t item_size, size_t capacity,
                                 void *buffer, const char *name);

/* Ends the use of a broadcast made by nido_broadcast_init; otherwise as nido_broadcast_free. Not a
 * cancellation point. 0; -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_broadcast_deinit(nido_broadcast *broadcast);

/* Its name for reports: a string that outlives it, or NULL. Cannot fail. Not a cancellation point.
 */
NIDO_API void nido_broadcast_set_name(nido_broadcast *broadcast, const char *name);

/* Sends a copy of *item to every reader. Never waits; not a cancellation point. 0; -EPIPE: closed;
 * -EXDEV, -EPERM. */
NIDO_API int nido_broadcast_send(nido_broadcast *broadcast, const void *item);

/* No more items will come: readers get those that are kept, then -EPIPE. May be repeated. Not a
 * cancellation point. 0; -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_broadcast_close(nido_broadcast *broadcast);

/* Makes a reader that gets what is sent from now on. Cannot fail. Not a cancellation point. */
NIDO_API void nido_broadcast_subscribe(nido_broadcast *broadcast, nido_broadcast_reader *reader);

/* Receives the next item into *item, and waits for one if necessary. Cancellation point. The number
 * of items lost before this one: 0 for a reader that keeps up, at most INT_MAX; -ECANCELED; -EPIPE:
 * closed, and nothing is left; -EBUSY: another task waits with this reader; -EXDEV. */
NIDO_API int nido_broadcast_recv(nido_broadcast_reader *reader, void *item);

/* The same without waiting. Not a cancellation point. As there, or -EAGAIN: it would wait; -EPERM:
 * no runtime on this thread. */
NIDO_API int nido_broadcast_try_recv(nido_broadcast_reader *reader, void *item);

#ifdef __cplusplus
}
#endif

#endif

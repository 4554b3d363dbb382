/* SPDX-License-Identifier: MIT */
/* nido/chan.h: channels: items of one fixed size go from senders to receivers, first come first
 * served on both sides.
 *
 * Capacity 0 is a rendezvous: a send returns when a task has received its item. Items are copied as
 * bytes and need no alignment. What an item refers to has one owner: after a send that returned 0
 * it is the channel or the receiver; after a send that returned an error it is still the sender.
 * The same holds for try_send and commit. A send or receive that has been completed by the other
 * side returns 0 even if its task is cancelled before it runs.
 *
 * Each side has a count of ends, 1 at first. A side is closed by its close call, or when its last
 * end is released. A repeated close or release does nothing.
 *
 * A channel belongs to the thread whose run uses it first: calls on the thread of another runtime
 * return -EXDEV. Calls that neither park nor can wake a task also work on a thread without a
 * runtime; while a task waits in the channel, they return -EPERM there. */
#ifndef NIDO_CHAN_H
#define NIDO_CHAN_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. It must stay at its address. */
typedef struct nido_chan {
    struct nidoi_waitq senders; /* with an item, or NULL for a reservation */
    struct nidoi_waitq receivers;
    uint64_t thread;
    const char *name;
    unsigned char *buffer;
    nido_drop_fn *drop;
    void *drop_ctx;
    size_t item_size;
    size_t capacity;
    size_t head;      /* place of the oldest item */
    size_t count;     /* items in the buffer */
    size_t reserved;  /* places held by reservations */
    size_t send_ends; /* 0: that side is closed */
    size_t recv_ends;
    uint64_t spare[2];
} nido_chan;

/* Makes a channel for items of `item_size` bytes with room for `capacity` of them, one allocation
 * in all. `drop` (may be NULL) takes back the items that will never be received: drop(ctx, item,
 * 0), where `item` points to the bytes; it must not park. Not a cancellation point. 0 and *out;
 * -EINVAL: their product does not fit in size_t; -ENOMEM. An item_size of 0 counts: items are
 * nothing but that they were sent. */
NIDO_API int nido_chan_new(size_t item_size, size_t capacity, nido_drop_fn *drop, void *ctx,
                           nido_chan **out);

/* Closes both sides and frees what nido_chan_new made; NULL is fine. Tasks that wait in it get
 * -EPIPE, and items that are left are dropped. No task may use it afterwards: where that is not
 * certain, close it and wait for its users first. Not a cancellation point. 0; -EXDEV, -EPERM:
 * nothing is done. */
NIDO_API int nido_chan_free(nido_chan *chan);

/* Makes a channel in the caller's memory: `buffer` has item_size * capacity bytes (NULL for
 * none) and lives as long as the channel; `name` (for reports) too, or is NULL. Otherwise as
 * nido_chan_new. Not a cancellation point. 0; -EINVAL: as there, or there is no buffer. */
NIDO_API int nido_chan_init(nido_chan *chan, size_t item_size, size_t capacity, void *buffer,
                            nido_drop_fn *drop, void *ctx, const char *name);

/* Ends the use of a channel made by nido_chan_init: as nido_chan_free, but the memory stays the
 * caller's. Not a cancellation point. 0; -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_chan_deinit(nido_chan *chan);

/* Its name for reports: a string that outlives it, or NULL. Cannot fail. Not a cancellation point.
 */
NIDO_API void nido_chan_set_name(nido_chan *chan, const char *name);

/* How many items are in its buffer. Cannot fail. Not a cancellation point. */
NIDO_API size_t nido_chan_count(const nido_chan *chan);

/* For how many items it has room in all; 0: a rendezvous. Cannot fail. Not a cancellation point. */
NIDO_API size_t nido_chan_capacity(const nido_chan *chan);

/* How many tasks and arms wait for room in it, reservations among them; takes time for each. On the
 * channel's thread. Cannot fail. Not a cancellation point. */
NIDO_API size_t nido_chan_waiting_senders(const nido_chan *chan);
/* How many wait for an item of it; see nido_chan_waiting_senders. Cannot fail. Not a cancellation
 * point. */
NIDO_API size_t nido_chan_waiting_receivers(const nido_chan *chan);

/* Sends a copy of *item, and waits for room if necessary. Cancellation point. 0; -ECANCELED;
 * -EPIPE: one of the sides is closed; -EXDEV. */
NIDO_API int nido_chan_send(nido_chan *chan, const void *item);

/* Receives the oldest item into *item, and waits for one if necessary. Cancellation point. 0;
 * -ECANCELED; -EPIPE: the receiving side is closed, or the sending side is and nothing is left;
 * -EXDEV. */
NIDO_API int nido_chan_recv(nido_chan *chan, void *item);

/* As nido_chan_send, without waiting. Not a cancellation point. 0; -EAGAIN: it would wait; -EPIPE,
 * -EXDEV; -EPERM: no runtime on this thread. */
NIDO_API int nido_chan_try_send(nido_chan *chan, const void *item);
/* As nido_chan_recv, without waiting. Not a cancellation point. 0; -EAGAIN, -EPIPE, -EXDEV, -EPERM. */
NIDO_API int nido_chan_try_recv(nido_chan *chan, void *item);

/* Waits, in line with the senders, for a place for one item, and reserves it: the item can then be
 * made, and committed without a wait. Must be followed by a commit or an unreserve. Cancellation
 * point. 0; -ECANCELED: nothing is reserved; -EINVAL: capacity 0; -EPIPE, -EXDEV. */
NIDO_API int nido_chan_reserve(nido_chan *chan);

/* Sends into a reserved place. The reservation is used up, whatever the call returns. Not a
 * cancellation point. 0; -EPIPE: one of the sides was closed meanwhile; -EPERM: nothing is
 * reserved, or no runtime; -EXDEV. */
NIDO_API int nido_chan_commit(nido_chan *chan, const void *item);

/* Gives a reserved place back; it goes to the task that has waited longest. Not a cancellation
 * point. 0; -EPERM: nothing is reserved, or tasks wait and this thread has no runtime; -EXDEV. */
NIDO_API int nido_chan_unreserve(nido_chan *chan);

/* No more items will come: senders that wait get -EPIPE and keep their item, receivers get what is
 * buffered and then -EPIPE for ever. Not a cancellation point. 0; -EXDEV, -EPERM: nothing is
 * done. */
NIDO_API int nido_chan_close_send(nido_chan *chan);

/* No more items will be received: every waiting and later call gets -EPIPE, and buffered items are
 * dropped. Not a cancellation point. 0; -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_chan_close_recv(nido_chan *chan);

/* Adds an end to a side. Not a cancellation point. 0; -EPIPE: the side is closed; -EXDEV, -EPERM.
 */
NIDO_API int nido_chan_retain_send(nido_chan *chan);
/* See nido_chan_retain_send. Not a cancellation point. 0, -EPIPE, -EXDEV, -EPERM. */
NIDO_API int nido_chan_retain_recv(nido_chan *chan);

/* Drops an end of a side; the last one closes it, as nido_chan_close_send does. Not a cancellation
 * point. 0 (also if the side is closed already); -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_chan_release_send(nido_chan *chan);
/* See nido_chan_release_send and nido_chan_close_recv. Not a cancellation point. 0, -EXDEV,
 * -EPERM. */
NIDO_API int nido_chan_release_recv(nido_chan *chan);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* nido/cross.h: a channel, an event and permits for any thread: tasks of every runtime wait in
 * them, and threads without a runtime block in them. The plain ones (nido/chan.h, event.h, sem.h)
 * belong to one runtime and cost a tenth; use these between threads.
 *
 * Any thread may make and free these objects. When one is freed, no other user may be left; a task
 * or thread that was given what it waited for may free the object at once. A wait is a cancellation
 * point for a task; a thread without a runtime blocks until it is served (no -EPERM here);
 * pthread_cancel ends its wait and takes it out of the line. In a forked child every call on an
 * object of the parent returns -EPERM, or does nothing. While a task waits in one of these objects,
 * no deadlock is reported, unless nido_options.deadlock_ns asks for it. */
#ifndef NIDO_CROSS_H
#define NIDO_CROSS_H

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- A channel ---- */

typedef struct nido_xchan nido_xchan;

/* Makes a channel for items of `item_size` bytes with room for `capacity` (0: each send meets its
 * receive). `drop` (may be NULL) is called as drop(ctx, item, 0) for items that are left when it is
 * freed. Not a cancellation point. 0; -ENOMEM; -EINVAL: item_size is 0; -EOVERFLOW. */
NIDO_API int nido_xchan_new(size_t item_size, size_t capacity, nido_drop_fn *drop, void *ctx,
                            nido_xchan **out);

/* Frees it; no task or thread may still use it. NULL is fine. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_xchan_free(nido_xchan *chan);

/* Sends a copy of *item; waits for room or a receiver, first come first served. Cancellation point.
 * 0; -ECANCELED; -EPIPE: it is closed. On an error the item was not sent and is still the caller's.
 */
NIDO_API int nido_xchan_send(nido_xchan *chan, const void *item);
/* Receives into *item, first come first served. Cancellation point. 0; -ECANCELED; -EPIPE: it is
 * closed and empty. */
NIDO_API int nido_xchan_recv(nido_xchan *chan, void *item);
/* The same without waiting. Not a cancellation point. 0; -EAGAIN: it would have to wait; -EPIPE. */
NIDO_API int nido_xchan_try_send(nido_xchan *chan, const void *item);
/* See nido_xchan_try_send. Not a cancellation point. 0; -EAGAIN; -EPIPE. */
NIDO_API int nido_xchan_try_recv(nido_xchan *chan, void *item);

/* No more items: senders get -EPIPE, receivers get the items that are left and then -EPIPE. Not a
 * cancellation point. 0; -EALREADY: it is closed. */
NIDO_API int nido_xchan_close(nido_xchan *chan);

/* ---- An event ---- */

typedef struct nido_xevent nido_xevent;

/* Makes an event that is not set. Not a cancellation point. 0; -ENOMEM. */
NIDO_API int nido_xevent_new(nido_xevent **out);
/* Frees it; no task or thread may still use it. NULL is fine. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_xevent_free(nido_xevent *event);
/* Sets it: every present and later waiter passes. Cannot fail. Not a cancellation point. */
NIDO_API void nido_xevent_set(nido_xevent *event);
/* Resets it: later waiters wait again. Cannot fail. Not a cancellation point. */
NIDO_API void nido_xevent_reset(nido_xevent *event);
/* Waits until it is set. Cancellation point. 0; -ECANCELED. */
NIDO_API int nido_xevent_wait(nido_xevent *event);

/* ---- Permits ---- */

typedef struct nido_xsem nido_xsem;

/* Makes a semaphore with `permits`. Not a cancellation point. 0; -ENOMEM. */
NIDO_API int nido_xsem_new(uint32_t permits, nido_xsem **out);
/* Frees it; no task or thread may still use it. NULL is fine. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_xsem_free(nido_xsem *sem);
/* Takes a permit, first come first served. Cancellation point. 0; -ECANCELED: none was taken. */
NIDO_API int nido_xsem_acquire(nido_xsem *sem);
/* The same without waiting. Not a cancellation point. 0; -EAGAIN. */
NIDO_API int nido_xsem_try_acquire(nido_xsem *sem);
/* Gives `n` permits. Not a cancellation point. 0; -EOVERFLOW: there would be more than UINT32_MAX,
 * and none was given. */
NIDO_API int nido_xsem_release(nido_xsem *sem, uint32_t n);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* nido/watch.h: the latest value of something, and its changes.
 *
 * Each set makes a new version. A task that waits for a version newer than the one it has seen gets
 * the latest one when it runs, however many there were in between: every value that is returned is
 * new, and the last one is never missed.
 *
 * A watch belongs to the thread whose run uses it first: calls on the thread of another runtime
 * return -EXDEV and, while tasks wait, on a thread without a runtime -EPERM. */
#ifndef NIDO_WATCH_H
#define NIDO_WATCH_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address. */
typedef struct nido_watch {
    struct nidoi_waitq waiters;
    struct nidoi_link told; /* woken tasks that have not read yet */
    uint64_t thread;
    const char *name;
    void *value;
    size_t size;
    uint64_t version;
    uint32_t closed;
    uint32_t spare;
    uint64_t spare64;
} nido_watch;

/* Makes a watch whose value is kept in the caller's `value`, `size` bytes that hold the first one
 * (version 1) already and live as long as the watch; `name` (for reports) too, or is NULL. Not a
 * cancellation point. 0; -EINVAL: size is 0 or value NULL. */
NIDO_API int nido_watch_init(nido_watch *watch, void *value, size_t size, const char *name);

/* Closes it and ends its use; a task that was woken and has not run yet still gets the last value.
 * Not a cancellation point. 0; -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_watch_deinit(nido_watch *watch);

/* Sets the value to a copy of *value and wakes every task that waits. Not a cancellation point. 0;
 * -EPIPE: closed; -EXDEV, -EPERM. */
NIDO_API int nido_watch_set(nido_watch *watch, const void *value);

/* Copies the value to *out and, if `seen` is not NULL, its version to *seen; after the close too.
 * Not a cancellation point. 0; -EXDEV, -EPERM. */
NIDO_API int nido_watch_get(nido_watch *watch, void *out, uint64_t *seen);

/* Waits until there is a version newer than *seen (0: none was seen) and copies value and version
 * as nido_watch_get does. Cancellation point. 0; -ECANCELED; -EPIPE: closed, and *seen is the last
 * version; -EXDEV. */
NIDO_API int nido_watch_wait(nido_watch *watch, void *out, uint64_t *seen);

/* There will be no newer version: every task that has seen the last one, and waits now or later,
 * gets -EPIPE. May be repeated. Not a cancellation point. 0; -EXDEV, -EPERM: nothing is done. */
NIDO_API int nido_watch_close(nido_watch *watch);

#ifdef __cplusplus
}
#endif

#endif

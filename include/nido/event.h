/* SPDX-License-Identifier: MIT */
/* nido/event.h: an event: once it is set, every present and later waiter passes, until it is reset.
 */
#ifndef NIDO_EVENT_H
#define NIDO_EVENT_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address while tasks wait. */
typedef struct nido_event {
    struct nidoi_sync sync;
    uint32_t set;
    uint32_t spare;
    uint64_t spare64;
} nido_event;

/* An event that is not set, as nido_event_init makes it, for what is initialised before main. All
 * zeros are one without a name. */
#define NIDO_EVENT_INIT(name)          \
    {                                  \
        NIDOI_SYNC_INIT(name), 0, 0, 0 \
    }

/* Makes an event that is not set; `name` (for reports) outlives it, or is NULL. Cannot fail. Not a
 * cancellation point. */
NIDO_API void nido_event_init(nido_event *event, const char *name);

/* Sets it and releases every task that waits now, even if it is reset before they run. Not a
 * cancellation point. 0; -EXDEV: another thread's event; -EPERM: tasks wait and this thread has no
 * runtime. */
NIDO_API int nido_event_set(nido_event *event);

/* Resets it: later waiters wait again. Not a cancellation point. 0; -EXDEV, -EPERM as for set. */
NIDO_API int nido_event_reset(nido_event *event);

/* True if it is set. Cannot fail. Not a cancellation point. */
NIDO_API bool nido_event_is_set(const nido_event *event);

/* Waits until it is set; returns at once if it is. Cancellation point.
 * 0, -ECANCELED, -EXDEV. A wait that was released returns 0 even if it is cancelled before it runs.
 */
NIDO_API int nido_event_wait(nido_event *event);

/* Ends the use of the event. Not a cancellation point. 0; -EBUSY: tasks wait, nothing is done. */
NIDO_API int nido_event_deinit(nido_event *event);

#ifdef __cplusplus
}
#endif

#endif

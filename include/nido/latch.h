/* SPDX-License-Identifier: MIT */
/* nido/latch.h: a count of pieces of work, and tasks that wait until it is 0. */
#ifndef NIDO_LATCH_H
#define NIDO_LATCH_H

#include "nido/lowlevel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller's memory; fields are private. It must stay at its address until every task that waited has
 * returned. */
typedef struct nido_latch {
    nido_waitq queue;
    uint32_t count;
    uint32_t leaving; /* released, but have not run yet */
    uint64_t spare[2];
} nido_latch;

/* As nido_latch_init makes it, for what is initialised before main. All zeros are one with nothing
 * to be done and without a name. */
#define NIDO_LATCH_INIT(count, name)                              \
    {                                                             \
        NIDO_WAITQ_INIT(NULL, name), (count), 0, NIDOI_SPARE_INIT \
    }

/* Makes a latch with `count` pieces of work to be done; `name` (for reports) outlives it, or is
 * NULL. Cannot fail. Not a cancellation point. */
NIDO_API void nido_latch_init(nido_latch *latch, uint32_t count, const char *name);

/* Adds n to the count. Not a cancellation point. 0; -EINVAL: the count came to 0 and tasks that
 * waited for that have not returned yet; -EOVERFLOW: more than UINT32_MAX; nothing changes then.
 * -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_latch_add(nido_latch *latch, uint32_t n);

/* Takes 1 from the count; at 0 every task that waits is released. Not a cancellation point. 0;
 * -EINVAL: the count is 0; -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_latch_done(nido_latch *latch);

/* Waits until the count is 0; returns at once if it is. Cancellation point. 0; -ECANCELED; -EXDEV:
 * another thread's. A wait that was released returns 0 even if it is cancelled before it runs. */
NIDO_API int nido_latch_wait(nido_latch *latch);

/* The same without waiting, whatever the scope says. Not a cancellation point. 0; -EAGAIN: the count
 * is not 0; -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_latch_try_wait(nido_latch *latch);

/* Ends the use of the latch. Not a cancellation point. 0; -EBUSY: tasks wait, or were released and
 * have not returned yet; nothing is done. */
NIDO_API int nido_latch_deinit(nido_latch *latch);

#ifdef __cplusplus
}
#endif

#endif

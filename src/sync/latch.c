/* SPDX-License-Identifier: MIT */
/* sync/latch.c: made of nido/lowlevel.h alone, as an object of a user would be. */
#include "nido/latch.h"

#include <errno.h>

enum { RELEASED = 1 }; /* what a wait returns that was woken */

static int latch_attempt(nido_waitq *queue, void *latch)
{
    (void)queue;
    return ((nido_latch *)latch)->count == 0 ? 0 : -EAGAIN;
}

static const nido_wait_kind latch_kind = {.name = "latch", .attempt = latch_attempt};

/* NIDO_LATCH_INIT cannot name the kind. */
static nido_waitq *latch_queue(nido_latch *latch)
{
    if (!latch->queue.kind) latch->queue.kind = &latch_kind;
    return &latch->queue;
}

void nido_latch_init(nido_latch *latch, uint32_t count, const char *name)
{
    *latch = (nido_latch){.count = count};
    nido_waitq_init(&latch->queue, &latch_kind, name);
}

int nido_latch_add(nido_latch *latch, uint32_t n)
{
    int err = nido_waitq_use(latch_queue(latch), latch->leaving);

    if (err) return err;
    if (latch->leaving) return -EINVAL;
    if (n > UINT32_MAX - latch->count) return -EOVERFLOW;
    latch->count += n;
    return 0;
}

int nido_latch_done(nido_latch *latch)
{
    int err = nido_waitq_use(latch_queue(latch), latch->leaving);

    if (err) return err;
    if (latch->count == 0) return -EINVAL;
    if (--latch->count > 0) return 0;
    while (nido_waitq_wake(&latch->queue, RELEASED) == 1) latch->leaving++;
    return 0;
}

int nido_latch_wait(nido_latch *latch)
{
    int rc = nido_waitq_wait(latch_queue(latch), latch);

    if (rc != RELEASED) return rc;
    latch->leaving--;
    return 0;
}

int nido_latch_try_wait(nido_latch *latch)
{
    int err = nido_waitq_use(latch_queue(latch), latch->leaving);

    return err ? err : latch_attempt(&latch->queue, latch);
}

int nido_latch_deinit(nido_latch *latch)
{
    return latch->leaving ? -EBUSY : nido_waitq_deinit(&latch->queue);
}

/* SPDX-License-Identifier: MIT */
#include "nido/barrier.h"
#include "coro/scope/park.h"

#include "sync/sync.h"

/* The round is complete (rc 0) or aborted. */
static void barrier_end_round(nido_barrier *barrier, int rc)
{
    barrier->arrived = 0;
    nidoi_sync_wake_all(&barrier->sync, rc);
}

static void barrier_abort(nido_barrier *barrier)
{
    barrier->aborted = 1;
    barrier_end_round(barrier, -EPIPE);
}

static enum nidoi_undo barrier_undo(struct nidoi_waiter *waiter)
{
    nido_barrier *barrier = nidoi_container(waiter->object, nido_barrier, sync);

    nidoi_waitq_undo(waiter);
    barrier->arrived--;
    if (barrier->flags & NIDO_BARRIER_BREAKS) barrier_abort(barrier);
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind waiting = {
    .name = "barrier", .undo = barrier_undo, .name_at = NIDOI_SYNC_NAME};

int nido_barrier_init(nido_barrier *barrier, uint32_t n, uint32_t flags, const char *name)
{
    if (n == 0 || flags & ~(uint32_t)NIDO_BARRIER_BREAKS) return -EINVAL;
    *barrier = (nido_barrier){.size = n, .flags = flags};
    nidoi_sync_init(&barrier->sync, name);
    return 0;
}

/* 1: the round was complete with the caller; -EAGAIN: it is not; -EPIPE. */
static int barrier_complete(nido_barrier *barrier)
{
    if (barrier->aborted) return -EPIPE;
    if (barrier->arrived + 1 < barrier->size) return -EAGAIN;
    barrier_end_round(barrier, 0);
    return 1;
}

int nido_barrier_try_wait(nido_barrier *barrier)
{
    int err = nidoi_sync_bind_here(&barrier->sync, false);

    return err ? err : barrier_complete(barrier);
}

int nido_barrier_wait(nido_barrier *barrier)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_sync_bind(loop, &barrier->sync);
    if (!err) err = barrier_complete(barrier);
    if (err != -EAGAIN) return err;
    barrier->arrived++;
    nidoi_sync_enlist(&barrier->sync, &waiting, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_barrier_abort(nido_barrier *barrier)
{
    int err = nidoi_sync_bind_here(&barrier->sync, false);

    if (!err) barrier_abort(barrier);
    return err;
}

int nido_barrier_reset(nido_barrier *barrier)
{
    int err = nidoi_sync_bind_here(&barrier->sync, false);

    if (!err) barrier->aborted = 0;
    return err;
}

uint32_t nido_barrier_waiting(const nido_barrier *barrier)
{
    return barrier->arrived;
}

bool nido_barrier_is_aborted(const nido_barrier *barrier)
{
    return barrier->aborted;
}

int nido_barrier_deinit(nido_barrier *barrier)
{
    return nidoi_sync_deinit(&barrier->sync, false);
}

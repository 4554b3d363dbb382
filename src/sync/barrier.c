#include "nido/barrier.h"

#include "sync/sync.h"

/* A round is over, one way or the other. */
static void end_round(nido_barrier *barrier, int rc)
{
    barrier->arrived = 0;
    nidoi_sync_wake_all(&barrier->sync, rc);
}

static void abort_rounds(nido_barrier *barrier)
{
    barrier->aborted = 1;
    end_round(barrier, -EPIPE);
}

static enum nidoi_undo withdraw(struct nidoi_waiter *waiter)
{
    nido_barrier *barrier = nidoi_container(waiter->object, nido_barrier, sync);

    nidoi_waitq_undo(waiter);
    barrier->arrived--;
    if (barrier->flags & NIDO_BARRIER_BREAKS) abort_rounds(barrier);
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind waiting = {
    .name = "barrier", .undo = withdraw, .named = nidoi_sync_name};

int nido_barrier_init(nido_barrier *barrier, uint32_t n, uint32_t flags, const char *name)
{
    if (n == 0 || flags & ~(uint32_t)NIDO_BARRIER_BREAKS) return -EINVAL;
    *barrier = (nido_barrier){.size = n, .flags = flags};
    nidoi_sync_init(&barrier->sync, name);
    return 0;
}

int nido_barrier_wait(nido_barrier *barrier)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_bind(loop, &barrier->sync.thread);
    if (err) return err;
    if (barrier->aborted) return -EPIPE;
    if (barrier->arrived + 1 == barrier->size) {
        end_round(barrier, 0);
        return 1;
    }
    barrier->arrived++;
    nidoi_sync_line_up(&barrier->sync, &waiting, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_barrier_abort(nido_barrier *barrier)
{
    int err = nidoi_sync_foreign(&barrier->sync, false);

    if (!err) abort_rounds(barrier);
    return err;
}

int nido_barrier_reset(nido_barrier *barrier)
{
    int err = nidoi_sync_foreign(&barrier->sync, false);

    if (!err) barrier->aborted = 0;
    return err;
}

int nido_barrier_deinit(nido_barrier *barrier)
{
    return nidoi_sync_deinit(&barrier->sync, false);
}

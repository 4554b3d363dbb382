#include "nido/latch.h"
#include "coro/scope/park.h"

#include "sync/sync.h"

static const struct nidoi_wait_kind waiting = {
    .name = "latch", .undo = nidoi_waitq_undo, .named = nidoi_sync_name};

void nido_latch_init(nido_latch *latch, uint32_t count, const char *name)
{
    *latch = (nido_latch){.count = count};
    nidoi_sync_init(&latch->sync, name);
}

int nido_latch_add(nido_latch *latch, uint32_t n)
{
    int err = nidoi_sync_bind_here(&latch->sync, latch->leaving);

    if (err) return err;
    if (latch->leaving) return -EINVAL;
    if (n > UINT32_MAX - latch->count) return -EOVERFLOW;
    latch->count += n;
    return 0;
}

int nido_latch_done(nido_latch *latch)
{
    int err = nidoi_sync_bind_here(&latch->sync, latch->leaving);

    if (err) return err;
    if (latch->count == 0) return -EINVAL;
    if (--latch->count > 0) return 0;
    while (nidoi_waitq_wake(&latch->sync.waiters, 0)) latch->leaving++;
    return 0;
}

int nido_latch_wait(nido_latch *latch)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_bind(loop, &latch->sync.thread);
    if (err || latch->count == 0) return err;
    nidoi_sync_enlist(&latch->sync, &waiting, &queued);
    err = (int)nidoi_park(loop, &queued.waiter);
    if (!err) latch->leaving--;
    return err;
}

int nido_latch_deinit(nido_latch *latch)
{
    return nidoi_sync_deinit(&latch->sync, latch->leaving);
}

/* SPDX-License-Identifier: MIT */
#include "nido/once.h"
#include "coro/scope/park.h"

#include "coro/group/waits.h"
#include "sync/sync.h"

enum { YOUR_TURN = 1 }; /* node->n of the waiter that runs it next */

static const struct nidoi_wait_kind waiting = {.name = "once",
                                               .undo = nidoi_waitq_undo,
                                               .owner_at = offsetof(nido_once, runner),
                                               .name_at = NIDOI_SYNC_NAME};

void nido_once_init(nido_once *once, const char *name)
{
    *once = (nido_once){.runner = NULL};
    nidoi_sync_init(&once->sync, name);
}

static void once_succeed(nido_once *once, int rc)
{
    once->runner = NULL;
    once->rc = rc;
    once->done = 1;
    nidoi_sync_wake_all(&once->sync, rc);
}

/* The next runner is chosen here, not when it runs: no other task comes in between. */
static void once_pass_on(nido_once *once)
{
    struct nidoi_node *head = nidoi_waitq_first(&once->sync.waiters);

    once->runner = NULL;
    if (!head) return;
    once->runner = head->waiter->task;
    head->n = YOUR_TURN;
    nidoi_claim(head, 0);
}

static int once_run(nido_once *once, nido_fn *fn, void *arg)
{
    int rc = fn(arg);

    if (rc >= 0)
        once_succeed(once, rc);
    else
        once_pass_on(once);
    return rc;
}

int nido_once_do(nido_once *once, nido_fn *fn, void *arg)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int rc = nidoi_enter(&loop);

    if (!rc) rc = nidoi_sync_bind(loop, &once->sync);
    if (!rc && !fn) rc = -EINVAL;
    if (rc) return rc;
    if (once->done) return once->rc;
    if (!once->runner) {
        once->runner = loop->sched.current;
        return once_run(once, fn, arg);
    }
    if (nidoi_wait_check(loop, &waiting, &once->sync)) return -EDEADLK;
    nidoi_sync_enlist(&once->sync, &waiting, &queued);
    rc = (int)nidoi_park(loop, &queued.waiter);
    return queued.node.n == YOUR_TURN ? once_run(once, fn, arg) : rc;
}

int nido_once_deinit(nido_once *once)
{
    return nidoi_sync_deinit(&once->sync, once->runner);
}

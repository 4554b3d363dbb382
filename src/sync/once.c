/* SPDX-License-Identifier: MIT */
#include "nido/once.h"
#include "coro/scope/park.h"

#include "coro/group/waits.h"
#include "sync/sync.h"

enum { KEPT = 1, FORGOTTEN = 2 }; /* once->done */

/* node->n: it runs the work next; it shares a failure; it has asked after a forget, so that the work
 * that is under way is not what it wants. */
enum { YOUR_TURN = 1, SHARES = 2, LATER = 4 };

static const struct nidoi_wait_kind waiting = {.name = "once",
                                               .undo = nidoi_waitq_undo,
                                               .owner_at = offsetof(nido_once, runner),
                                               .name_at = NIDOI_SYNC_NAME};

void nido_once_init(nido_once *once, const char *name)
{
    *once = (nido_once){.runner = NULL};
    nidoi_sync_init(&once->sync, name);
}

/* Is the end of the work what this waiter asked for? A cancel is of the runner alone. */
static bool once_is_for(const struct nidoi_node *node, int rc)
{
    if (node->n & LATER) return false;
    return rc >= 0 || (rc != -ECANCELED && node->n & SHARES);
}

static void once_tell(nido_once *once, int rc)
{
    struct nidoi_link *all = &once->sync.waiters.nodes, *next;

    for (struct nidoi_link *link = all->next; link != all; link = next) {
        struct nidoi_node *node = nidoi_container(link, struct nidoi_node, link);

        next = link->next;
        if (once_is_for(node, rc))
            nidoi_claim(node, rc);
        else
            node->n &= ~LATER; /* the next work begins after all that was forgotten */
    }
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

    once->done = rc >= 0 && once->done != FORGOTTEN ? KEPT : 0;
    once->rc = rc;
    once_tell(once, rc);
    once_pass_on(once);
    return rc;
}

static int once_ask(nido_once *once, nido_fn *fn, void *arg, int32_t how)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int rc = nidoi_enter(&loop);

    if (!rc) rc = nidoi_sync_bind(loop, &once->sync);
    if (!rc && !fn) rc = -EINVAL;
    if (rc) return rc;
    if (once->done == KEPT) return once->rc;
    if (!once->runner) {
        once->runner = loop->sched.current;
        return once_run(once, fn, arg);
    }
    if (nidoi_wait_check(loop, &waiting, &once->sync)) return -EDEADLK;
    nidoi_sync_enlist(&once->sync, &waiting, &queued);
    queued.node.n = once->done == FORGOTTEN ? how | LATER : how;
    rc = (int)nidoi_park(loop, &queued.waiter);
    return queued.node.n == YOUR_TURN ? once_run(once, fn, arg) : rc;
}

int nido_once_do(nido_once *once, nido_fn *fn, void *arg)
{
    return once_ask(once, fn, arg, 0);
}

int nido_once_do_shared(nido_once *once, nido_fn *fn, void *arg)
{
    return once_ask(once, fn, arg, SHARES);
}

int nido_once_forget(nido_once *once)
{
    int err = nidoi_sync_bind_here(&once->sync, once->runner);

    if (!err) once->done = once->runner ? FORGOTTEN : 0;
    return err;
}

int nido_once_deinit(nido_once *once)
{
    return nidoi_sync_deinit(&once->sync, once->runner);
}

/* SPDX-License-Identifier: MIT */
#include "nido/cond.h"
#include "coro/scope/park.h"

#include "sync/mutex.h"

/* node->n: what the wait returns when it has the mutex again; 0: the mutex's state. */

static struct nidoi_queued *cond_unlink(struct nidoi_waiter *waiter)
{
    struct nidoi_queued *queued = nidoi_container(waiter, struct nidoi_queued, waiter);

    nidoi_list_remove(&queued->node.link);
    return queued;
}

/* Cancelled before it was notified: the wait ends as soon as it has the mutex again. */
static enum nidoi_undo cond_undo(struct nidoi_waiter *waiter)
{
    nido_cond *cond = nidoi_container(waiter->object, nido_cond, sync);
    struct nidoi_queued *queued = cond_unlink(waiter);

    queued->node.n = -ECANCELED;
    return nidoi_mutex_regain(cond->mutex, queued) ? NIDOI_WITHDRAWN : NIDOI_NOTED;
}

static const struct nidoi_wait_kind waiting = {
    .name = "condition", .undo = cond_undo, .name_at = NIDOI_SYNC_NAME};

void nido_cond_init(nido_cond *cond, const char *name)
{
    *cond = (nido_cond){.mutex = NULL};
    nidoi_sync_init(&cond->sync, name);
}

/* May the caller wait? 0, or what the wait returns at once. */
NIDOI_IN_CALLER int cond_enter(nido_cond *cond, nido_mutex *mutex, struct nidoi_loop **loop)
{
    int err = nidoi_enter(loop);

    if (!err) err = nidoi_sync_bind(*loop, &cond->sync);
    return err ? err : nidoi_mutex_check_owner(mutex);
}

NIDOI_IN_CALLER int cond_wait(struct nidoi_loop *loop, nido_cond *cond, nido_mutex *mutex)
{
    struct nidoi_queued queued;
    int rc;

    if (!nidoi_waitq_empty(&cond->sync.waiters) && cond->mutex != mutex) return -EINVAL;
    cond->mutex = mutex;
    nidoi_sync_enlist(&cond->sync, &waiting, &queued);
    mutex->expected++;
    nidoi_mutex_pass(mutex);
    rc = (int)nidoi_park(loop, &queued.waiter);
    return queued.node.n ? queued.node.n : rc;
}

int nido_cond_wait(nido_cond *cond, nido_mutex *mutex)
{
    struct nidoi_loop *loop;
    int err = cond_enter(cond, mutex, &loop);

    return err ? err : cond_wait(loop, cond, mutex);
}

/* It must not park: a notification between its answer and the wait would be lost. */
static bool cond_asks(struct nidoi_loop *loop, bool (*holds)(void *arg), void *arg)
{
    bool answer;

    nidoi_no_parking_begin(&loop->sched);
    answer = holds(arg);
    nidoi_no_parking_end(&loop->sched);
    return answer;
}

int nido_cond_wait_until(nido_cond *cond, nido_mutex *mutex, bool (*holds)(void *arg), void *arg)
{
    struct nidoi_loop *loop;
    int rc = cond_enter(cond, mutex, &loop);

    if (!rc && !holds) rc = -EINVAL;
    while (!rc && !cond_asks(loop, holds, arg)) {
        rc = cond_wait(loop, cond, mutex);
        if (rc || cond_asks(loop, holds, arg))
            break; /* what a notification brought counts, though cancelled since */
        rc = nidoi_enter(&loop);
    }
    return rc;
}

/* A notification is final: the task waits for the mutex from now on, or has it already. */
static bool cond_notify_first(nido_cond *cond)
{
    struct nidoi_node *first = nidoi_waitq_first(&cond->sync.waiters);
    struct nidoi_queued *queued;

    if (!first) return false;
    queued = cond_unlink(first->waiter);
    if (nidoi_mutex_regain(cond->mutex, queued))
        nidoi_wake(&queued->waiter, nidoi_mutex_state(cond->mutex));
    return true;
}

int nido_cond_notify(nido_cond *cond)
{
    int err = nidoi_sync_bind_here(&cond->sync, false);

    if (!err) cond_notify_first(cond);
    return err;
}

int nido_cond_notify_n(nido_cond *cond, uint32_t n)
{
    int err = nidoi_sync_bind_here(&cond->sync, false);

    if (err) return err;
    while (n && cond_notify_first(cond)) n--;
    return 0;
}

int nido_cond_notify_all(nido_cond *cond)
{
    int err = nidoi_sync_bind_here(&cond->sync, false);

    if (err) return err;
    while (cond_notify_first(cond)) {
    }
    return 0;
}

int nido_cond_deinit(nido_cond *cond)
{
    return nidoi_sync_deinit(&cond->sync, false);
}

/* SPDX-License-Identifier: MIT */
/* sync/waitq.c: the queue of nido/lowlevel.h, of which users make objects of their own.
 *
 * 1. A user's function runs where nothing may park: between the attempts of a select nothing else
 *    may change. Its calls are not charged to the task's budget, and do not renew it.
 * 2. The kind of a wait, as a report reads it, lies on the sleeper's stack beside the wait: it is
 *    made of the user's, whose struct may be an older one. */
#include <errno.h>

#include "coro/group/waits.h"
#include "coro/scope/park.h"
#include "nido/lowlevel.h"
#include "sync/select.h"
#include "sync/sync.h"

/* ---- The user's functions ---- */

static void waitq_check(const nido_waitq *queue)
{
    if (__builtin_expect(!queue->kind, 0))
        nidoi_panic("a queue is used that nido_waitq_init has not made");
}

static int waitq_attempt(struct nidoi_sched *sched, nido_waitq *queue, void *item)
{
    int budget = sched->budget, rc;

    nidoi_no_parking_begin(sched);
    rc = queue->kind->attempt(queue, item);
    nidoi_no_parking_end(sched);
    sched->budget = budget;
    return rc;
}

static void waitq_recheck(struct nidoi_recheck *recheck)
{
    nido_waitq *queue = nidoi_container(recheck, nido_waitq, recheck);
    struct nidoi_sched *sched = nidoi_sched_self;
    int budget = sched->budget;

    nidoi_no_parking_begin(sched);
    queue->kind->left(queue);
    nidoi_no_parking_end(sched);
    sched->budget = budget;
}

/* A waiter has left the queue without a wake. */
static void waitq_left(struct nidoi_sched *sched, nido_waitq *queue)
{
    queue->recheck.look = waitq_recheck;
    if (queue->kind->left) nidoi_recheck_run(sched, &queue->recheck);
}

static nido_waitq *waitq_of(const struct nidoi_waiter *waiter)
{
    return nidoi_container(waiter->object, nido_waitq, sync);
}

static nido_task waitq_ask_owner(struct nidoi_sched *sched, nido_waitq *queue)
{
    int budget = sched->budget;
    nido_task owner;

    nidoi_no_parking_begin(sched);
    owner = queue->kind->owner(queue);
    nidoi_no_parking_end(sched);
    sched->budget = budget;
    return owner;
}

static struct nidoi_task *waitq_owner(const struct nidoi_waiter *waiter)
{
    const struct nidoi_loop *loop = nidoi_loop_of(waiter->task->sched);
    nido_task owner = waitq_ask_owner(waiter->task->sched, waitq_of(waiter));
    struct nidoi_slot *slot = nidoi_slots_get(&loop->slots, owner.slot);

    return slot && owner.runtime == loop->number && slot->id == owner.id ? slot->task : NULL;
}

/* ---- Waiting ---- */

static enum nidoi_undo waitq_undo(struct nidoi_waiter *waiter)
{
    nido_waitq *queue = waitq_of(waiter);

    nidoi_waitq_undo(waiter);
    waitq_left(waiter->task->sched, queue);
    return NIDOI_WITHDRAWN;
}

/* Not inline: a call that need not wait does not pay for its frame. That the kind is passing a trace tells by its address,
 * so it must be on the task's stack (coro/task/trace.c): ASan may lay it out elsewhere. */
static __attribute__((noinline, no_sanitize_address)) int waitq_park(struct nidoi_loop *loop,
                                                                     nido_waitq *queue, void *item)
{
    struct nidoi_wait_kind waiting = {.name = queue->kind->name,
                                      .undo = waitq_undo,
                                      .owner = queue->kind->owner ? waitq_owner : NULL,
                                      .name_at = NIDOI_SYNC_NAME};
    struct nidoi_queued queued;
    int err = waiting.owner ? nidoi_wait_check(loop, &waiting, &queue->sync) : 0;

    if (err) return err;
    nidoi_sync_enlist(&queue->sync, &waiting, &queued);
    queued.node.item = item;
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_waitq_wait(nido_waitq *queue, void *item)
{
    struct nidoi_loop *loop;
    int rc = nidoi_enter(&loop);

    waitq_check(queue);
    if (!rc) rc = nidoi_sync_bind(loop, &queue->sync);
    if (rc) return rc;
    do {
        rc = waitq_attempt(&loop->sched, queue, item);
        if (rc == -EAGAIN) rc = waitq_park(loop, queue, item);
    } while (rc == -EAGAIN);
    return rc;
}

/* ---- Waking ---- */

int nido_waitq_use(nido_waitq *queue, bool in_use)
{
    waitq_check(queue);
    return nidoi_sync_bind_here(&queue->sync, in_use);
}

static void waitq_check_value(const nido_waitq *queue, int value)
{
    waitq_check(queue);
    if (__builtin_expect(value == -ECANCELED, 0))
        nidoi_panic("a waiter of \"%s\" is woken with -ECANCELED, which only a cancel may say",
                    queue->sync.name ? queue->sync.name : queue->kind->name);
}

int nido_waitq_wake(nido_waitq *queue, int value)
{
    int err = nidoi_sync_bind_here(&queue->sync, false);

    waitq_check_value(queue, value);
    return err ? err : nidoi_waitq_wake(&queue->sync.waiters, value);
}

int nido_waitq_wake_all(nido_waitq *queue, int value)
{
    int woken = nidoi_sync_bind_here(&queue->sync, false);

    waitq_check_value(queue, value);
    if (woken) return woken;
    while (nidoi_waitq_wake(&queue->sync.waiters, value)) woken++;
    return woken;
}

bool nido_waitq_empty(const nido_waitq *queue)
{
    return !nidoi_sync_has_waiters(&queue->sync);
}

void *nido_waitq_first(const nido_waitq *queue)
{
    if (!nidoi_sync_has_waiters(&queue->sync)) return NULL;
    return nidoi_waitq_first(&queue->sync.waiters)->item;
}

/* ---- Its life ---- */

void nido_waitq_init(nido_waitq *queue, const nido_wait_kind *kind, const char *name)
{
    if (!kind || !kind->name || !kind->attempt)
        nidoi_panic("nido_waitq_init of \"%s\": the kind has no %s", name ? name : "",
                    !kind         ? "struct"
                    : !kind->name ? "name"
                                  : "attempt");
    *queue = (nido_waitq){.kind = kind};
    nidoi_sync_init(&queue->sync, name);
}

int nido_waitq_deinit(const nido_waitq *queue)
{
    return nidoi_sync_deinit(&queue->sync, false);
}

/* ---- Its arm of a select ---- */

static const char *waitq_arm_name(const nido_arm *arm)
{
    const nido_waitq *queue = arm->object;

    return queue->sync.name ? queue->sync.name : queue->kind->name;
}

static int waitq_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_waitq *queue = arm->object;
    int err = nidoi_sync_bind(loop, &queue->sync);

    waitq_check(queue);
    return err ? err : waitq_attempt(&loop->sched, queue, arm->node.item);
}

static int waitq_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_waitq *queue = arm->object;

    (void)loop;
    nidoi_list_append(&queue->sync.waiters.nodes, &arm->node.link);
    return 0;
}

static void waitq_arm_left(struct nidoi_loop *loop, nido_arm *arm)
{
    waitq_left(&loop->sched, arm->object);
}

static const struct nidoi_arm_kind waitq_arm = {.name = "wait",
                                                .attempt = waitq_arm_attempt,
                                                .enlist = waitq_arm_enlist,
                                                .withdraw = nidoi_arm_unlink,
                                                .left = waitq_arm_left,
                                                .named = waitq_arm_name};

void nido_arm_waitq(nido_arm *arm, nido_waitq *queue, void *item)
{
    *arm = (nido_arm){.kind = &waitq_arm, .object = queue, .node.item = item};
}

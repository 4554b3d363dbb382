/* SPDX-License-Identifier: MIT */
/* sync/sem.c: permits, granted in the order of the queue: while the first waiter waits for more
 * permits than there are, those behind it wait too. */
#include "nido/sem.h"
#include "coro/scope/park.h"

#include "sync/select.h"
#include "sync/sync.h"

static nido_sem *sem_of(struct nidoi_waiter *waiter)
{
    return nidoi_container(waiter->object, nido_sem, sync);
}

/* Grants permits from the head of the queue on, as long as there are enough; node->n are wanted. */
static void sem_recheck(struct nidoi_recheck *recheck)
{
    nido_sem *sem = nidoi_container(recheck, nido_sem, recheck);
    struct nidoi_node *head;

    while (!sem->closed && (head = nidoi_waitq_first(&sem->sync.waiters)) &&
           (uint32_t)head->n <= sem->count) {
        sem->count -= (uint32_t)head->n;
        nidoi_claim(head, 0);
    }
}

static void sem_serve(struct nidoi_sched *sched, nido_sem *sem)
{
    sem->recheck.look = sem_recheck;
    nidoi_recheck_run(sched, &sem->recheck);
}

static enum nidoi_undo sem_undo(struct nidoi_waiter *waiter)
{
    nidoi_waitq_undo(waiter);
    sem_serve(waiter->task->sched, sem_of(waiter));
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind waiting = {
    .name = "semaphore", .undo = sem_undo, .name_at = NIDOI_SYNC_NAME};

int nido_sem_init(nido_sem *sem, uint32_t count, uint32_t max, const char *name)
{
    if (max == 0 || max > INT32_MAX || count > max) return -EINVAL;
    *sem = (nido_sem){.count = count, .max = max};
    nidoi_sync_init(&sem->sync, name);
    return 0;
}

/* -EAGAIN: the caller has to wait. */
static int sem_take(nido_sem *sem, uint32_t n)
{
    if (n == 0 || n > sem->max) return -EINVAL;
    if (sem->closed) return -ESHUTDOWN;
    if (n > sem->count || !nidoi_waitq_empty(&sem->sync.waiters)) return -EAGAIN;
    sem->count -= n;
    return 0;
}

/* Not inline: a call that need not wait does not pay for its frame. */
static __attribute__((noinline)) int sem_wait_for(struct nidoi_loop *loop, nido_sem *sem,
                                                  uint32_t n)
{
    struct nidoi_queued queued;

    nidoi_sync_enlist(&sem->sync, &waiting, &queued);
    queued.node.n = (int32_t)n;
    return (int)nidoi_park(loop, &queued.waiter);
}

NIDOI_IN_CALLER int sem_acquire(nido_sem *sem, uint32_t n)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_sync_bind(loop, &sem->sync);
    if (!err) err = sem_take(sem, n);
    return err == -EAGAIN ? sem_wait_for(loop, sem, n) : err;
}

static int sem_try_acquire(nido_sem *sem, uint32_t n)
{
    int err = nidoi_sync_bind_here(&sem->sync, false);

    return err ? err : sem_take(sem, n);
}

static int sem_release(nido_sem *sem, uint32_t n)
{
    int err = nidoi_sync_bind_here(&sem->sync, false);

    if (err) return err;
    if (n > sem->max - sem->count) return -EOVERFLOW;
    sem->count += n;
    if (!nidoi_waitq_empty(&sem->sync.waiters)) sem_serve(nidoi_sched_self, sem);
    return 0;
}

int nido_sem_acquire(nido_sem *sem)
{
    return sem_acquire(sem, 1);
}

int nido_sem_acquire_n(nido_sem *sem, uint32_t n)
{
    return sem_acquire(sem, n);
}

int nido_sem_try_acquire(nido_sem *sem)
{
    return sem_try_acquire(sem, 1);
}

int nido_sem_try_acquire_n(nido_sem *sem, uint32_t n)
{
    return sem_try_acquire(sem, n);
}

int nido_sem_release(nido_sem *sem)
{
    return sem_release(sem, 1);
}

int nido_sem_release_n(nido_sem *sem, uint32_t n)
{
    return sem_release(sem, n);
}

int nido_sem_close(nido_sem *sem)
{
    int err = nidoi_sync_bind_here(&sem->sync, false);

    if (err) return err;
    sem->closed = 1;
    nidoi_sync_wake_all(&sem->sync, -ESHUTDOWN);
    return 0;
}

uint32_t nido_sem_count(const nido_sem *sem)
{
    return sem->count;
}

int nido_sem_deinit(nido_sem *sem)
{
    return nidoi_sync_deinit(&sem->sync, false);
}

/* ---- Its arm of a select ---- */

static const char *sem_arm_name(const nido_arm *arm)
{
    return ((const nido_sem *)arm->object)->sync.name;
}

static int sem_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return nido_sem_try_acquire_n(arm->object, (uint32_t)arm->node.n);
}

static int sem_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_sem *sem = arm->object;

    (void)loop;
    nidoi_list_append(&sem->sync.waiters.nodes, &arm->node.link);
    return 0;
}

static void sem_arm_recheck(struct nidoi_loop *loop, nido_arm *arm)
{
    sem_serve(&loop->sched, arm->object);
}

static const struct nidoi_arm_kind sem_arm = {.name = "semaphore",
                                              .attempt = sem_arm_attempt,
                                              .enlist = sem_arm_enlist,
                                              .withdraw = nidoi_arm_unlink,
                                              .left = sem_arm_recheck,
                                              .named = sem_arm_name};

void nido_arm_sem(nido_arm *arm, nido_sem *sem)
{
    *arm = (nido_arm){.kind = &sem_arm, .object = sem, .node.n = 1};
}

/* SPDX-License-Identifier: MIT */
/* sync/rwlock.c: any number of readers or one writer, in the order of the queue: a reader waits
 * behind a writer that waits. Readers are counted; only a writer is known as a task, so that its
 * end can break the lock. */
#include "nido/rwlock.h"
#include "coro/scope/park.h"

#include "coro/group/waits.h"
#include "sync/select.h"
#include "sync/sync.h"

enum access { READ = 0, WRITE = 1 }; /* node->n */

static nido_rwlock *rwlock_of(const struct nidoi_waiter *waiter)
{
    return nidoi_container(waiter->object, nido_rwlock, sync);
}

static bool rwlock_is_held(const nido_rwlock *lock)
{
    return lock->writer || lock->readers;
}

static bool rwlock_admits(const nido_rwlock *lock, enum access access)
{
    return access == READ ? !lock->writer : !rwlock_is_held(lock);
}

static void rwlock_owner_died(struct nidoi_held *held);

/* What the lock call returns to the task. */
static int rwlock_admit(nido_rwlock *lock, struct nidoi_task *task, enum access access)
{
    if (access == READ) {
        lock->readers++;
    } else {
        lock->writer = task;
        lock->held.orphaned = rwlock_owner_died;
        nidoi_held_add(task, &lock->held);
    }
    return lock->broken ? -EOWNERDEAD : 0;
}

static void rwlock_recheck(struct nidoi_recheck *recheck)
{
    nido_rwlock *lock = nidoi_container(recheck, nido_rwlock, recheck);
    struct nidoi_node *head;

    while ((head = nidoi_waitq_first(&lock->sync.waiters)) && rwlock_admits(lock, head->n))
        nidoi_claim(head, rwlock_admit(lock, head->waiter->task, head->n));
}

static void rwlock_serve(struct nidoi_sched *sched, nido_rwlock *lock)
{
    lock->recheck.look = rwlock_recheck;
    nidoi_recheck_run(sched, &lock->recheck);
}

static enum nidoi_undo rwlock_undo(struct nidoi_waiter *waiter)
{
    nidoi_waitq_undo(waiter);
    rwlock_serve(waiter->task->sched, rwlock_of(waiter));
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind kinds[] = {[READ] = {.name = "rwlock (to read)",
                                                         .undo = rwlock_undo,
                                                         .owner_at = offsetof(nido_rwlock, writer),
                                                         .name_at = NIDOI_SYNC_NAME},
                                               [WRITE] = {.name = "rwlock (to write)",
                                                          .undo = rwlock_undo,
                                                          .owner_at = offsetof(nido_rwlock, writer),
                                                          .name_at = NIDOI_SYNC_NAME}};

static void rwlock_owner_died(struct nidoi_held *held)
{
    nido_rwlock *lock = nidoi_container(held, nido_rwlock, held);

    nidoi_sync_owner_died("rwlock", &lock->sync);
    lock->broken = 1;
    lock->writer = NULL;
    rwlock_serve(nidoi_sched_self, lock);
}

void nido_rwlock_init(nido_rwlock *lock, const char *name)
{
    *lock = (nido_rwlock){.writer = NULL};
    nidoi_sync_init(&lock->sync, name);
}

/* -EAGAIN: the caller has to wait. */
static int rwlock_take(nido_rwlock *lock, struct nidoi_loop *loop, enum access access)
{
    struct nidoi_task *task = loop->sched.current;
    int err = nidoi_sync_bind(loop, &lock->sync);

    if (err) return err;
    if (lock->writer == task) return nidoi_sync_has_it("holds", "read-write lock", &lock->sync);
    if (!rwlock_admits(lock, access) || !nidoi_waitq_empty(&lock->sync.waiters)) return -EAGAIN;
    return rwlock_admit(lock, task, access);
}

NIDOI_IN_CALLER int rwlock_lock(nido_rwlock *lock, enum access access)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = rwlock_take(lock, loop, access);
    if (err != -EAGAIN) return err;
    if (nidoi_wait_check(loop, &kinds[access], &lock->sync)) return -EDEADLK;
    nidoi_sync_enlist(&lock->sync, &kinds[access], &queued);
    queued.node.n = access;
    return (int)nidoi_park(loop, &queued.waiter);
}

static int rwlock_try(nido_rwlock *lock, enum access access)
{
    struct nidoi_loop *loop;
    int err = nidoi_sync_try(&loop);

    return err ? err : rwlock_take(lock, loop, access);
}

int nido_rwlock_read_lock(nido_rwlock *lock)
{
    return rwlock_lock(lock, READ);
}

int nido_rwlock_write_lock(nido_rwlock *lock)
{
    return rwlock_lock(lock, WRITE);
}

int nido_rwlock_try_read_lock(nido_rwlock *lock)
{
    return rwlock_try(lock, READ);
}

int nido_rwlock_try_write_lock(nido_rwlock *lock)
{
    return rwlock_try(lock, WRITE);
}

int nido_rwlock_read_unlock(nido_rwlock *lock)
{
    int err = nidoi_sync_bind_here(&lock->sync, rwlock_is_held(lock));

    if (err) return err;
    if (!lock->readers) return -EPERM;
    lock->readers--;
    rwlock_serve(nidoi_sched_self, lock);
    return 0;
}

/* 0: the running task holds it for writing; -EPERM, -EXDEV. */
static int rwlock_check_writer(nido_rwlock *lock)
{
    int err = nidoi_sync_bind_here(&lock->sync, rwlock_is_held(lock));

    if (err) return err;
    return lock->writer && lock->writer == nidoi_sched_self->current ? 0 : -EPERM;
}

int nido_rwlock_write_unlock(nido_rwlock *lock)
{
    int err = rwlock_check_writer(lock);

    if (err) return err;
    nidoi_held_remove(&lock->held);
    lock->writer = NULL;
    rwlock_serve(nidoi_sched_self, lock);
    return 0;
}

int nido_rwlock_repair(nido_rwlock *lock)
{
    int err = rwlock_check_writer(lock);

    if (err) return err;
    if (!lock->broken) return -EINVAL;
    lock->broken = 0;
    return 0;
}

int nido_rwlock_deinit(nido_rwlock *lock)
{
    return nidoi_sync_deinit(&lock->sync, rwlock_is_held(lock));
}

/* ---- Its arms of a select ---- */

static const char *rwlock_arm_name(const nido_arm *arm)
{
    return ((const nido_rwlock *)arm->object)->sync.name;
}

static int rwlock_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return rwlock_try(arm->object, arm->node.n);
}

static int rwlock_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    nidoi_list_append(&((nido_rwlock *)arm->object)->sync.waiters.nodes, &arm->node.link);
    return 0;
}

static void rwlock_arm_left(struct nidoi_loop *loop, nido_arm *arm)
{
    rwlock_serve(&loop->sched, arm->object);
}

static const struct nidoi_arm_kind rwlock_arm = {.name = "rwlock",
                                                 .attempt = rwlock_arm_attempt,
                                                 .enlist = rwlock_arm_enlist,
                                                 .withdraw = nidoi_arm_unlink,
                                                 .left = rwlock_arm_left,
                                                 .named = rwlock_arm_name};

void nido_arm_rwlock_read(nido_arm *arm, nido_rwlock *lock)
{
    *arm = (nido_arm){.kind = &rwlock_arm, .object = lock, .node.n = READ};
}

void nido_arm_rwlock_write(nido_arm *arm, nido_rwlock *lock)
{
    *arm = (nido_arm){.kind = &rwlock_arm, .object = lock, .node.n = WRITE};
}

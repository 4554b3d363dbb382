#include "nido/rwlock.h"

#include "coro/group/waits.h"
#include "sync/sync.h"

enum wish { READ = 0, WRITE = 1 }; /* node->n */

static nido_rwlock *lock_of(const struct nidoi_waiter *waiter)
{
    return nidoi_container(waiter->object, nido_rwlock, sync);
}

static bool inside(const nido_rwlock *lock)
{
    return lock->writer || lock->readers;
}

static bool admits(const nido_rwlock *lock, enum wish wish)
{
    return wish == READ ? !lock->writer : !inside(lock);
}

/* Returns what the task is told. */
static int admit(nido_rwlock *lock, struct nidoi_task *task, enum wish wish)
{
    if (wish == READ) {
        lock->readers++;
    } else {
        lock->writer = task;
        nidoi_held_add(task, &lock->held);
    }
    return lock->broken ? -EOWNERDEAD : 0;
}

static void look(struct nidoi_recheck *recheck)
{
    nido_rwlock *lock = nidoi_container(recheck, nido_rwlock, recheck);
    struct nidoi_node *head;

    while ((head = nidoi_waitq_first(&lock->sync.waiters)) && admits(lock, head->n))
        nidoi_claim(head, admit(lock, head->waiter->task, head->n));
}

static enum nidoi_undo withdraw(struct nidoi_waiter *waiter)
{
    nidoi_waitq_undo(waiter);
    nidoi_recheck_run(waiter->task->sched, &lock_of(waiter)->recheck);
    return NIDOI_WITHDRAWN;
}

static struct nidoi_task *writer_of(const struct nidoi_waiter *waiter)
{
    return lock_of(waiter)->writer;
}

static const struct nidoi_wait_kind kinds[] = {[READ] = {.name = "rwlock (to read)",
                                                         .undo = withdraw,
                                                         .owner = writer_of,
                                                         .named = nidoi_sync_name},
                                               [WRITE] = {.name = "rwlock (to write)",
                                                          .undo = withdraw,
                                                          .owner = writer_of,
                                                          .named = nidoi_sync_name}};

static void orphaned(struct nidoi_held *held)
{
    nido_rwlock *lock = nidoi_container(held, nido_rwlock, held);

    nidoi_sync_bereaved("rwlock", &lock->sync);
    lock->broken = 1;
    lock->writer = NULL;
    nidoi_recheck_run(nidoi_sched_self, &lock->recheck);
}

void nido_rwlock_init(nido_rwlock *lock, const char *name)
{
    *lock = (nido_rwlock){.recheck = {.look = look}, .held = {.orphaned = orphaned}};
    nidoi_sync_init(&lock->sync, name);
}

/* -EAGAIN: it would have to wait. */
static int enter(nido_rwlock *lock, struct nidoi_loop *loop, enum wish wish)
{
    struct nidoi_task *task = loop->sched.current;
    int err = nidoi_bind(loop, &lock->sync.thread);

    if (err) return err;
    if (lock->writer == task) return -EDEADLK;
    if (!admits(lock, wish) || !nidoi_waitq_empty(&lock->sync.waiters)) return -EAGAIN;
    return admit(lock, task, wish);
}

NIDOI_IN_CALLER int wait(nido_rwlock *lock, enum wish wish)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = enter(lock, loop, wish);
    if (err != -EAGAIN) return err;
    if (nidoi_wait_check(loop, &kinds[wish], &lock->sync)) return -EDEADLK;
    nidoi_sync_line_up(&lock->sync, &kinds[wish], &queued);
    queued.node.n = wish;
    return (int)nidoi_park(loop, &queued.waiter);
}

static int try(nido_rwlock *lock, enum wish wish)
{
    struct nidoi_loop *loop;
    int err = nidoi_sync_try(&loop);

    return err ? err : enter(lock, loop, wish);
}

int nido_rwlock_read_lock(nido_rwlock *lock)
{
    return wait(lock, READ);
}

int nido_rwlock_write_lock(nido_rwlock *lock)
{
    return wait(lock, WRITE);
}

int nido_rwlock_try_read_lock(nido_rwlock *lock)
{
    return try(lock, READ);
}

int nido_rwlock_try_write_lock(nido_rwlock *lock)
{
    return try(lock, WRITE);
}

int nido_rwlock_read_unlock(nido_rwlock *lock)
{
    int err = nidoi_sync_foreign(&lock->sync, inside(lock));

    if (err) return err;
    if (!lock->readers) return -EPERM;
    lock->readers--;
    nidoi_recheck_run(nidoi_sched_self, &lock->recheck);
    return 0;
}

/* Does the running task write? 0, -EPERM, -EXDEV. */
static int writing(nido_rwlock *lock)
{
    int err = nidoi_sync_foreign(&lock->sync, inside(lock));

    if (err) return err;
    return lock->writer && lock->writer == nidoi_sched_self->current ? 0 : -EPERM;
}

int nido_rwlock_write_unlock(nido_rwlock *lock)
{
    int err = writing(lock);

    if (err) return err;
    nidoi_held_remove(&lock->held);
    lock->writer = NULL;
    nidoi_recheck_run(nidoi_sched_self, &lock->recheck);
    return 0;
}

int nido_rwlock_repair(nido_rwlock *lock)
{
    int err = writing(lock);

    if (err) return err;
    if (!lock->broken) return -EINVAL;
    lock->broken = 0;
    return 0;
}

int nido_rwlock_deinit(nido_rwlock *lock)
{
    return nidoi_sync_deinit(&lock->sync, inside(lock));
}

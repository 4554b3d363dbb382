/* SPDX-License-Identifier: MIT */
#include "sync/mutex.h"
#include "coro/group/waits.h"
#include "coro/scope/park.h"

static const struct nidoi_wait_kind waiting = {.name = "mutex",
                                               .undo = nidoi_waitq_undo,
                                               .owner_at = offsetof(nido_mutex, owner),
                                               .name_at = NIDOI_SYNC_NAME};

/* The end of a wait for a condition: no undo, the caller must have the mutex. */
static const struct nidoi_wait_kind returning = {
    .name = "mutex", .owner_at = offsetof(nido_mutex, owner), .name_at = NIDOI_SYNC_NAME};

static void mutex_own(nido_mutex *mutex, struct nidoi_task *task)
{
    mutex->owner = task;
    nidoi_held_add(task, &mutex->held);
}

/* It has no owner, and is in no task's list of what it holds. */
static void mutex_grant(nido_mutex *mutex)
{
    struct nidoi_node *head = nidoi_waitq_first(&mutex->sync.waiters);

    mutex->owner = NULL;
    if (!head) return;
    mutex_own(mutex, head->waiter->task);
    nidoi_claim(head, nidoi_mutex_state(mutex));
}

static void mutex_owner_died(struct nidoi_held *held)
{
    nido_mutex *mutex = nidoi_container(held, nido_mutex, held);

    nidoi_sync_owner_died("mutex", &mutex->sync);
    mutex->broken = 1;
    mutex_grant(mutex);
}

/* The first binding makes what zeros lack: a mutex that is taken again and again pays nothing. */
static int mutex_bind(const struct nidoi_loop *loop, nido_mutex *mutex)
{
    int err;

    if (__atomic_load_n(&mutex->sync.thread, __ATOMIC_RELAXED) == loop->thread) return 0;
    err = nidoi_sync_bind_first(loop, &mutex->sync);
    if (!err) mutex->held.orphaned = mutex_owner_died;
    return err;
}

int nidoi_mutex_check_owner(nido_mutex *mutex)
{
    const struct nidoi_loop *loop = nidoi_loop_self();
    int err;

    if (loop && mutex->owner == loop->sched.current) return 0;
    err = loop ? mutex_bind(loop, mutex) : nidoi_sync_use_idle(&mutex->sync, mutex->owner);
    return err ? err : -EPERM;
}

void nidoi_mutex_pass(nido_mutex *mutex)
{
    nidoi_held_remove(&mutex->held);
    mutex_grant(mutex);
}

bool nidoi_mutex_regain(nido_mutex *mutex, struct nidoi_queued *queued)
{
    mutex->expected--;
    if (!mutex->owner) {
        mutex_own(mutex, queued->waiter.task);
        return true;
    }
    queued->waiter.kind = &returning;
    queued->waiter.object = &mutex->sync;
    nidoi_list_append(&mutex->sync.waiters.nodes, &queued->node.link);
    return false;
}

void nido_mutex_init(nido_mutex *mutex, const char *name)
{
    *mutex = (nido_mutex){.owner = NULL};
    nidoi_sync_init(&mutex->sync, name);
}

/* -EAGAIN: the caller has to wait. */
static int mutex_take(nido_mutex *mutex, struct nidoi_loop *loop)
{
    struct nidoi_task *task = loop->sched.current;
    int err = mutex_bind(loop, mutex);

    if (err) return err;
    if (mutex->owner)
        return mutex->owner == task ? nidoi_sync_has_it("holds", "mutex", &mutex->sync) : -EAGAIN;
    mutex_own(mutex, task);
    return nidoi_mutex_state(mutex);
}

/* Not inline: a call that need not wait does not pay for its frame. */
static __attribute__((noinline)) int mutex_wait_for(nido_mutex *mutex, struct nidoi_loop *loop)
{
    struct nidoi_queued queued;

    if (nidoi_wait_check(loop, &waiting, &mutex->sync)) return -EDEADLK;
    nidoi_sync_enlist(&mutex->sync, &waiting, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_mutex_lock(nido_mutex *mutex)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = mutex_take(mutex, loop);
    return err == -EAGAIN ? mutex_wait_for(mutex, loop) : err;
}

int nido_mutex_try_lock(nido_mutex *mutex)
{
    struct nidoi_loop *loop;
    int err = nidoi_sync_try(&loop);

    return err ? err : mutex_take(mutex, loop);
}

int nido_mutex_unlock(nido_mutex *mutex)
{
    int err = nidoi_mutex_check_owner(mutex);

    if (!err) nidoi_mutex_pass(mutex);
    return err;
}

int nido_mutex_repair(nido_mutex *mutex)
{
    int err = nidoi_mutex_check_owner(mutex);

    if (err) return err;
    if (!mutex->broken) return -EINVAL;
    mutex->broken = 0;
    return 0;
}

int nido_mutex_deinit(nido_mutex *mutex)
{
    return nidoi_sync_deinit(&mutex->sync, mutex->owner || mutex->expected);
}

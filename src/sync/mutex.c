#include "sync/mutex.h"
#include "coro/group/waits.h"

static struct nidoi_task *owner_of(const struct nidoi_waiter *waiter)
{
    return nidoi_container(waiter->object, nido_mutex, sync)->owner;
}

static const struct nidoi_wait_kind waiting = {
    .name = "mutex", .undo = nidoi_waitq_undo, .owner = owner_of, .named = nidoi_sync_name};

/* Back from a condition: settled, so no undo. */
static const struct nidoi_wait_kind returning = {
    .name = "mutex", .owner = owner_of, .named = nidoi_sync_name};

static void own(nido_mutex *mutex, struct nidoi_task *task)
{
    mutex->owner = task;
    nidoi_held_add(task, &mutex->held);
}

/* It has no owner and is in nobody's list. */
static void grant(nido_mutex *mutex)
{
    struct nidoi_node *head = nidoi_waitq_first(&mutex->sync.waiters);

    mutex->owner = NULL;
    if (!head) return;
    own(mutex, head->waiter->task);
    nidoi_claim(head, nidoi_mutex_state(mutex));
}

static void orphaned(struct nidoi_held *held)
{
    nido_mutex *mutex = nidoi_container(held, nido_mutex, held);

    nidoi_sync_bereaved("mutex", &mutex->sync);
    mutex->broken = 1;
    grant(mutex);
}

int nidoi_mutex_mine(nido_mutex *mutex)
{
    const struct nidoi_sched *sched = nidoi_sched_self;
    int err;

    if (sched && mutex->owner == sched->current) return 0;
    err = nidoi_sync_foreign(&mutex->sync, mutex->owner);
    return err ? err : -EPERM;
}

void nidoi_mutex_pass(nido_mutex *mutex)
{
    nidoi_held_remove(&mutex->held);
    grant(mutex);
}

bool nidoi_mutex_regain(nido_mutex *mutex, struct nidoi_queued *queued)
{
    mutex->expected--;
    if (!mutex->owner) {
        own(mutex, queued->waiter.task);
        return true;
    }
    queued->waiter.kind = &returning;
    queued->waiter.object = &mutex->sync;
    nidoi_list_append(&mutex->sync.waiters.nodes, &queued->node.link);
    return false;
}

void nido_mutex_init(nido_mutex *mutex, const char *name)
{
    *mutex = (nido_mutex){.held = {.orphaned = orphaned}};
    nidoi_sync_init(&mutex->sync, name);
}

/* -EAGAIN: it would have to wait. */
static int take(nido_mutex *mutex, struct nidoi_loop *loop)
{
    struct nidoi_task *task = loop->sched.current;
    int err = nidoi_bind(loop, &mutex->sync.thread);

    if (err) return err;
    if (mutex->owner) return mutex->owner == task ? -EDEADLK : -EAGAIN;
    own(mutex, task);
    return nidoi_mutex_state(mutex);
}

/* Not inline: who need not wait should not pay for its frame. */
static __attribute__((noinline)) int wait_for(nido_mutex *mutex, struct nidoi_loop *loop)
{
    struct nidoi_queued queued;

    if (nidoi_wait_check(loop, &waiting, &mutex->sync)) return -EDEADLK;
    nidoi_sync_line_up(&mutex->sync, &waiting, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_mutex_lock(nido_mutex *mutex)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = take(mutex, loop);
    return err == -EAGAIN ? wait_for(mutex, loop) : err;
}

int nido_mutex_try_lock(nido_mutex *mutex)
{
    struct nidoi_loop *loop;
    int err = nidoi_sync_try(&loop);

    return err ? err : take(mutex, loop);
}

int nido_mutex_unlock(nido_mutex *mutex)
{
    int err = nidoi_mutex_mine(mutex);

    if (!err) nidoi_mutex_pass(mutex);
    return err;
}

int nido_mutex_repair(nido_mutex *mutex)
{
    int err = nidoi_mutex_mine(mutex);

    if (err) return err;
    if (!mutex->broken) return -EINVAL;
    mutex->broken = 0;
    return 0;
}

int nido_mutex_deinit(nido_mutex *mutex)
{
    return nidoi_sync_deinit(&mutex->sync, mutex->owner || mutex->expected);
}

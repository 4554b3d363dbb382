/* sync/arms.c: the arms of a select over channels, events, semaphores and tasks. */
#include "nido/event.h"
#include "nido/sem.h"
#include "nido/task.h"
#include "sync/chan.h"
#include "sync/items.h"
#include "sync/select.h"

/* ---- Channels ---- */

static const char *chan_named(const nido_arm *arm)
{
    return ((const nido_chan *)arm->object)->name;
}

static int attempt_send(struct nidoi_loop *loop, nido_arm *arm)
{
    return nidoi_chan_give(loop, arm->object, arm->node.item);
}

static int attempt_recv(struct nidoi_loop *loop, nido_arm *arm)
{
    return nidoi_chan_take(loop, arm->object, arm->node.item);
}

static int attempt_reserve(struct nidoi_loop *loop, nido_arm *arm)
{
    return nidoi_chan_reserve(loop, arm->object);
}

static int join_senders(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_chan *chan = arm->object;

    (void)loop;
    nidoi_list_append(&chan->senders.nodes, &arm->node.link);
    return 0;
}

static int join_receivers(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_chan *chan = arm->object;

    (void)loop;
    nidoi_list_append(&chan->receivers.nodes, &arm->node.link);
    return 0;
}

#define CHAN_KIND(attempt_it, join)                                                             \
    {                                                                                           \
        .name = "channel", .attempt = attempt_it, .enlist = join, .withdraw = nidoi_arm_unlink, \
        .named = chan_named                                                                     \
    }
static const struct nidoi_arm_kind sending = CHAN_KIND(attempt_send, join_senders);
static const struct nidoi_arm_kind reserving = CHAN_KIND(attempt_reserve, join_senders);
static const struct nidoi_arm_kind receiving = CHAN_KIND(attempt_recv, join_receivers);

void nido_arm_send(nido_arm *arm, nido_chan *chan, const void *item)
{
    *arm = (nido_arm){.kind = &sending, .object = chan, .node.item = (void *)item};
}

void nido_arm_recv(nido_arm *arm, nido_chan *chan, void *item)
{
    *arm = (nido_arm){.kind = &receiving, .object = chan, .node.item = item};
}

void nido_arm_reserve(nido_arm *arm, nido_chan *chan)
{
    *arm = (nido_arm){.kind = &reserving, .object = chan};
}

/* ---- Events ---- */

static const char *event_named(const nido_arm *arm)
{
    return ((const nido_event *)arm->object)->sync.name;
}

static int attempt_event(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_event *event = arm->object;
    int err = nidoi_bind(loop, &event->sync.thread);

    if (err) return err;
    return event->set ? 0 : -EAGAIN;
}

static int enlist_event(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_event *event = arm->object;

    (void)loop;
    nidoi_list_append(&event->sync.waiters.nodes, &arm->node.link);
    return 0;
}

static const struct nidoi_arm_kind event_set = {.name = "event",
                                                .attempt = attempt_event,
                                                .enlist = enlist_event,
                                                .withdraw = nidoi_arm_unlink,
                                                .named = event_named};

void nido_arm_event(nido_arm *arm, nido_event *event)
{
    *arm = (nido_arm){.kind = &event_set, .object = event};
}

/* ---- Semaphores ---- */

static const char *sem_named(const nido_arm *arm)
{
    return ((const nido_sem *)arm->object)->sync.name;
}

static int attempt_acquire(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return nido_sem_try_acquire_n(arm->object, (uint32_t)arm->node.n);
}

static int enlist_acquire(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_sem *sem = arm->object;

    (void)loop;
    nidoi_list_append(&sem->sync.waiters.nodes, &arm->node.link);
    return 0;
}

static void stir_sem(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_stir(&loop->sched, &((nido_sem *)arm->object)->stirred);
}

static const struct nidoi_arm_kind acquiring = {.name = "semaphore",
                                                .attempt = attempt_acquire,
                                                .enlist = enlist_acquire,
                                                .withdraw = nidoi_arm_unlink,
                                                .left = stir_sem,
                                                .named = sem_named};

void nido_arm_sem(nido_arm *arm, nido_sem *sem)
{
    *arm = (nido_arm){.kind = &acquiring, .object = sem, .node.n = 1};
}

/* ---- Tasks ---- */

static int attempt_join(struct nidoi_loop *loop, nido_arm *arm)
{
    if (arm->of.task.id == loop->sched.current->id) return -EDEADLK;
    return nido_try_join(arm->of.task, &arm->result);
}

static int enlist_join(struct nidoi_loop *loop, nido_arm *arm)
{
    struct nidoi_slot *slot = nidoi_slots_get(&loop->slots, arm->of.task.slot);

    nidoi_list_append(&slot->joiners.nodes, &arm->node.link);
    return 0;
}

static const struct nidoi_arm_kind joining = {.name = "end of task",
                                              .attempt = attempt_join,
                                              .enlist = enlist_join,
                                              .withdraw = nidoi_arm_unlink};

void nido_arm_join(nido_arm *arm, nido_task task)
{
    *arm = (nido_arm){.kind = &joining, .of.task = task};
    arm->node.item = &arm->result;
}

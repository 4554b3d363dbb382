#include "nido/signal.h"
#include "coro/scope/park.h"

#include <signal.h>
#include <string.h>

#include "coro/run/signals.h"
#include "sync/select.h"
#include "sync/sync.h"

/* What a wait is counted as: something that may wake us though no descriptor says so. A node is
 * counted exactly while it is in the queue. */
static void claim(struct nidoi_loop *loop, struct nidoi_node *node, int value)
{
    nidoi_loop_outside(loop, -1);
    nidoi_claim(node, value);
}

static enum nidoi_undo undo(struct nidoi_waiter *waiter)
{
    nidoi_loop_outside(nidoi_loop_of(waiter->task->sched), -1);
    return nidoi_waitq_undo(waiter);
}

static const struct nidoi_wait_kind waiting = {.name = "signal", .undo = undo};

/* ---- Pending ---- */

static bool is_pending(const nido_signal *signal, int number)
{
    return memchr(signal->pending, number, signal->count) != NULL;
}

static int take(nido_signal *signal)
{
    int number = signal->pending[0];

    if (!signal->count) return -EAGAIN;
    memmove(signal->pending, signal->pending + 1, --signal->count);
    nidoi_signal_taken(nidoi_loop_self(), number);
    return number;
}

static void arrived(struct nidoi_receiver *receiver, int number)
{
    nido_signal *signal = nidoi_container(receiver, nido_signal, receiver);
    struct nidoi_node *first = nidoi_waitq_first(&signal->sync.waiters);

    if (first) {
        claim(nidoi_loop_self(), first, number);
        nidoi_signal_taken(nidoi_loop_self(), number);
    } else if (!is_pending(signal, number)) {
        signal->pending[signal->count++] = (uint8_t)number;
    }
}

/* ---- Opening and closing ---- */

static void shut(struct nidoi_loop *loop, nido_signal *signal)
{
    struct nidoi_node *node;
    uint64_t unclaimed = 0;

    for (uint32_t i = 0; i < signal->count; i++) unclaimed |= nidoi_signal_bit(signal->pending[i]);
    while ((node = nidoi_waitq_first(&signal->sync.waiters)) != NULL) claim(loop, node, -EBADF);
    signal->count = 0;
    nidoi_receiver_close(loop, &signal->receiver, unclaimed);
}

static void orphaned(struct nidoi_held *held)
{
    shut(nidoi_loop_self(), nidoi_container(held, nido_signal, held));
}

static uint64_t bits_of(const sigset_t *set)
{
    uint64_t bits = 0;

    for (int number = 1; number <= 64; number++) {
        if (sigismember(set, number) != 1) continue;
        if (!nidoi_signal_bit(number)) return 0;
        bits |= nidoi_signal_bit(number);
    }
    return bits;
}

int nido_signal_open(nido_signal *signal, const sigset_t *set)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err;

    *signal = (nido_signal){.held.orphaned = orphaned};
    if (!loop || !nidoi_on_task(&loop->sched)) return -EPERM;
    nidoi_sync_init(&signal->sync, NULL);
    signal->receiver.arrived = arrived;
    signal->receiver.set = bits_of(set);
    if (!signal->receiver.set) return -EINVAL;
    err = nidoi_receiver_open(loop, &signal->receiver);
    if (err) return err;
    signal->sync.thread = loop->thread;
    nidoi_held_add(loop->sched.current, &signal->held);
    return 0;
}

/* 0, -EBADF, -EXDEV, -EPERM. */
static int usable(const nido_signal *signal)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    if (!nidoi_linked(&signal->receiver.link)) return -EBADF;
    return signal->sync.thread == loop->thread ? 0 : -EXDEV;
}

int nido_signal_close(nido_signal *signal)
{
    int err = usable(signal);

    if (err) return err;
    nidoi_held_remove(&signal->held);
    shut(nidoi_loop_self(), signal);
    return 0;
}

/* ---- Waiting ---- */

int nido_signal_try(nido_signal *signal)
{
    int err = usable(signal);

    return err ? err : take(signal);
}

int nido_signal_wait(nido_signal *signal)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int number = nidoi_enter(&loop);

    if (!number) number = nido_signal_try(signal);
    if (number != -EAGAIN) return number;
    nidoi_sync_enlist(&signal->sync, &waiting, &queued);
    nidoi_loop_outside(loop, 1);
    return (int)nidoi_park(loop, &queued.waiter);
}

static int attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return nido_signal_try(arm->object);
}

static int enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_list_append(&((nido_signal *)arm->object)->sync.waiters.nodes, &arm->node.link);
    nidoi_loop_outside(loop, 1);
    return 0;
}

static void withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_loop_outside(loop, -1);
    nidoi_arm_unlink(loop, arm);
}

static const struct nidoi_arm_kind receiving = {
    .name = "signal", .attempt = attempt, .enlist = enlist, .withdraw = withdraw};

void nido_arm_signal(nido_arm *arm, nido_signal *signal)
{
    *arm = (nido_arm){.kind = &receiving, .object = signal};
}

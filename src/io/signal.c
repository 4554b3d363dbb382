/* SPDX-License-Identifier: MIT */
/* io/signal.c: nido_signal, a queue of waiters and a set of pending signals. */
#include "nido/signal.h"
#include "coro/scope/park.h"

#include <signal.h>
#include <string.h>

#include "coro/run/signals.h"
#include "sync/select.h"
#include "sync/sync.h"

/* A wait for a signal is counted as one for something outside the loop. A node is counted exactly
 * while it is in the queue. */
static void signal_claim(struct nidoi_loop *loop, struct nidoi_node *node, int value)
{
    nidoi_loop_outside(loop, -1);
    nidoi_claim(node, value);
}

static enum nidoi_undo signal_wait_undo(struct nidoi_waiter *waiter)
{
    nidoi_loop_outside(nidoi_loop_of(waiter->task->sched), -1);
    return nidoi_waitq_undo(waiter);
}

static const struct nidoi_wait_kind signal_wait_kind = {.name = "signal", .undo = signal_wait_undo};

/* ---- Pending ---- */

static bool signal_is_pending(const nido_signal *signal, int number)
{
    return memchr(signal->pending, number, signal->count) != NULL;
}

static int signal_take(nido_signal *signal)
{
    int number = signal->pending[0];

    if (!signal->count) return -EAGAIN;
    memmove(signal->pending, signal->pending + 1, --signal->count);
    nidoi_signal_taken(nidoi_loop_self(), number);
    return number;
}

static void signal_arrived(struct nidoi_receiver *receiver, int number)
{
    nido_signal *signal = nidoi_container(receiver, nido_signal, receiver);
    struct nidoi_node *first = nidoi_waitq_first(&signal->sync.waiters);

    if (first) {
        signal_claim(nidoi_loop_self(), first, number);
        nidoi_signal_taken(nidoi_loop_self(), number);
    } else if (!signal_is_pending(signal, number)) {
        signal->pending[signal->count++] = (uint8_t)number;
    }
}

/* ---- Opening and closing ---- */

static void signal_shut(struct nidoi_loop *loop, nido_signal *signal)
{
    struct nidoi_node *node;
    uint64_t unclaimed = 0;

    for (uint32_t i = 0; i < signal->count; i++) unclaimed |= nidoi_signal_bit(signal->pending[i]);
    while ((node = nidoi_waitq_first(&signal->sync.waiters)) != NULL)
        signal_claim(loop, node, -EBADF);
    signal->count = 0;
    nidoi_receiver_close(loop, &signal->receiver, unclaimed);
}

static void signal_orphaned(struct nidoi_held *held)
{
    signal_shut(nidoi_loop_self(), nidoi_container(held, nido_signal, held));
}

static uint64_t signal_bits(const sigset_t *set)
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

    *signal = (nido_signal){.held.orphaned = signal_orphaned};
    if (!loop || !nidoi_on_task(&loop->sched)) return -EPERM;
    nidoi_sync_init(&signal->sync, NULL);
    signal->receiver.arrived = signal_arrived;
    signal->receiver.set = signal_bits(set);
    if (!signal->receiver.set) return -EINVAL;
    err = nidoi_receiver_open(loop, &signal->receiver);
    if (err) return err;
    signal->sync.thread = loop->thread;
    nidoi_held_add(loop->sched.current, &signal->held);
    return 0;
}

/* 0, -EBADF, -EXDEV, -EPERM. */
static int signal_check(const nido_signal *signal)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    if (!nidoi_linked(&signal->receiver.link)) return -EBADF;
    return signal->sync.thread == loop->thread ? 0 : -EXDEV;
}

int nido_signal_close(nido_signal *signal)
{
    int err = signal_check(signal);

    if (err) return err;
    nidoi_held_remove(&signal->held);
    signal_shut(nidoi_loop_self(), signal);
    return 0;
}

/* ---- Waiting ---- */

int nido_signal_try(nido_signal *signal)
{
    int err = signal_check(signal);

    return err ? err : signal_take(signal);
}

int nido_signal_wait(nido_signal *signal)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int number = nidoi_enter(&loop);

    if (!number) number = nido_signal_try(signal);
    if (number != -EAGAIN) return number;
    nidoi_sync_enlist(&signal->sync, &signal_wait_kind, &queued);
    nidoi_loop_outside(loop, 1);
    return (int)nidoi_park(loop, &queued.waiter);
}

static int signal_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    return nido_signal_try(arm->object);
}

static int signal_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_list_append(&((nido_signal *)arm->object)->sync.waiters.nodes, &arm->node.link);
    nidoi_loop_outside(loop, 1);
    return 0;
}

static void signal_arm_withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_loop_outside(loop, -1);
    nidoi_arm_unlink(loop, arm);
}

static const struct nidoi_arm_kind signal_arm_kind = {.name = "signal",
                                                      .attempt = signal_arm_attempt,
                                                      .enlist = signal_arm_enlist,
                                                      .withdraw = signal_arm_withdraw};

void nido_arm_signal(nido_arm *arm, nido_signal *signal)
{
    *arm = (nido_arm){.kind = &signal_arm_kind, .object = signal};
}

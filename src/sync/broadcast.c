/* SPDX-License-Identifier: MIT */
/* sync/broadcast.c: a ring of the latest items, and readers with a position of their own.
 *
 * 1. Item number i lies at i % capacity as long as i + capacity >= sent.
 * 2. A reader waits only when it has read all that was sent. The claim copies the next item to it
 * and moves its position: later items cannot overwrite the one that it was woken for. */
#include "nido/broadcast.h"
#include "coro/scope/park.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "sync/items.h"
#include "sync/select.h"

static const char *broadcast_name(const struct nidoi_waiter *waiter)
{
    return ((const nido_broadcast_reader *)waiter->object)->broadcast->name;
}

static const struct nidoi_wait_kind receiving = {
    .name = "an item of broadcast", .undo = nidoi_waitq_undo, .named = broadcast_name};

static int broadcast_bind_here(nido_broadcast *broadcast)
{
    return nidoi_bind_here(&broadcast->thread, !nidoi_waitq_empty(&broadcast->waiters));
}

static void *broadcast_place(const nido_broadcast *broadcast, uint64_t number)
{
    return &broadcast->buffer[number % broadcast->capacity * broadcast->item_size];
}

/* Of a call, or of an arm: these have n set. */
static nido_broadcast_reader *broadcast_reader_of(struct nidoi_node *node)
{
    return node->n ? nidoi_container(node, nido_arm, node)->object : node->waiter->object;
}

int nido_broadcast_send(nido_broadcast *broadcast, const void *item)
{
    struct nidoi_node *node;
    int err = broadcast_bind_here(broadcast);

    if (err) return err;
    if (broadcast->closed) return -EPIPE;
    nidoi_items_copy(broadcast_place(broadcast, broadcast->sent++), item, broadcast->item_size);
    while ((node = nidoi_waitq_first(&broadcast->waiters)) != NULL) {
        nidoi_items_copy(node->item, item, broadcast->item_size);
        broadcast_reader_of(node)->next = broadcast->sent;
        nidoi_claim(node, 0);
    }
    return 0;
}

int nido_broadcast_close(nido_broadcast *broadcast)
{
    int err = broadcast_bind_here(broadcast);

    if (err) return err;
    broadcast->closed = 1;
    while (nidoi_waitq_wake(&broadcast->waiters, -EPIPE)) {
    }
    return 0;
}

/* ---- Reading ---- */

void nido_broadcast_subscribe(nido_broadcast *broadcast, nido_broadcast_reader *reader)
{
    *reader = (nido_broadcast_reader){.broadcast = broadcast, .next = broadcast->sent};
}

/* How many items the reader has missed; -EAGAIN: the caller has to wait; -EPIPE, -EBUSY, -EXDEV. */
static int broadcast_take(const struct nidoi_loop *loop, nido_broadcast_reader *reader, void *item)
{
    nido_broadcast *broadcast = reader->broadcast;
    uint64_t behind = broadcast->sent - reader->next, lost = 0;
    int err = nidoi_bind(loop, &broadcast->thread);

    if (err) return err;
    if (reader->busy) return -EBUSY;
    if (!behind) return broadcast->closed ? -EPIPE : -EAGAIN;
    if (behind > broadcast->capacity) lost = behind - broadcast->capacity;
    reader->next += lost;
    nidoi_items_copy(item, broadcast_place(broadcast, reader->next++), broadcast->item_size);
    return lost < INT_MAX ? (int)lost : INT_MAX;
}

static int broadcast_wait_for_item(struct nidoi_loop *loop, nido_broadcast_reader *reader,
                                   void *item)
{
    struct nidoi_queued queued = {.waiter = {.kind = &receiving, .object = reader}};
    int rc;

    nidoi_waitq_enlist(&reader->broadcast->waiters, &queued);
    queued.node.item = item;
    reader->busy = 1;
    rc = (int)nidoi_park(loop, &queued.waiter);
    reader->busy = 0;
    return rc;
}

int nido_broadcast_recv(nido_broadcast_reader *reader, void *item)
{
    struct nidoi_loop *loop;
    int rc = nidoi_enter(&loop);

    if (!rc) rc = broadcast_take(loop, reader, item);
    return rc == -EAGAIN ? broadcast_wait_for_item(loop, reader, item) : rc;
}

int nido_broadcast_try_recv(nido_broadcast_reader *reader, void *item)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    return loop ? broadcast_take(loop, reader, item) : -EPERM;
}

/* ---- Life ---- */

int nido_broadcast_init(nido_broadcast *broadcast, size_t item_size, size_t capacity, void *buffer,
                        const char *name)
{
    size_t size;
    int err = nidoi_items_size(item_size, capacity, &size);

    if (err) return err;
    if (!size || !buffer) return -EINVAL;
    *broadcast = (nido_broadcast){
        .name = name, .buffer = buffer, .item_size = item_size, .capacity = capacity};
    nidoi_waitq_init(&broadcast->waiters);
    return 0;
}

void nido_broadcast_set_name(nido_broadcast *broadcast, const char *name)
{
    broadcast->name = name;
}

int nido_broadcast_deinit(nido_broadcast *broadcast)
{
    return nido_broadcast_close(broadcast);
}

int nido_broadcast_new(size_t item_size, size_t capacity, nido_broadcast **out)
{
    size_t size;
    nido_broadcast *broadcast;
    int err = nidoi_items_size(item_size, capacity, &size);

    if (err) return err;
    if (!size) return -EINVAL;
    broadcast = nidoi_mem.alloc(sizeof *broadcast + size);
    if (!broadcast) return -ENOMEM;
    *out = broadcast;
    return nido_broadcast_init(broadcast, item_size, capacity, broadcast + 1, NULL);
}

int nido_broadcast_free(nido_broadcast *broadcast)
{
    int err = broadcast ? nido_broadcast_deinit(broadcast) : 0;

    if (!err) nidoi_mem.release(broadcast);
    return err;
}

/* ---- The arm of a select ---- */

static const char *broadcast_arm_name(const nido_arm *arm)
{
    return ((const nido_broadcast_reader *)arm->object)->broadcast->name;
}

static int broadcast_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    return broadcast_take(loop, arm->object, arm->node.item);
}

static int broadcast_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_broadcast_reader *reader = arm->object;

    (void)loop;
    if (reader->busy) return -EBUSY; /* another arm of this select has it */
    reader->busy = 1;
    nidoi_list_append(&reader->broadcast->waiters.nodes, &arm->node.link);
    return 0;
}

static void broadcast_arm_withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_arm_unlink(loop, arm);
    ((nido_broadcast_reader *)arm->object)->busy = 0;
}

static int broadcast_arm_woken(struct nidoi_loop *loop, nido_arm *arm, int value)
{
    (void)loop;
    ((nido_broadcast_reader *)arm->object)->busy = 0;
    return value;
}

static const struct nidoi_arm_kind broadcast_arm = {.name = "broadcast",
                                                    .attempt = broadcast_arm_attempt,
                                                    .enlist = broadcast_arm_enlist,
                                                    .withdraw = broadcast_arm_withdraw,
                                                    .woken = broadcast_arm_woken,
                                                    .named = broadcast_arm_name};

void nido_arm_broadcast(nido_arm *arm, nido_broadcast_reader *reader, void *item)
{
    *arm = (nido_arm){.kind = &broadcast_arm, .object = reader, .node.item = item, .node.n = 1};
}

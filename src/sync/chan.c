/* SPDX-License-Identifier: MIT */
/* sync/chan.c: channels.
 *
 * 1. An item changes its owner when a waiter is claimed, never when a task runs: the item of a
 * parked sender is copied from its memory, the one for a parked receiver into its memory.
 * 2. count + reserved <= capacity.
 * 3. A receiver waits only while the buffer is empty. A sender, or a task that wants a reservation,
 * waits only while there is no room: every place is taken or reserved; at capacity 0, no receiver
 * waits. Each waits for one place, so a waiter that leaves the queue makes room for no other one.
 * 4. Once one side is closed both queues are empty and stay so.
 * 5. A task does not touch the channel after it was claimed: the channel may be gone. */
#include "nido/chan.h"
#include "coro/scope/park.h"

#include <string.h>

#include "base/mem.h"
#include "sync/chan.h"
#include "sync/items.h"

static const struct nidoi_wait_kind sending = {
    .name = "room in channel", .undo = nidoi_waitq_undo, .name_at = offsetof(nido_chan, name)};
static const struct nidoi_wait_kind receiving = {
    .name = "an item of channel", .undo = nidoi_waitq_undo, .name_at = offsetof(nido_chan, name)};

/* ---- Its thread ---- */

static bool chan_has_waiters(const nido_chan *chan)
{
    return !nidoi_waitq_empty(&chan->senders) || !nidoi_waitq_empty(&chan->receivers);
}

static int chan_bind_here(nido_chan *chan)
{
    return nidoi_bind_here(&chan->thread, chan_has_waiters(chan));
}

/* ---- The buffer ---- */

static void chan_push(nido_chan *chan, const void *item)
{
    size_t at = chan->head + chan->count++;

    if (at >= chan->capacity) at -= chan->capacity;
    nidoi_items_copy(&chan->buffer[at * chan->item_size], item, chan->item_size);
}

/* Removes the oldest item, whose bytes stay in the buffer until the next push. */
static void *chan_pop(nido_chan *chan)
{
    void *item = &chan->buffer[chan->head * chan->item_size];

    if (++chan->head == chan->capacity) chan->head = 0;
    chan->count--;
    return item;
}

/* ---- Items, places and waiters ---- */

static bool chan_has_room(const nido_chan *chan)
{
    if (!chan->capacity) return !nidoi_waitq_empty(&chan->receivers);
    return chan->count + chan->reserved < chan->capacity;
}

/* There is room: the first receiver gets the item, or the buffer. */
static void chan_put(nido_chan *chan, const void *item)
{
    struct nidoi_node *receiver = nidoi_waitq_first(&chan->receivers);

    if (!receiver) {
        chan_push(chan, item);
        return;
    }
    nidoi_items_copy(receiver->item, item, chan->item_size);
    nidoi_claim(receiver, 0);
}

/* A place has become free: the first sender in the queue takes it. The claim comes before the put,
 * so that a select with a receive beside its send does not get its own item. */
static void chan_admit_senders(nido_chan *chan)
{
    struct nidoi_node *sender;

    while (chan_has_room(chan) && (sender = nidoi_waitq_first(&chan->senders)) != NULL) {
        const void *item = sender->item;

        nidoi_claim(sender, 0);
        if (item)
            chan_put(chan, item);
        else
            chan->reserved++;
    }
}

/* ---- The three attempts ---- */

static int chan_check_send(const struct nidoi_loop *loop, nido_chan *chan)
{
    int err = nidoi_bind(loop, &chan->thread);

    if (err) return err;
    if (!chan->send_ends || !chan->recv_ends) return -EPIPE;
    return chan_has_room(chan) ? 0 : -EAGAIN;
}

int nidoi_chan_give(const struct nidoi_loop *loop, nido_chan *chan, const void *item)
{
    int err = chan_check_send(loop, chan);

    if (!err) chan_put(chan, item);
    return err;
}

int nidoi_chan_reserve(const struct nidoi_loop *loop, nido_chan *chan)
{
    int err = chan->capacity ? chan_check_send(loop, chan) : -EINVAL;

    if (!err) chan->reserved++;
    return err;
}

int nidoi_chan_take(const struct nidoi_loop *loop, nido_chan *chan, void *item)
{
    struct nidoi_node *sender;
    int err = nidoi_bind(loop, &chan->thread);

    if (err) return err;
    if (!chan->recv_ends) return -EPIPE;
    if (chan->count) {
        nidoi_items_copy(item, chan_pop(chan), chan->item_size);
        chan_admit_senders(chan);
        return 0;
    }
    if (!chan->send_ends) return -EPIPE;
    sender = chan->capacity ? NULL : nidoi_waitq_first(&chan->senders);
    if (!sender) return -EAGAIN;
    nidoi_items_copy(item, sender->item, chan->item_size);
    nidoi_claim(sender, 0);
    return 0;
}

/* ---- The calls ---- */

/* Not inline: a call that need not wait does not pay for its frame. */
static __attribute__((noinline)) int chan_wait_for(struct nidoi_loop *loop, nido_chan *chan,
                                                   struct nidoi_waitq *queue,
                                                   const struct nidoi_wait_kind *kind, void *item)
{
    struct nidoi_queued queued = {.waiter = {.kind = kind, .object = chan}};

    nidoi_waitq_enlist(queue, &queued);
    queued.node.item = item;
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_chan_send(nido_chan *chan, const void *item)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_chan_give(loop, chan, item);
    if (err != -EAGAIN) return err;
    return chan_wait_for(loop, chan, &chan->senders, &sending, nidoi_chan_item(chan, item));
}

int nido_chan_recv(nido_chan *chan, void *item)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_chan_take(loop, chan, item);
    if (err != -EAGAIN) return err;
    return chan_wait_for(loop, chan, &chan->receivers, &receiving, item);
}

int nido_chan_reserve(nido_chan *chan)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_chan_reserve(loop, chan);
    if (err != -EAGAIN) return err;
    return chan_wait_for(loop, chan, &chan->senders, &sending, NULL);
}

int nido_chan_try_send(nido_chan *chan, const void *item)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    return loop ? nidoi_chan_give(loop, chan, item) : -EPERM;
}

int nido_chan_try_recv(nido_chan *chan, void *item)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    return loop ? nidoi_chan_take(loop, chan, item) : -EPERM;
}

int nido_chan_commit(nido_chan *chan, const void *item)
{
    const struct nidoi_loop *loop = nidoi_loop_self();
    int err = loop ? nidoi_bind(loop, &chan->thread) : -EPERM;

    if (err) return err;
    if (!chan->reserved) return -EPERM;
    chan->reserved--;
    if (!chan->send_ends || !chan->recv_ends) return -EPIPE;
    chan_put(chan, item);
    chan_admit_senders(chan);
    return 0;
}

int nido_chan_unreserve(nido_chan *chan)
{
    int err = chan_bind_here(chan);

    if (err) return err;
    if (!chan->reserved) return -EPERM;
    chan->reserved--;
    chan_admit_senders(chan);
    return 0;
}

/* ---- Closing ---- */

static void chan_refuse(struct nidoi_waitq *queue)
{
    while (nidoi_waitq_wake(queue, -EPIPE)) {
    }
}

static void chan_drop_items(nido_chan *chan)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (loop) nidoi_no_parking_begin(&loop->sched);
    while (chan->count) {
        void *item = chan_pop(chan);

        if (chan->drop) chan->drop(chan->drop_ctx, item, 0);
    }
    if (loop) nidoi_no_parking_end(&loop->sched);
}

static void chan_close_send(nido_chan *chan)
{
    chan->send_ends = 0;
    chan_refuse(&chan->senders);
    chan_refuse(&chan->receivers); /* a receiver that waits has found the buffer empty */
}

static void chan_close_recv(nido_chan *chan)
{
    chan->recv_ends = 0;
    chan_refuse(&chan->senders);
    chan_refuse(&chan->receivers);
    chan_drop_items(chan);
}

int nido_chan_close_send(nido_chan *chan)
{
    int err = chan_bind_here(chan);

    if (!err) chan_close_send(chan);
    return err;
}

int nido_chan_close_recv(nido_chan *chan)
{
    int err = chan_bind_here(chan);

    if (!err) chan_close_recv(chan);
    return err;
}

static int chan_retain(nido_chan *chan, size_t *ends)
{
    int err = chan_bind_here(chan);

    if (err) return err;
    if (!*ends) return -EPIPE;
    ++*ends;
    return 0;
}

int nido_chan_retain_send(nido_chan *chan)
{
    return chan_retain(chan, &chan->send_ends);
}

int nido_chan_retain_recv(nido_chan *chan)
{
    return chan_retain(chan, &chan->recv_ends);
}

static int chan_release(nido_chan *chan, size_t *ends, void (*close)(nido_chan *chan))
{
    int err = chan_bind_here(chan);

    if (err || !*ends) return err;
    if (--*ends == 0) close(chan);
    return 0;
}

int nido_chan_release_send(nido_chan *chan)
{
    return chan_release(chan, &chan->send_ends, chan_close_send);
}

int nido_chan_release_recv(nido_chan *chan)
{
    return chan_release(chan, &chan->recv_ends, chan_close_recv);
}

/* ---- Life ---- */

int nido_chan_init(nido_chan *chan, size_t item_size, size_t capacity, void *buffer,
                   nido_drop_fn *drop, void *ctx, const char *name)
{
    size_t size;
    int err = nidoi_items_size(item_size, capacity, &size);

    if (err) return err;
    if (size && !buffer) return -EINVAL;
    *chan = (nido_chan){.name = name,
                        .buffer =
                            size ? buffer : (unsigned char *)chan, /* items of 0 bytes lie there */
                        .drop = drop,
                        .drop_ctx = ctx,
                        .item_size = item_size,
                        .capacity = capacity,
                        .send_ends = 1,
                        .recv_ends = 1};
    nidoi_waitq_init(&chan->senders);
    nidoi_waitq_init(&chan->receivers);
    return 0;
}

int nido_chan_deinit(nido_chan *chan)
{
    int err = chan_bind_here(chan);

    if (err) return err;
    chan_close_send(chan);
    chan_close_recv(chan);
    return 0;
}

int nido_chan_new(size_t item_size, size_t capacity, nido_drop_fn *drop, void *ctx, nido_chan **out)
{
    size_t size;
    nido_chan *chan;
    int err = nidoi_items_size(item_size, capacity, &size);

    if (err) return err;
    chan = nidoi_mem.alloc(sizeof *chan + size);
    if (!chan) return -ENOMEM;
    *out = chan;
    return nido_chan_init(chan, item_size, capacity, chan + 1, drop, ctx, NULL);
}

int nido_chan_free(nido_chan *chan)
{
    int err = chan ? nido_chan_deinit(chan) : 0;

    if (!err) nidoi_mem.release(chan);
    return err;
}

/* SPDX-License-Identifier: MIT */
/* threads/xchan.c: a channel between any threads. No receiver waits while there are items, and no
 * sender while there is room. */
#include <string.h>

#include "base/mem.h"
#include "nido/cross.h"
#include "sync/items.h"
#include "threads/cross.h"

struct nido_xchan {
    struct nidoi_cross cross; /* first */
    struct nidoi_link senders, receivers;
    size_t item_size, capacity;
    size_t head, count; /* of the ring */
    nido_drop_fn *drop;
    void *ctx;
    bool closed;
    _Alignas(max_align_t) char items[];
};

static const struct nidoi_wait_kind sending = {
    .name = "room in a cross-thread channel", .undo = nidoi_cross_undo, .by_thread = true};
static const struct nidoi_wait_kind receiving = {
    .name = "item of a cross-thread channel", .undo = nidoi_cross_undo, .by_thread = true};

static void *xchan_place(nido_xchan *chan, size_t n)
{
    return chan->items + (chan->head + n) % chan->capacity * chan->item_size;
}

int nido_xchan_new(size_t item_size, size_t capacity, nido_drop_fn *drop, void *ctx,
                   nido_xchan **out)
{
    nido_xchan *chan;
    size_t size;

    if (!item_size) return -EINVAL;
    if (__builtin_mul_overflow(item_size, capacity, &size) ||
        __builtin_add_overflow(size, sizeof *chan, &size))
        return -EOVERFLOW;
    chan = nidoi_mem.alloc(size);
    if (!chan) return -ENOMEM;
    *chan = (nido_xchan){.item_size = item_size, .capacity = capacity, .drop = drop, .ctx = ctx};
    nidoi_cross_init(&chan->cross);
    nidoi_list_init(&chan->senders);
    nidoi_list_init(&chan->receivers);
    *out = chan;
    return 0;
}

void nido_xchan_free(nido_xchan *chan)
{
    if (!chan || nidoi_cross_inherited(&chan->cross)) return;
    nidoi_assert(nidoi_list_empty(&chan->senders) && nidoi_list_empty(&chan->receivers));
    for (size_t i = 0; chan->drop && i < chan->count; i++)
        chan->drop(chan->ctx, xchan_place(chan, i), 0);
    nidoi_cross_deinit(&chan->cross);
    nidoi_mem.release(chan);
}

/* The lock is held. 0, -EAGAIN, -EPIPE. */
static int xchan_give(nido_xchan *chan, const void *item)
{
    struct nidoi_cross_node *receiver = nidoi_cross_first(&chan->receivers);

    if (chan->closed) return -EPIPE;
    if (receiver) {
        nidoi_items_copy(receiver->item, item, chan->item_size);
        nidoi_cross_grant(receiver, 0);
        return 0;
    }
    if (chan->count == chan->capacity) return -EAGAIN;
    nidoi_items_copy(xchan_place(chan, chan->count++), item, chan->item_size);
    return 0;
}

static void xchan_pop(nido_xchan *chan, void *item)
{
    nidoi_items_copy(item, xchan_place(chan, 0), chan->item_size);
    chan->head = (chan->head + 1) % chan->capacity;
    chan->count--;
}

/* The lock is held. 0, -EAGAIN, -EPIPE. */
static int xchan_take(nido_xchan *chan, void *item)
{
    struct nidoi_cross_node *sender = nidoi_cross_first(&chan->senders);

    if (!chan->count && !sender) return chan->closed ? -EPIPE : -EAGAIN;
    if (!chan->count) {
        nidoi_items_copy(item, sender->item, chan->item_size);
    } else {
        xchan_pop(chan, item);
        if (sender)
            nidoi_items_copy(xchan_place(chan, chan->count++), sender->item, chan->item_size);
    }
    if (sender) nidoi_cross_grant(sender, 0);
    return 0;
}

int nido_xchan_try_send(nido_xchan *chan, const void *item)
{
    int err = nidoi_cross_lock(&chan->cross);

    if (err) return err;
    err = xchan_give(chan, item);
    nidoi_cross_unlock(&chan->cross);
    return err;
}

int nido_xchan_try_recv(nido_xchan *chan, void *item)
{
    int err = nidoi_cross_lock(&chan->cross);

    if (err) return err;
    err = xchan_take(chan, item);
    nidoi_cross_unlock(&chan->cross);
    return err;
}

int nido_xchan_send(nido_xchan *chan, const void *item)
{
    struct nidoi_loop *loop;
    int err = nidoi_cross_enter(&chan->cross, &loop);

    if (err) return err;
    err = xchan_give(chan, item);
    if (err == -EAGAIN)
        return nidoi_cross_wait(&chan->cross, &chan->senders, loop, &sending,
                                (void *)(intptr_t)item);
    nidoi_cross_unlock(&chan->cross);
    return err;
}

int nido_xchan_recv(nido_xchan *chan, void *item)
{
    struct nidoi_loop *loop;
    int err = nidoi_cross_enter(&chan->cross, &loop);

    if (err) return err;
    err = xchan_take(chan, item);
    if (err == -EAGAIN)
        return nidoi_cross_wait(&chan->cross, &chan->receivers, loop, &receiving, item);
    nidoi_cross_unlock(&chan->cross);
    return err;
}

static void xchan_refuse(struct nidoi_link *queue)
{
    struct nidoi_cross_node *first;

    while ((first = nidoi_cross_first(queue)) != NULL) nidoi_cross_grant(first, -EPIPE);
}

int nido_xchan_close(nido_xchan *chan)
{
    int err = nidoi_cross_lock(&chan->cross);

    if (err) return err;
    err = chan->closed ? -EALREADY : 0;
    chan->closed = true;
    xchan_refuse(&chan->senders);
    xchan_refuse(&chan->receivers);
    nidoi_cross_unlock(&chan->cross);
    return err;
}

/* SPDX-License-Identifier: MIT */
/* sync/chan.h: sending, receiving and reserving without waiting: what the calls on a channel and
 * the arms of a select try first. */
#ifndef NIDOI_CHAN_H
#define NIDOI_CHAN_H

#include "coro/runtime/loop.h"
#include "nido/chan.h"

/* On the loop's own thread. 0; -EAGAIN: the caller has to wait; -EPIPE, -EXDEV; nidoi_chan_reserve
 * also -EINVAL. */
int nidoi_chan_give(const struct nidoi_loop *loop, nido_chan *chan, const void *item);
int nidoi_chan_take(const struct nidoi_loop *loop, nido_chan *chan, void *item);
int nidoi_chan_reserve(const struct nidoi_loop *loop, nido_chan *chan);

/* What a sender's node refers to: NULL there is a reservation, and items of 0 bytes may be NULL. */
static inline void *nidoi_chan_item(nido_chan *chan, const void *item)
{
    return item || chan->item_size ? (void *)item : chan;
}

#endif

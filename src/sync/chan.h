/* sync/chan.h: what the calls on a channel and the arms of a select both do first. */
#ifndef NIDOI_CHAN_H
#define NIDOI_CHAN_H

#include "coro/runtime/loop.h"
#include "nido/chan.h"

/* Attempts, by the loop's own thread: 0; -EAGAIN: it would have to wait; -EPIPE, -EXDEV;
 * nidoi_chan_reserve also -EINVAL. */
int nidoi_chan_give(const struct nidoi_loop *loop, nido_chan *chan, const void *item);
int nidoi_chan_take(const struct nidoi_loop *loop, nido_chan *chan, void *item);
int nidoi_chan_reserve(const struct nidoi_loop *loop, nido_chan *chan);

#endif

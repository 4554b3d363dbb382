/* SPDX-License-Identifier: MIT */
/* sync/chan_tell.c: what a channel tells of itself. */
#include "nido/chan.h"

size_t nido_chan_count(const nido_chan *chan)
{
    return chan->count;
}

size_t nido_chan_capacity(const nido_chan *chan)
{
    return chan->capacity;
}

static size_t chan_count_nodes(const struct nidoi_waitq *queue)
{
    size_t n = 0;

    for (const struct nidoi_link *node = queue->nodes.next; node != &queue->nodes;
         node = node->next)
        n++;
    return n;
}

size_t nido_chan_waiting_senders(const nido_chan *chan)
{
    return chan_count_nodes(&chan->senders);
}

size_t nido_chan_waiting_receivers(const nido_chan *chan)
{
    return chan_count_nodes(&chan->receivers);
}

void nido_chan_set_name(nido_chan *chan, const char *name)
{
    chan->name = name;
}

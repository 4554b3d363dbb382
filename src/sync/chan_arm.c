/* SPDX-License-Identifier: MIT */
/* sync/chan_arm.c: the arms of a select that send, receive and reserve. */
#include "sync/chan.h"
#include "sync/select.h"

static const char *chan_arm_name(const nido_arm *arm)
{
    return ((const nido_chan *)arm->object)->name;
}

static int chan_arm_send(struct nidoi_loop *loop, nido_arm *arm)
{
    return nidoi_chan_give(loop, arm->object, arm->node.item);
}

static int chan_arm_recv(struct nidoi_loop *loop, nido_arm *arm)
{
    return nidoi_chan_take(loop, arm->object, arm->node.item);
}

static int chan_arm_reserve(struct nidoi_loop *loop, nido_arm *arm)
{
    return nidoi_chan_reserve(loop, arm->object);
}

static int chan_arm_enlist_sender(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_chan *chan = arm->object;

    (void)loop;
    nidoi_list_append(&chan->senders.nodes, &arm->node.link);
    return 0;
}

static int chan_arm_enlist_receiver(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_chan *chan = arm->object;

    (void)loop;
    nidoi_list_append(&chan->receivers.nodes, &arm->node.link);
    return 0;
}

#define CHAN_KIND(attempt_it, join)                                                             \
    {                                                                                           \
        .name = "channel", .attempt = attempt_it, .enlist = join, .withdraw = nidoi_arm_unlink, \
        .named = chan_arm_name                                                                  \
    }
static const struct nidoi_arm_kind sending = CHAN_KIND(chan_arm_send, chan_arm_enlist_sender);
static const struct nidoi_arm_kind reserving = CHAN_KIND(chan_arm_reserve, chan_arm_enlist_sender);
static const struct nidoi_arm_kind receiving = CHAN_KIND(chan_arm_recv, chan_arm_enlist_receiver);

void nido_arm_send(nido_arm *arm, nido_chan *chan, const void *item)
{
    *arm = (nido_arm){.kind = &sending, .object = chan, .node.item = nidoi_chan_item(chan, item)};
}

void nido_arm_recv(nido_arm *arm, nido_chan *chan, void *item)
{
    *arm = (nido_arm){.kind = &receiving, .object = chan, .node.item = item};
}

void nido_arm_reserve(nido_arm *arm, nido_chan *chan)
{
    *arm = (nido_arm){.kind = &reserving, .object = chan};
}

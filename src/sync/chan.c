/* sync/chan.c: channels.
 *
 * 1. Items change hands when somebody is claimed, never when a task runs: what a parked sender
 * gives is copied from its own memory, what a parked receiver gets to its own.
 * 2. count + reserved <= capacity.
 * 3. A receiver waits only while the buffer is empty. A sender, or who wants a reservation, waits
 * only while there is no room: every place is taken or reserved; at capacity 0, no receiver waits.
 * All want one place, so leaving the line lets nobody else in.
 * 4. Once one side is closed both lines are empty and stay so.
 * 5. After its claim a task touches the channel no more: it may be gone. */
#include "nido/chan.h"

#include <string.h>

#include "base/mem.h"
#include "sync/chan.h"
#include "sync/items.h"

static const char *name_of(const struct nidoi_waiter *waiter)
{
    return ((const nido_chan *)waiter->object)->name;
}

static const struct nidoi_wait_kind sending = {
    .name = "room in channel", .undo = nidoi_waitq_undo, .named = name_of};
static const struct nidoi_wait_kind receiving = {
    .name = "an item of channel", .undo = nidoi_waitq_undo, .named = name_of};

/* ---- Whose it is ---- */

static bool awaited(const nido_chan *chan)
{
    return !nidoi_waitq_empty(&chan->senders) || !nidoi_waitq_empty(&chan->receivers);
}

static int bind_here(nido_chan *chan)
{
    return nidoi_bind_here(&chan->thread, awaited(chan));
}

/* ---- The buffer ---- */

static void push(nido_chan *chan, const void *item)
{
    size_t at = chan->head + chan->count++;

    if (at >= chan->capacity) at -= chan->capacity;
    nidoi_items_copy(&chan->buffer[at * chan->item_size], item, chan->item_size);
}

/* The oldest item, which is in the buffer no more but lies there until the next push. */
static void *pop(nido_chan *chan)
{
    void *item = &chan->buffer[chan->head * chan->item_size];

    if (++chan->head == chan->capacity) chan->head = 0;
    chan->count--;
    return item;
}

/* ---- Who gets what ---- */

static bool has_room(const nido_chan *chan)
{
    if (!chan->capacity) return !nidoi_waitq_empty(&chan->receivers);
    return chan->count + chan->reserved < chan->capacity;
}

/* There is room: the item goes to the first receiver, or into the buffer. */
static void put(nido_chan *chan, const void *item)
{
    struct nidoi_node *receiver = nidoi_waitq_first(&chan->receivers);

    if (!receiver) {
        push(chan, item);
        return;
    }
    nidoi_items_copy(receiver->item, item, chan->item_size);
    nidoi_claim(receiver, 0);
}

/* A place has become free: the first in line takes it. The claim comes before the put, so that a
 * select with a receive beside its send does not get its own item. */
static void admit(nido_chan *chan)
{
    struct nidoi_node *sender;

    while (has_room(chan) && (sender = nidoi_waitq_first(&chan->senders)) != NULL) {
        const void *item = sender->item;

        nidoi_claim(sender, 0);
        if (item)
            put(chan, item);
        else
            chan->reserved++;
    }
}

/* ---- The three attempts ---- */

static int open_to_send(const struct nidoi_loop *loop, nido_chan *chan)
{
    int err = nidoi_bind(loop, &chan->thread);

    if (err) return err;
    if (!chan->send_ends || !chan->recv_ends) return -EPIPE;
    return has_room(chan) ? 0 : -EAGAIN;
}

int nidoi_chan_give(const struct nidoi_loop *loop, nido_chan *chan, const void *item)
{
    int err = open_to_send(loop, chan);

    if (!err) put(chan, item);
    return err;
}

int nidoi_chan_reserve(const struct nidoi_loop *loop, nido_chan *chan)
{
    int err = chan->capacity ? open_to_send(loop, chan) : -EINVAL;

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
        nidoi_items_copy(item, pop(chan), chan->item_size);
        admit(chan);
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

/* Not inline: the calls that need not wait should not pay for its frame. */
static __attribute__((noinline)) int wait_for(struct nidoi_loop *loop, nido_chan *chan,
                                              struct nidoi_waitq *line,
                                              const struct nidoi_wait_kind *kind, void *item)
{
    struct nidoi_queued queued = {.waiter = {.kind = kind, .object = chan}};

    nidoi_waitq_enlist(line, &queued);
    queued.node.item = item;
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_chan_send(nido_chan *chan, const void *item)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_chan_give(loop, chan, item);
    if (err != -EAGAIN) return err;
    return wait_for(loop, chan, &chan->senders, &sending, (void *)item);
}

int nido_chan_recv(nido_chan *chan, void *item)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_chan_take(loop, chan, item);
    if (err != -EAGAIN) return err;
    return wait_for(loop, chan, &chan->receivers, &receiving, item);
}

int nido_chan_reserve(nido_chan *chan)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_chan_reserve(loop, chan);
    if (err != -EAGAIN) return err;
    return wait_for(loop, chan, &chan->senders, &sending, NULL);
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
    put(chan, item);
    admit(chan);
    return 0;
}

int nido_chan_unreserve(nido_chan *chan)
{
    int err = bind_here(chan);

    if (err) return err;
    if (!chan->reserved) return -EPERM;
    chan->reserved--;
    admit(chan);
    return 0;
}

size_t nido_chan_count(const nido_chan *chan)
{
    return chan->count;
}

void nido_chan_set_name(nido_chan *chan, const char *name)
{
    chan->name = name;
}

/* ---- Closing ---- */

static void refuse(struct nidoi_waitq *line)
{
    while (nidoi_waitq_wake(line, -EPIPE)) {
    }
}

static void drop_items(nido_chan *chan)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (loop) nidoi_no_parking_begin(&loop->sched);
    while (chan->count) {
        void *item = pop(chan);

        if (chan->drop) chan->drop(chan->drop_ctx, item, 0);
    }
    if (loop) nidoi_no_parking_end(&loop->sched);
}

static void close_send(nido_chan *chan)
{
    chan->send_ends = 0;
    refuse(&chan->senders);
    refuse(&chan->receivers); /* whoever waits has found nothing in the buffer */
}

static void close_recv(nido_chan *chan)
{
    chan->recv_ends = 0;
    refuse(&chan->senders);
    refuse(&chan->receivers);
    drop_items(chan);
}

int nido_chan_close_send(nido_chan *chan)
{
    int err = bind_here(chan);

    if (!err) close_send(chan);
    return err;
}

int nido_chan_close_recv(nido_chan *chan)
{
    int err = bind_here(chan);

    if (!err) close_recv(chan);
    return err;
}

static int retain(nido_chan *chan, size_t *ends)
{
    int err = bind_here(chan);

    if (err) return err;
    if (!*ends) return -EPIPE;
    ++*ends;
    return 0;
}

int nido_chan_retain_send(nido_chan *chan)
{
    return retain(chan, &chan->send_ends);
}

int nido_chan_retain_recv(nido_chan *chan)
{
    return retain(chan, &chan->recv_ends);
}

static int release(nido_chan *chan, size_t *ends, void (*close)(nido_chan *chan))
{
    int err = bind_here(chan);

    if (err || !*ends) return err;
    if (--*ends == 0) close(chan);
    return 0;
}

int nido_chan_release_send(nido_chan *chan)
{
    return release(chan, &chan->send_ends, close_send);
}

int nido_chan_release_recv(nido_chan *chan)
{
    return release(chan, &chan->recv_ends, close_recv);
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
                        .buffer = buffer,
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
    int err = bind_here(chan);

    if (err) return err;
    close_send(chan);
    close_recv(chan);
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

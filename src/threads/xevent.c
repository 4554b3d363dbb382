/* SPDX-License-Identifier: MIT */
/* threads/xevent.c: an event for any thread. */
#include "base/mem.h"
#include "nido/cross.h"
#include "threads/cross.h"

struct nido_xevent {
    struct nidoi_cross cross; /* first */
    struct nidoi_link waiters;
    bool set;
};

static const struct nidoi_wait_kind for_event = {
    .name = "cross-thread event", .undo = nidoi_cross_undo, .by_thread = true};

int nido_xevent_new(nido_xevent **out)
{
    nido_xevent *event = nidoi_mem_zeroed(sizeof *event);

    if (!event) return -ENOMEM;
    nidoi_cross_init(&event->cross);
    nidoi_list_init(&event->waiters);
    *out = event;
    return 0;
}

void nido_xevent_free(nido_xevent *event)
{
    if (!event || nidoi_cross_inherited(&event->cross)) return;
    nidoi_assert(nidoi_list_empty(&event->waiters));
    nidoi_cross_deinit(&event->cross);
    nidoi_mem.release(event);
}

void nido_xevent_set(nido_xevent *event)
{
    struct nidoi_cross_node *first;

    if (nidoi_cross_lock(&event->cross)) return;
    event->set = true;
    while ((first = nidoi_cross_first(&event->waiters)) != NULL) nidoi_cross_grant(first, 0);
    nidoi_cross_unlock(&event->cross);
}

void nido_xevent_reset(nido_xevent *event)
{
    if (nidoi_cross_lock(&event->cross)) return;
    event->set = false;
    nidoi_cross_unlock(&event->cross);
}

int nido_xevent_wait(nido_xevent *event)
{
    struct nidoi_loop *loop;
    int err = nidoi_cross_enter(&event->cross, &loop);

    if (err) return err;
    if (!event->set)
        return nidoi_cross_wait(&event->cross, &event->waiters, loop, &for_event, NULL);
    nidoi_cross_unlock(&event->cross);
    return 0;
}

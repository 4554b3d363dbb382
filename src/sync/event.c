/* SPDX-License-Identifier: MIT */
/* sync/event.c: an event, which is set or not. */
#include "nido/event.h"
#include "coro/scope/park.h"

#include "sync/select.h"
#include "sync/sync.h"

static const struct nidoi_wait_kind waiting = {
    .name = "event", .undo = nidoi_waitq_undo, .name_at = NIDOI_SYNC_NAME};

void nido_event_init(nido_event *event, const char *name)
{
    *event = (nido_event){0};
    nidoi_sync_init(&event->sync, name);
}

int nido_event_set(nido_event *event)
{
    int err = nidoi_sync_bind_here(&event->sync, false);

    if (err) return err;
    event->set = 1;
    nidoi_sync_wake_all(&event->sync, 0);
    return 0;
}

int nido_event_reset(nido_event *event)
{
    int err = nidoi_sync_bind_here(&event->sync, false);

    if (!err) event->set = 0;
    return err;
}

bool nido_event_is_set(const nido_event *event)
{
    return event->set;
}

int nido_event_wait(nido_event *event)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_sync_bind(loop, &event->sync);
    if (err || event->set) return err;
    nidoi_sync_enlist(&event->sync, &waiting, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_event_deinit(nido_event *event)
{
    return nidoi_sync_deinit(&event->sync, false);
}

/* ---- Its arm of a select ---- */

static const char *event_arm_name(const nido_arm *arm)
{
    return ((const nido_event *)arm->object)->sync.name;
}

static int event_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_event *event = arm->object;
    int err = nidoi_sync_bind(loop, &event->sync);

    if (err) return err;
    return event->set ? 0 : -EAGAIN;
}

static int event_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    nido_event *event = arm->object;

    (void)loop;
    nidoi_list_append(&event->sync.waiters.nodes, &arm->node.link);
    return 0;
}

static const struct nidoi_arm_kind event_arm = {.name = "event",
                                                .attempt = event_arm_attempt,
                                                .enlist = event_arm_enlist,
                                                .withdraw = nidoi_arm_unlink,
                                                .named = event_arm_name};

void nido_arm_event(nido_arm *arm, nido_event *event)
{
    *arm = (nido_arm){.kind = &event_arm, .object = event};
}

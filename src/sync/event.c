#include "nido/event.h"

#include "sync/sync.h"

static const struct nidoi_wait_kind waiting = {
    .name = "event", .undo = nidoi_waitq_undo, .named = nidoi_sync_name};

void nido_event_init(nido_event *event, const char *name)
{
    *event = (nido_event){0};
    nidoi_sync_init(&event->sync, name);
}

int nido_event_set(nido_event *event)
{
    int err = nidoi_sync_foreign(&event->sync, false);

    if (err) return err;
    event->set = 1;
    nidoi_sync_wake_all(&event->sync, 0);
    return 0;
}

int nido_event_reset(nido_event *event)
{
    int err = nidoi_sync_foreign(&event->sync, false);

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

    if (!err) err = nidoi_bind(loop, &event->sync.thread);
    if (err || event->set) return err;
    nidoi_sync_line_up(&event->sync, &waiting, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_event_deinit(nido_event *event)
{
    return nidoi_sync_deinit(&event->sync, false);
}

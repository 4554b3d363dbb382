/* SPDX-License-Identifier: MIT */
/* sync/watch.c: a value and its version.
 *
 * A change claims all waiters, but each of them reads the value when it runs: until then it is in
 * the list `told`. If the watch is ended before that, deinit copies the value to those in the list
 * and empties it, so that they do not touch a watch that is gone. */
#include "nido/watch.h"
#include "coro/scope/park.h"

#include <string.h>

#include "sync/items.h"

struct reading {
    struct nidoi_queued queued;
    uint64_t *seen;
};

static const struct nidoi_wait_kind waiting = {
    .name = "a change of watch", .undo = nidoi_waitq_undo, .name_at = offsetof(nido_watch, name)};

static bool watch_is_idle(const nido_watch *watch)
{
    return nidoi_waitq_empty(&watch->waiters) && nidoi_list_empty(&watch->told);
}

static int watch_bind_here(nido_watch *watch)
{
    return nidoi_bind_here(&watch->thread, !watch_is_idle(watch));
}

static void watch_read(const nido_watch *watch, void *out, uint64_t *seen)
{
    memcpy(out, watch->value, watch->size);
    *seen = watch->version;
}

int nido_watch_init(nido_watch *watch, void *value, size_t size, const char *name)
{
    if (!value || !size) return -EINVAL;
    *watch = (nido_watch){.name = name, .value = value, .size = size, .version = 1};
    nidoi_waitq_init(&watch->waiters);
    nidoi_list_init(&watch->told);
    return 0;
}

int nido_watch_set(nido_watch *watch, const void *value)
{
    struct nidoi_node *node;
    int err = watch_bind_here(watch);

    if (err) return err;
    if (watch->closed) return -EPIPE;
    memcpy(watch->value, value, watch->size);
    watch->version++;
    while ((node = nidoi_waitq_first(&watch->waiters)) != NULL) {
        nidoi_claim(node, 0);
        nidoi_list_append(&watch->told, &node->link);
    }
    return 0;
}

int nido_watch_get(nido_watch *watch, void *out, uint64_t *seen)
{
    uint64_t version;
    int err = watch_bind_here(watch);

    if (!err) watch_read(watch, out, seen ? seen : &version);
    return err;
}

static int watch_wait_for_change(struct nidoi_loop *loop, nido_watch *watch, void *out,
                                 uint64_t *seen)
{
    struct reading reading = {.queued.waiter = {.kind = &waiting, .object = watch}, .seen = seen};
    struct nidoi_node *node = &reading.queued.node;
    int rc;

    nidoi_waitq_enlist(&watch->waiters, &reading.queued);
    node->item = out;
    rc = (int)nidoi_park(loop, &reading.queued.waiter);
    if (rc || !nidoi_linked(&node->link)) return rc;
    nidoi_list_remove(&node->link);
    watch_read(watch, out, seen);
    return 0;
}

int nido_watch_wait(nido_watch *watch, void *out, uint64_t *seen)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_bind(loop, &watch->thread);
    if (err) return err;
    if (watch->version <= *seen)
        return watch->closed ? -EPIPE : watch_wait_for_change(loop, watch, out, seen);
    watch_read(watch, out, seen);
    return 0;
}

int nido_watch_close(nido_watch *watch)
{
    int err = watch_bind_here(watch);

    if (err) return err;
    watch->closed = 1;
    while (nidoi_waitq_wake(&watch->waiters, -EPIPE)) {
    }
    return 0;
}

int nido_watch_deinit(nido_watch *watch)
{
    struct nidoi_link *link;
    int err = nido_watch_close(watch);

    if (err) return err;
    while ((link = nidoi_list_pop(&watch->told)) != NULL) {
        struct reading *reading = nidoi_container(link, struct reading, queued.node.link);

        watch_read(watch, reading->queued.node.item, reading->seen);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* sync/watch.c: a value and its version.
 *
 * A change claims all waiters, but each of them reads the value when it runs: until then it is in
 * the list `told`. If the watch is ended before that, deinit copies the value to those in the list
 * and empties it, so that they do not touch a watch that is gone. An arm of a select is told in the
 * same way; its node has n set. */
#include "nido/watch.h"
#include "coro/scope/park.h"

#include <string.h>

#include "sync/items.h"
#include "sync/select.h"

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

/* -EAGAIN: the caller has to wait. */
static int watch_take(const struct nidoi_loop *loop, nido_watch *watch, void *out, uint64_t *seen)
{
    int err = nidoi_bind(loop, &watch->thread);

    if (err) return err;
    if (watch->version <= *seen) return watch->closed ? -EPIPE : -EAGAIN;
    watch_read(watch, out, seen);
    return 0;
}

int nido_watch_wait(nido_watch *watch, void *out, uint64_t *seen)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = watch_take(loop, watch, out, seen);
    return err == -EAGAIN ? watch_wait_for_change(loop, watch, out, seen) : err;
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

static uint64_t *watch_seen_of(struct nidoi_node *node)
{
    if (node->n) return nidoi_container(node, nido_arm, node)->of.seen;
    return nidoi_container(node, struct reading, queued.node)->seen;
}

int nido_watch_deinit(nido_watch *watch)
{
    struct nidoi_link *link;
    int err = nido_watch_close(watch);

    if (err) return err;
    while ((link = nidoi_list_pop(&watch->told)) != NULL) {
        struct nidoi_node *node = nidoi_container(link, struct nidoi_node, link);

        watch_read(watch, node->item, watch_seen_of(node));
    }
    return 0;
}

/* ---- The arm of a select ---- */

static const char *watch_arm_name(const nido_arm *arm)
{
    return ((const nido_watch *)arm->object)->name;
}

static int watch_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    return watch_take(loop, arm->object, arm->node.item, arm->of.seen);
}

static int watch_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop;
    nidoi_list_append(&((nido_watch *)arm->object)->waiters.nodes, &arm->node.link);
    return 0;
}

static int watch_arm_woken(struct nidoi_loop *loop, nido_arm *arm, int value)
{
    (void)loop;
    if (value || !nidoi_linked(&arm->node.link)) return value;
    nidoi_list_remove(&arm->node.link);
    watch_read(arm->object, arm->node.item, arm->of.seen);
    return 0;
}

static const struct nidoi_arm_kind watch_arm = {.name = "watch",
                                                .attempt = watch_arm_attempt,
                                                .enlist = watch_arm_enlist,
                                                .withdraw = nidoi_arm_unlink,
                                                .woken = watch_arm_woken,
                                                .named = watch_arm_name};

void nido_arm_watch(nido_arm *arm, nido_watch *watch, void *out, uint64_t *seen)
{
    *arm = (nido_arm){
        .kind = &watch_arm, .object = watch, .node.item = out, .node.n = 1, .of.seen = seen};
}

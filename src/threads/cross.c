/* SPDX-License-Identifier: MIT */
#include "threads/cross.h"

#include <errno.h>

#include "coro/run/fork.h"
#include "coro/scope/park.h"

void nidoi_cross_init(struct nidoi_cross *object)
{
    nidoi_fork_watch();
    pthread_mutex_init(&object->lock, NULL);
    object->to_wake = NULL;
    object->forks = nidoi_forks;
}

void nidoi_cross_deinit(struct nidoi_cross *object)
{
    pthread_mutex_destroy(&object->lock);
}

int nidoi_cross_lock(struct nidoi_cross *object)
{
    if (nidoi_cross_inherited(object)) return -EPERM;
    pthread_mutex_lock(&object->lock);
    return 0;
}

static void cross_wake(struct nidoi_cross_node *node)
{
    if (!nidoi_remote_post(node->loop->remote, &node->post))
        nidoi_panic("a run has ended while a task of it waited");
}

void nidoi_cross_unlock(struct nidoi_cross *object)
{
    struct nidoi_cross_node *next, *node = object->to_wake;

    object->to_wake = NULL;
    pthread_mutex_unlock(&object->lock);
    for (; node; node = next) {
        next = node->next; /* a woken task's node is gone */
        cross_wake(node);
    }
}

static void cross_received(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_cross_node *node = nidoi_container(post, struct nidoi_cross_node, post);

    (void)loop;
    nidoi_wake(&node->waiter, node->result);
}

enum nidoi_undo nidoi_cross_undo(struct nidoi_waiter *waiter)
{
    struct nidoi_cross_node *node = nidoi_container(waiter, struct nidoi_cross_node, waiter);
    bool waits;

    pthread_mutex_lock(&node->object->lock);
    waits = !node->granted;
    if (waits && nidoi_linked(&node->link)) nidoi_list_remove(&node->link);
    pthread_mutex_unlock(&node->object->lock);
    return waits ? NIDOI_WITHDRAWN : NIDOI_NOTED;
}

struct nidoi_cross_node *nidoi_cross_first(const struct nidoi_link *queue)
{
    return nidoi_list_empty(queue) ? NULL
                                   : nidoi_container(queue->next, struct nidoi_cross_node, link);
}

static void cross_add_to_wake(struct nidoi_cross *object, struct nidoi_cross_node *node)
{
    node->next = NULL;
    if (!object->to_wake) object->last = &object->to_wake;
    *object->last = node;
    object->last = &node->next;
}

void nidoi_cross_grant(struct nidoi_cross_node *node, int result)
{
    nidoi_list_remove(&node->link);
    node->granted = true;
    node->result = result;
    if (node->loop)
        cross_add_to_wake(node->object, node);
    else
        pthread_cond_signal(&node->wakeup);
}

static int cross_wait_as_task(struct nidoi_cross_node *node)
{
    int result;

    nidoi_cross_unlock(node->object);
    nidoi_loop_outside(node->loop, 1);
    result = (int)nidoi_park(node->loop, &node->waiter);
    nidoi_loop_outside(node->loop, -1);
    return result;
}

/* The thread was cancelled by pthread_cancel in its wait, and ends after this. It has the lock
 * again. */
static void cross_leave_thread(void *arg)
{
    struct nidoi_cross_node *node = arg;

    if (!node->granted) nidoi_list_remove(&node->link);
    nidoi_cross_unlock(node->object);
    pthread_cond_destroy(&node->wakeup);
}

static int cross_wait_as_thread(struct nidoi_cross_node *node)
{
    pthread_cond_init(&node->wakeup, NULL);
    pthread_cleanup_push(cross_leave_thread, node);
    while (!node->granted) pthread_cond_wait(&node->wakeup, &node->object->lock);
    pthread_cleanup_pop(true);
    return node->result;
}

int nidoi_cross_wait(struct nidoi_cross *object, struct nidoi_link *queue, struct nidoi_loop *loop,
                     const struct nidoi_wait_kind *kind, void *item)
{
    struct nidoi_cross_node node = {.object = object,
                                    .item = item,
                                    .loop = loop,
                                    .waiter = {.kind = kind, .object = object},
                                    .post.call = cross_received};

    nidoi_list_append(queue, &node.link);
    return loop ? cross_wait_as_task(&node) : cross_wait_as_thread(&node);
}

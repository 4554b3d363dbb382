#include "threads/cross.h"

#include <errno.h>

#include "coro/run/fork.h"
#include "coro/scope/park.h"

void nidoi_cross_init(struct nidoi_cross *object)
{
    nidoi_fork_watch();
    pthread_mutex_init(&object->lock, NULL);
    object->told = NULL;
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

static void tell(struct nidoi_crossing *crossing)
{
    if (!nidoi_remote_post(crossing->loop->remote, &crossing->post))
        nidoi_panic("a run has ended while a task of it waited");
}

void nidoi_cross_unlock(struct nidoi_cross *object)
{
    struct nidoi_crossing *next, *crossing = object->told;

    object->told = NULL;
    pthread_mutex_unlock(&object->lock);
    for (; crossing; crossing = next) {
        next = crossing->next; /* once told it is gone */
        tell(crossing);
    }
}

static void arrived(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_crossing *crossing = nidoi_container(post, struct nidoi_crossing, post);

    (void)loop;
    nidoi_wake(&crossing->waiter, crossing->result);
}

enum nidoi_undo nidoi_cross_undo(struct nidoi_waiter *waiter)
{
    struct nidoi_crossing *crossing = nidoi_container(waiter, struct nidoi_crossing, waiter);
    bool waits;

    pthread_mutex_lock(&crossing->object->lock);
    waits = !crossing->granted;
    if (waits && nidoi_linked(&crossing->link)) nidoi_list_remove(&crossing->link);
    pthread_mutex_unlock(&crossing->object->lock);
    return waits ? NIDOI_WITHDRAWN : NIDOI_NOTED;
}

struct nidoi_crossing *nidoi_cross_first(const struct nidoi_link *queue)
{
    return nidoi_list_empty(queue) ? NULL
                                   : nidoi_container(queue->next, struct nidoi_crossing, link);
}

static void line_up(struct nidoi_cross *object, struct nidoi_crossing *crossing)
{
    crossing->next = NULL;
    if (!object->told) object->last = &object->told;
    *object->last = crossing;
    object->last = &crossing->next;
}

void nidoi_cross_grant(struct nidoi_crossing *crossing, int result)
{
    nidoi_list_remove(&crossing->link);
    crossing->granted = true;
    crossing->result = result;
    if (crossing->loop)
        line_up(crossing->object, crossing);
    else
        pthread_cond_signal(&crossing->told);
}

static int wait_as_task(struct nidoi_crossing *crossing)
{
    int result;

    nidoi_cross_unlock(crossing->object);
    nidoi_loop_outside(crossing->loop, 1);
    result = (int)nidoi_park(crossing->loop, &crossing->waiter);
    nidoi_loop_outside(crossing->loop, -1);
    return result;
}

/* pthread_cancel has ended the wait, which has the lock again, and then the thread ends. */
static void leave(void *arg)
{
    struct nidoi_crossing *crossing = arg;

    if (!crossing->granted) nidoi_list_remove(&crossing->link);
    nidoi_cross_unlock(crossing->object);
    pthread_cond_destroy(&crossing->told);
}

static int wait_as_thread(struct nidoi_crossing *crossing)
{
    pthread_cond_init(&crossing->told, NULL);
    pthread_cleanup_push(leave, crossing);
    while (!crossing->granted) pthread_cond_wait(&crossing->told, &crossing->object->lock);
    pthread_cleanup_pop(true);
    return crossing->result;
}

int nidoi_cross_wait(struct nidoi_cross *object, struct nidoi_link *queue, struct nidoi_loop *loop,
                     const struct nidoi_wait_kind *kind, void *item)
{
    struct nidoi_crossing crossing = {.object = object,
                                      .item = item,
                                      .loop = loop,
                                      .waiter = {.kind = kind, .object = object},
                                      .post.call = arrived};

    nidoi_list_append(queue, &crossing.link);
    return loop ? wait_as_task(&crossing) : wait_as_thread(&crossing);
}

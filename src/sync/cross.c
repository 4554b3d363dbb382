#include "sync/cross.h"

int nidoi_cross_enter(struct nidoi_loop **out)
{
    *out = NULL;
    return nidoi_sched_self ? nidoi_enter(out) : 0;
}

static void arrived(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_crossing *crossing = nidoi_container(post, struct nidoi_crossing, post);

    (void)loop;
    nidoi_wake(&crossing->waiter, crossing->result);
}

bool nidoi_cross_undo(struct nidoi_waiter *waiter)
{
    struct nidoi_crossing *crossing = nidoi_container(waiter, struct nidoi_crossing, waiter);
    bool waits;

    nidoi_cross_lock(crossing->object);
    waits = !crossing->granted;
    if (waits && nidoi_linked(&crossing->link)) nidoi_list_remove(&crossing->link);
    nidoi_cross_unlock(crossing->object);
    return waits;
}

struct nidoi_crossing *nidoi_cross_first(const struct nidoi_link *queue)
{
    return nidoi_list_empty(queue) ? NULL
                                   : nidoi_container(queue->next, struct nidoi_crossing, link);
}

void nidoi_cross_grant(struct nidoi_crossing *crossing, int result)
{
    nidoi_list_remove(&crossing->link);
    crossing->granted = true;
    crossing->result = result;
    if (!crossing->loop)
        pthread_cond_signal(&crossing->told);
    else if (!nidoi_door_post(crossing->loop->door, &crossing->post))
        nidoi_panic("a run has ended while a task of it waited");
}

static int wait_as_task(struct nidoi_crossing *crossing)
{
    int result;

    nidoi_cross_unlock(crossing->object);
    nidoi_loop_listen(crossing->loop, 1);
    result = (int)nidoi_park(crossing->loop, &crossing->waiter);
    nidoi_loop_listen(crossing->loop, -1);
    return result;
}

static int wait_as_thread(struct nidoi_crossing *crossing)
{
    pthread_cond_init(&crossing->told, NULL);
    while (!crossing->granted) pthread_cond_wait(&crossing->told, &crossing->object->lock);
    nidoi_cross_unlock(crossing->object);
    pthread_cond_destroy(&crossing->told);
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

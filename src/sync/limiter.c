#include "sync/limiter.h"

#include "sync/sync.h"

static const struct nidoi_wait_kind waiting = {
    .name = "limiter", .undo = nidoi_waitq_undo, .named = nidoi_sync_name};

static void orphaned(struct nidoi_held *held);

static void lend(nido_limiter *limiter, struct nidoi_task *task, nido_limiter_token *token)
{
    token->held.orphaned = orphaned;
    token->task = task;
    token->limiter = limiter;
    nidoi_held_add(task, &token->held);
    limiter->borrowed++;
}

/* node->item is the token. */
static void grant(nido_limiter *limiter)
{
    struct nidoi_node *head;

    while ((head = nidoi_waitq_first(&limiter->sync.waiters)) &&
           limiter->borrowed < limiter->capacity) {
        lend(limiter, head->waiter->task, head->item);
        nidoi_claim(head, 0);
    }
}

static void orphaned(struct nidoi_held *held)
{
    nidoi_limiter_take_back(nidoi_container(held, nido_limiter_token, held)->limiter);
}

static bool has_borrowed(struct nidoi_task *task, const nido_limiter *limiter)
{
    for (struct nidoi_link *link = task->held.next; link != &task->held; link = link->next) {
        struct nidoi_held *held = nidoi_container(link, struct nidoi_held, link);

        if (held->orphaned == orphaned &&
            nidoi_container(held, nido_limiter_token, held)->limiter == limiter)
            return true;
    }
    return false;
}

int nido_limiter_init(nido_limiter *limiter, uint32_t capacity, const char *name)
{
    if (capacity == 0) return -EINVAL;
    *limiter = (nido_limiter){.capacity = capacity};
    nidoi_sync_init(&limiter->sync, name);
    return 0;
}

/* -EAGAIN: it would have to wait. */
static int borrow(nido_limiter *limiter, struct nidoi_loop *loop, nido_limiter_token *token)
{
    struct nidoi_task *task = loop->sched.current;
    int err = nidoi_bind(loop, &limiter->sync.thread);

    if (err) return err;
    if (has_borrowed(task, limiter)) return -EDEADLK;
    if (nidoi_linked(&token->held.link)) return -EBUSY;
    if (limiter->borrowed >= limiter->capacity) return -EAGAIN;
    lend(limiter, task, token);
    return 0;
}

int nido_limiter_acquire(nido_limiter *limiter, nido_limiter_token *token)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = borrow(limiter, loop, token);
    if (err != -EAGAIN) return err;
    nidoi_sync_line_up(&limiter->sync, &waiting, &queued);
    queued.node.item = token;
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_limiter_try_acquire(nido_limiter *limiter, nido_limiter_token *token)
{
    struct nidoi_loop *loop;
    int err = nidoi_sync_try(&loop);

    return err ? err : borrow(limiter, loop, token);
}

int nido_limiter_release(nido_limiter *limiter, nido_limiter_token *token)
{
    int err = nidoi_sync_foreign(&limiter->sync, limiter->borrowed);

    if (err) return err;
    if (!nidoi_linked(&token->held.link) || token->limiter != limiter ||
        token->task != nidoi_sched_self->current)
        return -EPERM;
    nidoi_held_remove(&token->held);
    limiter->borrowed--;
    grant(limiter);
    return 0;
}

void nidoi_limiter_hand_over(nido_limiter *limiter, nido_limiter_token *token)
{
    nidoi_assert(nidoi_linked(&token->held.link) && token->limiter == limiter);
    nidoi_held_remove(&token->held);
}

void nidoi_limiter_take_back(nido_limiter *limiter)
{
    limiter->borrowed--;
    grant(limiter);
}

int nido_limiter_resize(nido_limiter *limiter, uint32_t capacity)
{
    int err = nidoi_sync_foreign(&limiter->sync, limiter->borrowed);

    if (!err && capacity == 0) err = -EINVAL;
    if (err) return err;
    limiter->capacity = capacity;
    grant(limiter);
    return 0;
}

int nido_limiter_deinit(nido_limiter *limiter)
{
    return nidoi_sync_deinit(&limiter->sync, limiter->borrowed);
}

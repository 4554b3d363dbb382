/* SPDX-License-Identifier: MIT */
#include "sync/limiter.h"

#include "coro/scope/park.h"
#include "sync/sync.h"

static const struct nidoi_wait_kind waiting = {
    .name = "limiter", .undo = nidoi_waitq_undo, .name_at = NIDOI_SYNC_NAME};

static void limiter_owner_died(struct nidoi_held *held);

static void limiter_lend(nido_limiter *limiter, struct nidoi_task *task, nido_limiter_token *token)
{
    token->held.orphaned = limiter_owner_died;
    token->task = task;
    token->limiter = limiter;
    nidoi_held_add(task, &token->held);
    limiter->borrowed++;
}

/* node->item is the token. */
static void limiter_grant(nido_limiter *limiter)
{
    struct nidoi_node *head;

    while ((head = nidoi_waitq_first(&limiter->sync.waiters)) &&
           limiter->borrowed < limiter->capacity) {
        limiter_lend(limiter, head->waiter->task, head->item);
        nidoi_claim(head, 0);
    }
}

static void limiter_owner_died(struct nidoi_held *held)
{
    nidoi_limiter_give_back(nidoi_container(held, nido_limiter_token, held)->limiter);
}

static bool limiter_has_lent_to(const nido_limiter *limiter, struct nidoi_task *task)
{
    for (struct nidoi_link *link = task->held.next; link != &task->held; link = link->next) {
        struct nidoi_held *held = nidoi_container(link, struct nidoi_held, link);

        if (held->orphaned == limiter_owner_died &&
            nidoi_container(held, nido_limiter_token, held)->limiter == limiter)
            return true;
    }
    return false;
}

int nido_limiter_init(nido_limiter *limiter, uint32_t capacity, const char *name)
{
    *limiter = (nido_limiter){.capacity = capacity};
    nidoi_sync_init(&limiter->sync, name);
    return 0;
}

/* -EAGAIN: the caller has to wait. */
static int limiter_borrow(nido_limiter *limiter, struct nidoi_loop *loop, nido_limiter_token *token)
{
    struct nidoi_task *task = loop->sched.current;
    int err = nidoi_sync_bind(loop, &limiter->sync);

    if (err) return err;
    if (limiter_has_lent_to(limiter, task))
        return nidoi_sync_has_it("has a permit of", "limiter", &limiter->sync);
    if (nidoi_linked(&token->held.link)) return -EBUSY;
    if (limiter->borrowed >= limiter->capacity) return -EAGAIN;
    limiter_lend(limiter, task, token);
    return 0;
}

int nido_limiter_acquire(nido_limiter *limiter, nido_limiter_token *token)
{
    struct nidoi_queued queued;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = limiter_borrow(limiter, loop, token);
    if (err != -EAGAIN) return err;
    nidoi_sync_enlist(&limiter->sync, &waiting, &queued);
    queued.node.item = token;
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_limiter_try_acquire(nido_limiter *limiter, nido_limiter_token *token)
{
    struct nidoi_loop *loop;
    int err = nidoi_sync_try(&loop);

    return err ? err : limiter_borrow(limiter, loop, token);
}

int nido_limiter_release(nido_limiter *limiter, nido_limiter_token *token)
{
    int err = nidoi_sync_bind_here(&limiter->sync, limiter->borrowed);

    if (err) return err;
    if (!nidoi_linked(&token->held.link) || token->limiter != limiter ||
        token->task != nidoi_sched_self->current)
        return -EPERM;
    nidoi_held_remove(&token->held);
    limiter->borrowed--;
    limiter_grant(limiter);
    return 0;
}

void nidoi_limiter_detach(nido_limiter *limiter, nido_limiter_token *token)
{
    nidoi_assert(nidoi_linked(&token->held.link) && token->limiter == limiter);
    nidoi_held_remove(&token->held);
}

void nidoi_limiter_give_back(nido_limiter *limiter)
{
    limiter->borrowed--;
    limiter_grant(limiter);
}

int nido_limiter_resize(nido_limiter *limiter, uint32_t capacity)
{
    int err = nidoi_sync_bind_here(&limiter->sync, limiter->borrowed);

    if (err) return err;
    limiter->capacity = capacity;
    limiter_grant(limiter);
    return 0;
}

int nido_limiter_deinit(nido_limiter *limiter)
{
    return nidoi_sync_deinit(&limiter->sync, limiter->borrowed);
}

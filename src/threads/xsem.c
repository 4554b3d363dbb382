/* SPDX-License-Identifier: MIT */
/* threads/xsem.c: permits for any thread. No waiter is left while there are permits. */
#include "base/mem.h"
#include "nido/cross.h"
#include "threads/cross.h"

struct nido_xsem {
    struct nidoi_cross cross; /* first */
    struct nidoi_link waiters;
    uint32_t permits;
};

static const struct nidoi_wait_kind for_permit = {
    .name = "cross-thread semaphore", .undo = nidoi_cross_undo, .by_thread = true};

int nido_xsem_new(uint32_t permits, nido_xsem **out)
{
    nido_xsem *sem = nidoi_mem_zeroed(sizeof *sem);

    if (!sem) return -ENOMEM;
    sem->permits = permits;
    nidoi_cross_init(&sem->cross);
    nidoi_list_init(&sem->waiters);
    *out = sem;
    return 0;
}

void nido_xsem_free(nido_xsem *sem)
{
    if (!sem || nidoi_cross_inherited(&sem->cross)) return;
    nidoi_assert(nidoi_list_empty(&sem->waiters));
    nidoi_cross_deinit(&sem->cross);
    nidoi_mem.release(sem);
}

int nido_xsem_try_acquire(nido_xsem *sem)
{
    int err = nidoi_cross_lock(&sem->cross);

    if (err) return err;
    if (!sem->permits)
        err = -EAGAIN;
    else
        sem->permits--;
    nidoi_cross_unlock(&sem->cross);
    return err;
}

int nido_xsem_acquire(nido_xsem *sem)
{
    struct nidoi_loop *loop;
    int err = nidoi_cross_enter(&sem->cross, &loop);

    if (err) return err;
    if (!sem->permits) return nidoi_cross_wait(&sem->cross, &sem->waiters, loop, &for_permit, NULL);
    sem->permits--;
    nidoi_cross_unlock(&sem->cross);
    return 0;
}

int nido_xsem_release(nido_xsem *sem, uint32_t n)
{
    struct nidoi_cross_node *first;
    int err = nidoi_cross_lock(&sem->cross);

    if (err) return err;
    if (n > UINT32_MAX - sem->permits) err = -EOVERFLOW;
    for (; !err && n && (first = nidoi_cross_first(&sem->waiters)) != NULL; n--)
        nidoi_cross_grant(first, 0);
    if (!err) sem->permits += n;
    nidoi_cross_unlock(&sem->cross);
    return err;
}

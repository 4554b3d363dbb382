/* threads/xsem.c: an event and permits for any thread. */
#include "base/mem.h"
#include "nido/cross.h"
#include "threads/cross.h"

/* ---- The event ---- */

struct nido_xevent {
    struct nidoi_cross cross; /* first */
    struct nidoi_link waiters;
    bool set;
};

static const struct nidoi_wait_kind for_event = {.name = "cross-thread event",
                                                 .undo = nidoi_cross_undo};

int nido_xevent_new(nido_xevent **out)
{
    nido_xevent *event = nidoi_mem_zeroed(sizeof *event);

    if (!event) return -ENOMEM;
    nidoi_cross_init(&event->cross);
    nidoi_list_init(&event->waiters);
    *out = event;
    return 0;
}

void nido_xevent_free(nido_xevent *event)
{
    if (!event || nidoi_cross_inherited(&event->cross)) return;
    nidoi_assert(nidoi_list_empty(&event->waiters));
    nidoi_cross_deinit(&event->cross);
    nidoi_mem.release(event);
}

void nido_xevent_set(nido_xevent *event)
{
    struct nidoi_crossing *first;

    if (nidoi_cross_lock(&event->cross)) return;
    event->set = true;
    while ((first = nidoi_cross_first(&event->waiters)) != NULL) nidoi_cross_grant(first, 0);
    nidoi_cross_unlock(&event->cross);
}

void nido_xevent_reset(nido_xevent *event)
{
    if (nidoi_cross_lock(&event->cross)) return;
    event->set = false;
    nidoi_cross_unlock(&event->cross);
}

int nido_xevent_wait(nido_xevent *event)
{
    struct nidoi_loop *loop;
    int err = nidoi_cross_enter(&event->cross, &loop);

    if (err) return err;
    if (!event->set)
        return nidoi_cross_wait(&event->cross, &event->waiters, loop, &for_event, NULL);
    nidoi_cross_unlock(&event->cross);
    return 0;
}

/* ---- Permits ---- */

/* Nobody waits while there are permits. */
struct nido_xsem {
    struct nidoi_cross cross; /* first */
    struct nidoi_link waiters;
    uint32_t permits;
};

static const struct nidoi_wait_kind for_permit = {.name = "cross-thread semaphore",
                                                  .undo = nidoi_cross_undo};

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
    struct nidoi_crossing *first;
    int err = nidoi_cross_lock(&sem->cross);

    if (err) return err;
    if (n > UINT32_MAX - sem->permits) err = -EOVERFLOW;
    for (; !err && n && (first = nidoi_cross_first(&sem->waiters)) != NULL; n--)
        nidoi_cross_grant(first, 0);
    if (!err) sem->permits += n;
    nidoi_cross_unlock(&sem->cross);
    return err;
}

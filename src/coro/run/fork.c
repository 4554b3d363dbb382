/* SPDX-License-Identifier: MIT */
#include "coro/run/fork.h"

#include <errno.h>
#include <pthread.h>

#include "coro/runtime/loop.h"
#include "reactor/backend.h"

static _Thread_local struct nidoi_loop *dead;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nidoi_fork_handler *handlers; /* lock */

/* In the child. Without its pointer the thread has no runtime, so every call says -EPERM. */
static void fork_in_child(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    lock = fresh;
    nidoi_forks++;
    if (nidoi_sched_self) dead = nidoi_loop_self();
    nidoi_sched_self = NULL;
    for (struct nidoi_fork_handler *each = handlers; each; each = each->next) each->forked();
}

static void fork_watch_once(void)
{
    pthread_atfork(NULL, NULL, fork_in_child);
}

void nidoi_fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fork_watch_once);
}

void nidoi_fork_register(struct nidoi_fork_handler *handler)
{
    nidoi_fork_watch();
    pthread_mutex_lock(&lock);
    if (!handler->known) {
        handler->next = handlers;
        handlers = handler;
        handler->known = true;
    }
    pthread_mutex_unlock(&lock);
}

bool nidoi_fork_pending(void)
{
    return dead != NULL;
}

/* The kernel's part is shared with the parent, so it is only let go of, never changed: removing a
 * descriptor here would remove it there. The memory stays: other threads' share of it is in an
 * unknown state. */
int nido_after_fork_reset(void)
{
    if (!dead) return -EINVAL;
    nidoi_backend_abandon(&dead->reactor.backend, &dead->remote->wakeup);
    dead = NULL;
    return 0;
}

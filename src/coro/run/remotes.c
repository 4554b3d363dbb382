/* SPDX-License-Identifier: MIT */
#include "coro/run/remotes.h"

#include <pthread.h>

#include "base/list.h"
#include "coro/run/fork.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct nidoi_link nidoi_remotes = {&nidoi_remotes, &nidoi_remotes};

static void forked(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    nidoi_list_init(&nidoi_remotes);
}

static struct nidoi_fork_handler at_fork = {.forked = forked};

void nidoi_remotes_lock(void)
{
    pthread_mutex_lock(&lock);
}

void nidoi_remotes_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void nidoi_remotes_add(nido_rt *remote)
{
    nidoi_fork_register(&at_fork);
    nidoi_remotes_lock();
    nidoi_list_append(&nidoi_remotes, &remote->link);
    nidoi_remotes_unlock();
}

void nidoi_remotes_remove(nido_rt *remote)
{
    nidoi_remotes_lock();
    if (remote->forks == nidoi_forks && nidoi_linked(&remote->link))
        nidoi_list_remove(&remote->link);
    nidoi_remotes_unlock();
}

void nidoi_remotes_each(void (*call)(nido_rt *remote, void *arg), void *arg)
{
    for (struct nidoi_link *link = nidoi_remotes.next; link != &nidoi_remotes; link = link->next)
        call(nidoi_container(link, nido_rt, link), arg);
}

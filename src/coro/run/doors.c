#include "coro/run/doors.h"

#include <pthread.h>

#include "base/list.h"
#include "coro/run/fork.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nidoi_link doors = {&doors, &doors};

static void forked(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    nidoi_list_init(&doors);
}

static struct nidoi_heirloom heirloom = {.forked = forked};

void nidoi_doors_lock(void)
{
    pthread_mutex_lock(&lock);
}

void nidoi_doors_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void nidoi_doors_add(nido_rt *door)
{
    nidoi_fork_inherit(&heirloom);
    nidoi_doors_lock();
    nidoi_list_append(&doors, &door->link);
    nidoi_doors_unlock();
}

void nidoi_doors_remove(nido_rt *door)
{
    nidoi_doors_lock();
    if (door->forks == nidoi_forks && nidoi_linked(&door->link)) nidoi_list_remove(&door->link);
    nidoi_doors_unlock();
}

void nidoi_doors_each(void (*visit)(nido_rt *door, void *arg), void *arg)
{
    for (struct nidoi_link *link = doors.next; link != &doors; link = link->next)
        visit(nidoi_container(link, nido_rt, link), arg);
}

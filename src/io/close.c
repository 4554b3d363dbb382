/* SPDX-License-Identifier: MIT */
/* io/close.c: nido_close. On a thread with a runtime it ends that runtime's watches of the number
 * and closes it.
 *
 * On a thread without one, every runtime of the process may have waiters on the number or own it.
 * Each drops it on its own thread, and the last one closes it, so no task finds another file under
 * the number. */
#include <errno.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/remotes.h"
#include "io/fd.h"
#include "nido/fd.h"

/* ---- On a thread without a runtime ---- */

/* One close in progress. */
struct shared_close {
    struct nidoi_link link;
    int fd;
    uint32_t users; /* runtimes, and the caller, that have not dropped the number yet */
    bool in_job;    /* a job uses the number: the last such job closes it */
};

/* The post to one runtime. */
struct close_post {
    struct nidoi_post post;
    struct shared_close *shared;
};

/* Guarded by the lock of the remotes. */
static struct nidoi_link shared_closes = {&shared_closes, &shared_closes};
static uint32_t forks; /* in the process that the list belongs to */

static bool shared_close_pending(int fd)
{
    if (forks != nidoi_forks) nidoi_list_init(&shared_closes);
    forks = nidoi_forks;
    for (struct nidoi_link *link = shared_closes.next; link != &shared_closes; link = link->next)
        if (nidoi_container(link, struct shared_close, link)->fd == fd) return true;
    return false;
}

/* Called with the lock held: the number must be out of the list before the kernel may use it again.
 */
static void shared_close_leave(struct shared_close *shared, bool in_job)
{
    shared->in_job |= in_job;
    if (--shared->users) return;
    nidoi_list_remove(&shared->link);
    if (!shared->in_job) nidoi_sys.close(shared->fd);
    nidoi_mem.release(shared);
}

static void close_post_run(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct close_post *notice = nidoi_container(post, struct close_post, post);
    struct nidoi_fd *slot = nidoi_reactor_find(&loop->reactor, notice->shared->fd);
    bool in_job = slot && slot->jobs;

    nidoi_reactor_drop(&loop->reactor, notice->shared->fd);
    if (in_job) nidoi_reactor_closing(&loop->reactor, slot, true);
    nidoi_remotes_lock();
    shared_close_leave(notice->shared, in_job);
    nidoi_remotes_unlock();
    nidoi_mem.release(notice);
}

/* Without memory no post is sent, and for that runtime the number was closed by other code. */
static void close_post_send(nido_rt *remote, void *arg)
{
    struct close_post *notice = nidoi_mem.alloc(sizeof *notice);

    if (!notice) return;
    *notice = (struct close_post){.post.call = close_post_run, .shared = arg};
    notice->shared->users++;
    if (nidoi_remote_post(remote, &notice->post)) return;
    notice->shared->users--;
    nidoi_mem.release(notice);
}

static int close_elsewhere(int fd)
{
    int err = nidoi_sys.mode(fd);
    struct shared_close *shared;

    if (err < 0) return err;
    shared = nidoi_mem_zeroed(sizeof *shared);
    if (!shared) return -ENOMEM;
    nidoi_sys.end_linger(fd);
    nidoi_remotes_lock();
    err = shared_close_pending(fd) ? -EBADF : 0;
    if (err) {
        nidoi_mem.release(shared);
    } else {
        *shared = (struct shared_close){.fd = fd, .users = 1};
        nidoi_list_append(&shared_closes, &shared->link);
        nidoi_remotes_each(close_post_send, shared);
        shared_close_leave(shared, false);
    }
    nidoi_remotes_unlock();
    return err;
}

/* ---- On a thread with one ---- */

/* Only network streams linger. A foreign descriptor may be one. */
static bool slot_may_linger(const struct nidoi_fd *slot)
{
    const unsigned lingering = NIDOI_FD_SOCKET | NIDOI_FD_STREAM;

    if (!slot || !(slot->flags & (NIDOI_FD_OWNED | NIDOI_FD_FILE))) return true;
    return (slot->flags & lingering) == lingering;
}

int nido_close(int fd)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_fd *slot = loop ? nidoi_reactor_find(&loop->reactor, fd) : NULL;

    if (!loop) return close_elsewhere(fd);
    if (slot_may_linger(slot)) nidoi_sys.end_linger(fd);
    if (slot && slot->closing) return -EBADF;
    nido_fd_forget(fd);
    if (!slot || !slot->jobs) return nidoi_sys.close(fd);
    nidoi_reactor_closing(&loop->reactor, slot, true);
    return 0;
}

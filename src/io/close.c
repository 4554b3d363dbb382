/* io/close.c: nido_close. On a thread with a runtime it ends what that runtime has of the number, and
 * closes it.
 *
 * On a thread without one, every runtime of the process may have waiters on the number or own it, and
 * each has to let go on its own thread; the last one closes it, so no task meets another file under the
 * number. */
#include <errno.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/remotes.h"
#include "io/fd.h"
#include "nido/fd.h"

/* ---- On a thread without a runtime ---- */

/* One close on its way. */
struct parting {
    struct nidoi_link link;
    int fd;
    uint32_t left; /* who have not let go yet */
    bool lent;     /* jobs use the number: the last of them closes it */
};

/* To one runtime. */
struct letter {
    struct nidoi_post post;
    struct parting *parting;
};

/* All under the lock of the doors. */
static struct nidoi_link partings = {&partings, &partings};
static uint32_t forks; /* of the process they belong to */

static bool under_way(int fd)
{
    if (forks != nidoi_forks) nidoi_list_init(&partings);
    forks = nidoi_forks;
    for (struct nidoi_link *link = partings.next; link != &partings; link = link->next)
        if (nidoi_container(link, struct parting, link)->fd == fd) return true;
    return false;
}

/* The lock is held: the number must not be given away before it is out of the list. */
static void let_go(struct parting *parting, bool lent)
{
    parting->lent |= lent;
    if (--parting->left) return;
    nidoi_list_remove(&parting->link);
    if (!parting->lent) nidoi_sys.close(parting->fd);
    nidoi_mem.release(parting);
}

static void arrive(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct letter *letter = nidoi_container(post, struct letter, post);
    struct nidoi_fd *slot = nidoi_reactor_find(&loop->reactor, letter->parting->fd);
    bool lent = slot && slot->jobs;

    nidoi_reactor_drop(&loop->reactor, letter->parting->fd);
    if (lent) nidoi_reactor_closing(&loop->reactor, slot, true);
    nidoi_remotes_lock();
    let_go(letter->parting, lent);
    nidoi_remotes_unlock();
    nidoi_mem.release(letter);
}

/* Without memory the runtime finds out by itself, as if the number had been closed behind its back. */
static void write_to(nido_rt *remote, void *arg)
{
    struct letter *letter = nidoi_mem.alloc(sizeof *letter);

    if (!letter) return;
    *letter = (struct letter){.post.call = arrive, .parting = arg};
    letter->parting->left++;
    if (nidoi_remote_post(remote, &letter->post)) return;
    letter->parting->left--;
    nidoi_mem.release(letter);
}

static int close_elsewhere(int fd)
{
    int err = nidoi_sys.mode(fd);
    struct parting *parting;

    if (err < 0) return err;
    parting = nidoi_mem_zeroed(sizeof *parting);
    if (!parting) return -ENOMEM;
    nidoi_sys.hurry(fd);
    nidoi_remotes_lock();
    err = under_way(fd) ? -EBADF : 0;
    if (err) {
        nidoi_mem.release(parting);
    } else {
        *parting = (struct parting){.fd = fd, .left = 1};
        nidoi_list_append(&partings, &parting->link);
        nidoi_remotes_each(write_to, parting);
        let_go(parting, false);
    }
    nidoi_remotes_unlock();
    return err;
}

/* ---- On a thread with one ---- */

/* Only streams of the network linger; what a foreign descriptor is, nobody knows. */
static bool may_linger(const struct nidoi_fd *slot)
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
    if (may_linger(slot)) nidoi_sys.hurry(fd);
    if (slot && slot->closing) return -EBADF;
    nido_fd_forget(fd);
    if (!slot || !slot->jobs) return nidoi_sys.close(fd);
    nidoi_reactor_closing(&loop->reactor, slot, true);
    return 0;
}

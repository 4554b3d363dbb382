/* SPDX-License-Identifier: MIT */
/* reactor/epoll.c: backend.h over epoll(7).
 *
 * The key of epoll's set explains three lines below: an entry belongs to the pair (number, open
 * file), not to the number. Closing the last number of a file removes its entries without a report,
 * so a number in our tables may be unknown here (ENOENT). Closing one of several numbers leaves the
 * entry, which goes on reporting a number that may be another file's by now: therefore it carries
 * the generation. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/assert.h"
#include "base/child_end.h"
#include "base/sys.h"
#include "reactor/backend.h"

enum {
    BATCH = 256,
    ALL = NIDOI_READABLE | NIDOI_WRITABLE | NIDOI_ENDING | NIDOI_BROKEN | NIDOI_URGENT,
    BY_PIDFD = 3 /* P_PIDFD, which older headers lack */
};

static uint64_t epoll_key(int fd, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint32_t)fd;
}

int nidoi_wakeup_open(struct nidoi_wakeup *wakeup)
{
    wakeup->fd = nidoi_sys.eventfd();
    return wakeup->fd < 0 ? wakeup->fd : 0;
}

/* A full counter ends the wait too. An edge-triggered eventfd reports each write, so it is never
 * read. */
void nidoi_wakeup_send(const struct nidoi_wakeup *wakeup)
{
    if (nidoi_sys.eventfd_write(wakeup->fd) == -EBADF) nidoi_own_fd_was_closed(wakeup->fd);
}

/* An epoll and an eventfd have no file type. If the number has one, the program has closed ours and
 * opened a file. */
static void epoll_close_own(int fd)
{
    int mode = nidoi_sys.mode(fd);

    if (mode >= 0 && mode & S_IFMT) nidoi_own_fd_was_closed(fd);
    nidoi_sys.close(fd);
}

void nidoi_wakeup_close(struct nidoi_wakeup *wakeup)
{
    epoll_close_own(wakeup->fd);
    wakeup->fd = -1;
}

int nidoi_backend_open(struct nidoi_backend *backend, const struct nidoi_wakeup *wakeup)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = epoll_key(wakeup->fd, 0)};
    int err;

    backend->fd = nidoi_sys.epoll_create();
    if (backend->fd < 0) return backend->fd;
    err = nidoi_sys.epoll_ctl(backend->fd, EPOLL_CTL_ADD, wakeup->fd, &event);
    if (err) nidoi_backend_close(backend);
    return err;
}

void nidoi_backend_close(struct nidoi_backend *backend)
{
    epoll_close_own(backend->fd);
    backend->fd = -1;
}

void nidoi_backend_abandon(struct nidoi_backend *backend, struct nidoi_wakeup *wakeup)
{
    nidoi_sys.close(backend->fd);
    nidoi_sys.close(wakeup->fd);
    backend->fd = wakeup->fd = -1;
}

/* True: not the caller's number is closed or wrong, but our own. */
static bool epoll_is_closed(const struct nidoi_backend *backend, int fd, int err)
{
    if (err == -EBADF) return nidoi_sys.mode(fd) >= 0;
    return err == -EINVAL && fd != backend->fd;
}

static int epoll_control(struct nidoi_backend *backend, int op, int fd, uint32_t generation,
                         uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = epoll_key(fd, generation)};
    int err;

    nidoi_assert(generation != 0); /* the wake-up's */
    err = nidoi_sys.epoll_ctl(backend->fd, op, fd, &event);
    if (epoll_is_closed(backend, fd, err)) nidoi_own_fd_was_closed(backend->fd);
    return err;
}

/* The number may have come back to a file whose entry was never removed. */
static int epoll_enter(struct nidoi_backend *backend, int fd, uint32_t generation, uint32_t events)
{
    int err = epoll_control(backend, EPOLL_CTL_ADD, fd, generation, events);

    return err == -EEXIST ? epoll_control(backend, EPOLL_CTL_MOD, fd, generation, events) : err;
}

/* No enum: EPOLLET does not fit an int. */
static const uint32_t edges = (uint32_t)EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

int nidoi_backend_add(struct nidoi_backend *backend, int fd, uint32_t generation)
{
    return epoll_enter(backend, fd, generation, edges);
}

int nidoi_backend_arm(struct nidoi_backend *backend, int fd, uint32_t generation, unsigned events,
                      bool known)
{
    uint32_t wanted = EPOLLONESHOT;

    if (events & NIDOI_READABLE) wanted |= EPOLLIN | EPOLLRDHUP;
    if (events & NIDOI_WRITABLE) wanted |= EPOLLOUT;
    if (events & NIDOI_ENDING) wanted |= EPOLLRDHUP;
    if (events & NIDOI_URGENT) wanted |= EPOLLPRI;
    if (!known) return epoll_enter(backend, fd, generation, wanted);
    return epoll_control(backend, EPOLL_CTL_MOD, fd, generation, wanted);
}

void nidoi_backend_remove(struct nidoi_backend *backend, int fd)
{
    nidoi_sys.epoll_ctl(backend->fd, EPOLL_CTL_DEL, fd, NULL);
}

/* To add it again fails and changes nothing. A change of the entry would report once more, and so
 * hide a lost report from the check for one. */
bool nidoi_backend_has(struct nidoi_backend *backend, int fd, uint32_t generation)
{
    int err = epoll_control(backend, EPOLL_CTL_ADD, fd, generation, edges);

    if (!err) nidoi_backend_remove(backend, fd);
    return err == -EEXIST || err == -ENOMEM || err == -ENOSPC; /* short of memory, it cannot tell */
}

static int socket_option(int fd, int level, int name)
{
    int value = 0;

    nidoi_sys.getsockopt(fd, level, name, &value);
    return value;
}

/* With plain TCP, only an urgent mark makes a read short. MPTCP, SMC and SCTP are other protocols
 * of the same families; kTLS and other "upper layer protocols" of TCP stop at the end of a record;
 * with a low-water mark fewer bytes than that are not reported. */
bool nidoi_backend_drains(int fd)
{
    return socket_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP &&
           !socket_option(fd, IPPROTO_TCP, TCP_ULP) &&
           socket_option(fd, SOL_SOCKET, SO_RCVLOWAT) <= 1;
}

static unsigned epoll_translate(uint32_t events)
{
    unsigned out = 0;

    if (events & (EPOLLIN | EPOLLPRI)) out |= NIDOI_READABLE;
    if (events & EPOLLPRI) out |= NIDOI_URGENT;
    if (events & EPOLLOUT) out |= NIDOI_WRITABLE;
    if (events & EPOLLRDHUP) out |= NIDOI_READABLE | NIDOI_ENDING;
    if (events & (EPOLLERR | EPOLLHUP))
        out |= NIDOI_READABLE | NIDOI_WRITABLE | NIDOI_ENDING | NIDOI_BROKEN;
    return out;
}

int nidoi_backend_wait(struct nidoi_backend *backend, struct nidoi_ready *out, int n, int64_t ns)
{
    struct epoll_event events[BATCH];
    int got = nidoi_sys.epoll_wait(backend->fd, events, n < BATCH ? n : BATCH, ns);
    int count = 0;

    for (int i = 0; i < got; i++) {
        uint32_t generation = (uint32_t)(events[i].data.u64 >> 32);

        if (!generation) continue;
        out[count++] = (struct nidoi_ready){.fd = (int)(uint32_t)events[i].data.u64,
                                            .generation = generation,
                                            .events = epoll_translate(events[i].events),
                                            .spent = ALL};
    }
    return got < 0 ? got : count;
}

/* ---- Child processes ---- */

int nidoi_child_open(int pid)
{
    int fd = nidoi_sys.process_fd(pid);

    return fd == -ENOSYS ? nidoi_child_end_fd(pid) : fd;
}

/* By the number, if the kernel does not take the descriptor (before Linux 5.4) or it is not a
 * pidfd: the child keeps its number until this call reaps it. */
int nidoi_child_ask(int fd, int pid, int options, siginfo_t *out)
{
    int err = nidoi_sys.waitid(BY_PIDFD, fd, out, options);

    return err == -EBADF || err == -EINVAL ? nidoi_sys.waitid(P_PID, pid, out, options) : err;
}

/* By the number, if the kernel lacks the call (before Linux 5.1), a filter denies it, or the
 * descriptor is not a pidfd. If the child itself may not be signalled, kill says so too. */
int nidoi_child_signal(int fd, int pid, int signal)
{
    int err = nidoi_sys.pidfd_send_signal(fd, signal);

    return err == -ENOSYS || err == -EPERM || err == -EBADF ? nidoi_sys.kill(pid, signal) : err;
}

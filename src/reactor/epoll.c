/* reactor/epoll.c: backend.h over epoll(7).
 *
 * How epoll keys its set decides three lines below: an entry belongs to the pair (number, open
 * file), not to the number. Closing the last number of a file drops its entries in silence, so a
 * number in our tables may be gone here (ENOENT); closing one of several leaves the entry alive and
 * reporting under a number that may be somebody else's by now, which is why the generation travels
 * with it. */
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

static uint64_t key(int fd, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint32_t)fd;
}

int nidoi_wakeup_open(struct nidoi_wakeup *wakeup)
{
    wakeup->fd = nidoi_sys.eventfd();
    return wakeup->fd < 0 ? wakeup->fd : 0;
}

/* A counter that is full wakes as well as one that counts. An edge-triggered eventfd reports each
 * write anew, so it is never read. */
void nidoi_wakeup_send(const struct nidoi_wakeup *wakeup)
{
    if (nidoi_sys.ring(wakeup->fd) == -EBADF) nidoi_closed_behind_us(wakeup->fd);
}

/* What the kernel makes without a file has no type: a number with one is a file of the program's. */
static void close_own(int fd)
{
    int mode = nidoi_sys.mode(fd);

    if (mode >= 0 && mode & S_IFMT) nidoi_closed_behind_us(fd);
    nidoi_sys.close(fd);
}

void nidoi_wakeup_close(struct nidoi_wakeup *wakeup)
{
    close_own(wakeup->fd);
    wakeup->fd = -1;
}

int nidoi_backend_open(struct nidoi_backend *backend, const struct nidoi_wakeup *wakeup)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = key(wakeup->fd, 0)};
    int err;

    backend->fd = nidoi_sys.epoll_create();
    if (backend->fd < 0) return backend->fd;
    err = nidoi_sys.epoll_ctl(backend->fd, EPOLL_CTL_ADD, wakeup->fd, &event);
    if (err) nidoi_backend_close(backend);
    return err;
}

void nidoi_backend_close(struct nidoi_backend *backend)
{
    close_own(backend->fd);
    backend->fd = -1;
}

void nidoi_backend_abandon(struct nidoi_backend *backend, struct nidoi_wakeup *wakeup)
{
    nidoi_sys.close(backend->fd);
    nidoi_sys.close(wakeup->fd);
    backend->fd = wakeup->fd = -1;
}

/* The number that is closed, or no epoll, is not the caller's. */
static bool is_about_us(const struct nidoi_backend *backend, int fd, int err)
{
    if (err == -EBADF) return nidoi_sys.mode(fd) >= 0;
    return err == -EINVAL && fd != backend->fd;
}

static int control(struct nidoi_backend *backend, int op, int fd, uint32_t generation,
                   uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = key(fd, generation)};
    int err;

    nidoi_assert(generation != 0); /* the bell's */
    err = nidoi_sys.epoll_ctl(backend->fd, op, fd, &event);
    if (is_about_us(backend, fd, err)) nidoi_closed_behind_us(backend->fd);
    return err;
}

/* The number may have come back to a file whose entry was never removed. */
static int enter(struct nidoi_backend *backend, int fd, uint32_t generation, uint32_t events)
{
    int err = control(backend, EPOLL_CTL_ADD, fd, generation, events);

    return err == -EEXIST ? control(backend, EPOLL_CTL_MOD, fd, generation, events) : err;
}

/* No enum: EPOLLET does not fit an int. */
static const uint32_t edges = (uint32_t)EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

int nidoi_backend_add(struct nidoi_backend *backend, int fd, uint32_t generation)
{
    return enter(backend, fd, generation, edges);
}

int nidoi_backend_arm(struct nidoi_backend *backend, int fd, uint32_t generation, unsigned events,
                      bool known)
{
    uint32_t wanted = EPOLLONESHOT;

    if (events & NIDOI_READABLE) wanted |= EPOLLIN | EPOLLRDHUP;
    if (events & NIDOI_WRITABLE) wanted |= EPOLLOUT;
    if (events & NIDOI_ENDING) wanted |= EPOLLRDHUP;
    if (events & NIDOI_URGENT) wanted |= EPOLLPRI;
    if (!known) return enter(backend, fd, generation, wanted);
    return control(backend, EPOLL_CTL_MOD, fd, generation, wanted);
}

void nidoi_backend_remove(struct nidoi_backend *backend, int fd)
{
    nidoi_sys.epoll_ctl(backend->fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Entering it again fails and changes nothing; a change of the entry would report once more, and
 * hide what was forgotten from those who look for it. */
bool nidoi_backend_has(struct nidoi_backend *backend, int fd, uint32_t generation)
{
    int err = control(backend, EPOLL_CTL_ADD, fd, generation, edges);

    if (!err) nidoi_backend_remove(backend, fd);
    return err == -EEXIST;
}

static int option(int fd, int level, int name)
{
    int value = 0;

    nidoi_sys.getsockopt(fd, level, name, &value);
    return value;
}

/* Plain TCP stops short at an urgent mark alone. MPTCP, SMC and SCTP are other protocols of the same
 * families; kTLS and others that sit on top of TCP ("upper layer protocols") stop at their records;
 * with a low-water mark fewer bytes than that are not reported. */
bool nidoi_backend_drains(int fd)
{
    return option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP &&
           !option(fd, IPPROTO_TCP, TCP_ULP) && option(fd, SOL_SOCKET, SO_RCVLOWAT) <= 1;
}

static unsigned translated(uint32_t events)
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
                                            .events = translated(events[i].events),
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

/* By the number where the kernel does not take the descriptor (Linux 5.4), or it is none of a
 * process: the child keeps its number until we reap it here. */
int nidoi_child_ask(int fd, int pid, int options, siginfo_t *out)
{
    int err = nidoi_sys.waitid(BY_PIDFD, fd, out, options);

    return err == -EBADF || err == -EINVAL ? nidoi_sys.waitid(P_PID, pid, out, options) : err;
}

/* By the number where the kernel lacks the call (Linux 5.1), a filter denies it, or the descriptor is
 * none of a process. If it is the child that may not be signalled, that says so too. */
int nidoi_child_signal(int fd, int pid, int signal)
{
    int err = nidoi_sys.pidfd_send_signal(fd, signal);

    return err == -ENOSYS || err == -EPERM || err == -EBADF ? nidoi_sys.kill(pid, signal) : err;
}

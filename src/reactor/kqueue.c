/* SPDX-License-Identifier: MIT */
/* reactor/kqueue.c: backend.h over kqueue(2).
 *
 * The key of kqueue's set explains the lines below: an entry belongs to a number and a filter, so a
 * descriptor has two entries, which report and are used up one by one. Closing the number removes
 * both, even if another number has the same file, so a number in our tables may be unknown here
 * (ENOENT). An entry that waits for nothing is disabled, not removed: if it is missing, the number
 * was closed. The generation is in udata and is replaced by every change.
 *
 * Each change is a call of its own without room for events: so its error is errno, and no report
 * can be lost in it. */
#include <errno.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/assert.h"
#include "base/sys.h"
#include "reactor/backend.h"

enum {
    PIECE = 64, /* events of one call: a thread's stack may be small */
    BY_READING = NIDOI_READABLE | NIDOI_ENDING | NIDOI_BROKEN | NIDOI_URGENT /* one filter's */
};

static int kqueue_change(int kq, uintptr_t ident, int filter, unsigned flags, uint32_t generation)
{
    struct kevent entry = {.ident = ident,
                           .filter = (short)filter,
                           .flags = (unsigned short)flags,
                           .fflags = filter == EVFILT_USER && !flags ? NOTE_TRIGGER : 0,
                           .udata = (void *)(uintptr_t)generation};

    return nidoi_sys.kevent_change(kq, &entry);
}

/* The wake-up is the kqueue itself, with one entry of its own. So a late wake-up never uses a
 * number that is closed or another file's by now, as it would if the backend closed its kqueue. A
 * pipe would have to be emptied after each wake-up: a full one wakes nothing. */
int nidoi_wakeup_open(struct nidoi_wakeup *wakeup)
{
    int err;

    wakeup->fd = nidoi_sys.kqueue();
    if (wakeup->fd < 0) return wakeup->fd;
    err = kqueue_change(wakeup->fd, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0);
    if (err) nidoi_wakeup_close(wakeup);
    return err;
}

void nidoi_wakeup_send(const struct nidoi_wakeup *wakeup)
{
    if (kqueue_change(wakeup->fd, 0, EVFILT_USER, 0, 0) == -EBADF)
        nidoi_own_fd_was_closed(wakeup->fd);
}

void nidoi_wakeup_close(struct nidoi_wakeup *wakeup)
{
    nidoi_sys.close(wakeup->fd);
    wakeup->fd = -1;
}

int nidoi_backend_open(struct nidoi_backend *backend, const struct nidoi_wakeup *wakeup)
{
    backend->fd = wakeup->fd;
    return 0;
}

/* The remaining entries end with their numbers or with the wake-up; their reports are never
 * fetched. */
void nidoi_backend_close(struct nidoi_backend *backend)
{
    backend->fd = -1;
}

/* A child has no kqueues: the number is closed, or another file's by now. */
void nidoi_backend_abandon(struct nidoi_backend *backend, struct nidoi_wakeup *wakeup)
{
    backend->fd = wakeup->fd = -1;
}

static int kqueue_control(struct nidoi_backend *backend, int fd, int filter, unsigned flags,
                          uint32_t generation)
{
    nidoi_assert(generation != 0); /* the wake-up's */
    return kqueue_change(backend->fd, (uintptr_t)fd, filter, flags, generation);
}

/* There are filters for files and directories, but they report positions; a read or write of those
 * never waits. */
static int kqueue_can_watch(int fd)
{
    int mode = nidoi_sys.mode(fd);

    if (mode < 0) return mode;
    return S_ISREG(mode) || S_ISDIR(mode) ? -EPERM : 0;
}

/* Enters both directions. A kind that cannot be read is not watched at all. A kind that can only be
 * read (the end of a pipe, another kqueue) has no filter for writing, or only while its peer lives,
 * which matters only to a writer. */
static int kqueue_enter(struct nidoi_backend *backend, int fd, uint32_t generation,
                        unsigned reading, unsigned writing, bool must_write)
{
    int err = kqueue_can_watch(fd);

    if (err) return err;
    err = kqueue_control(backend, fd, EVFILT_READ, EV_ADD | reading, generation);
    if (err) return err == -EINVAL || err == -ENODEV ? -EPERM : err;
    err = kqueue_control(backend, fd, EVFILT_WRITE, EV_ADD | writing, generation);
    if (!must_write && (err == -EINVAL || err == -EPIPE)) return 0;
    if (err) nidoi_backend_remove(backend, fd);
    return err == -EINVAL ? -EPERM : err;
}

int nidoi_backend_add(struct nidoi_backend *backend, int fd, uint32_t generation)
{
    return kqueue_enter(backend, fd, generation, EV_CLEAR, EV_CLEAR, false);
}

/* There is no filter for an end alone: a wait for that gets reports of bytes and room too. */
int nidoi_backend_arm(struct nidoi_backend *backend, int fd, uint32_t generation, unsigned events,
                      bool known)
{
    unsigned reading = events & BY_READING ? EV_ENABLE : EV_DISABLE;
    unsigned writing = events & (NIDOI_WRITABLE | NIDOI_BROKEN) ? EV_ENABLE : EV_DISABLE;
    int err = 0;

    if (!known)
        return kqueue_enter(backend, fd, generation, EV_DISPATCH | reading, EV_DISPATCH | writing,
                            events & NIDOI_WRITABLE);
    if (events & BY_READING)
        err = kqueue_control(backend, fd, EVFILT_READ, EV_DISPATCH | EV_ENABLE, generation);
    if (!err && events & NIDOI_WRITABLE)
        err = kqueue_control(backend, fd, EVFILT_WRITE, EV_DISPATCH | EV_ENABLE, generation);
    else if (!err && events & NIDOI_BROKEN)
        kqueue_control(backend, fd, EVFILT_WRITE, EV_DISPATCH | EV_ENABLE, generation);
    return err;
}

void nidoi_backend_remove(struct nidoi_backend *backend, int fd)
{
    kqueue_change(backend->fd, (uintptr_t)fd, EVFILT_READ, EV_DELETE, 0);
    kqueue_change(backend->fd, (uintptr_t)fd, EVFILT_WRITE, EV_DELETE, 0);
}

bool nidoi_backend_has(struct nidoi_backend *backend, int fd, uint32_t generation)
{
    return kqueue_control(backend, fd, EVFILT_READ, EV_CLEAR | EV_ENABLE, generation) == 0;
}

/* Reads stop at an urgent mark, and not every kqueue reports one. */
bool nidoi_backend_drains(int fd)
{
    (void)fd;
    return false;
}

/* An end of writing means that the peer is gone; an end of reading means that only with an
 * error. */
static struct nidoi_ready kqueue_translate(const struct kevent *event)
{
    bool reading = event->filter == EVFILT_READ;
    bool ended = event->flags & EV_EOF;
    unsigned direction = reading ? NIDOI_READABLE : NIDOI_WRITABLE, more = 0;

    if (ended && reading) more = NIDOI_ENDING;
    if (ended && (!reading || event->fflags)) more |= NIDOI_BROKEN;
    return (struct nidoi_ready){.fd = (int)event->ident,
                                .generation = (uint32_t)(uintptr_t)event->udata,
                                .events = direction | more,
                                .spent = reading ? BY_READING : NIDOI_WRITABLE};
}

int nidoi_backend_wait(struct nidoi_backend *backend, struct nidoi_ready *out, int n, int64_t ns)
{
    struct kevent events[PIECE];
    int got, count = 0;

    do {
        got = nidoi_sys.kevent_wait(backend->fd, events, n - count < PIECE ? n - count : PIECE, ns);
        for (int i = 0; i < got; i++)
            if (events[i].filter != EVFILT_USER) out[count++] = kqueue_translate(&events[i]);
        ns = 0; /* there may be more */
    } while (got == PIECE && count < n);
    return got < 0 && !count ? got : count;
}

/* ---- Child processes ---- */

/* A kqueue whose events are never fetched: it is readable while its one event is pending. Some
 * systems do not find a child that has ended already: then a user event takes its place. */
static int kqueue_watch_process(int kq, int pid)
{
    struct kevent entry = {
        .ident = (uintptr_t)pid, .filter = EVFILT_PROC, .flags = EV_ADD, .fflags = NOTE_EXIT};
    int err = nidoi_sys.kevent_change(kq, &entry);

    if (err != -ESRCH) return err;
    err = kqueue_change(kq, 0, EVFILT_USER, EV_ADD, 0);
    return err ? err : kqueue_change(kq, 0, EVFILT_USER, 0, 0);
}

int nidoi_child_open(int pid)
{
    int kq = nidoi_sys.kqueue(), err;

    if (kq < 0) return kq;
    err = kqueue_watch_process(kq, pid);
    if (!err) return kq;
    nidoi_sys.close(kq);
    return err;
}

int nidoi_child_ask(int fd, int pid, int options, siginfo_t *out)
{
    (void)fd;
    return nidoi_sys.waitid(P_PID, pid, out, options);
}

/* No other process has the child's number before we have reaped it. */
int nidoi_child_signal(int fd, int pid, int signal)
{
    siginfo_t info;

    if (nidoi_child_ask(fd, pid, WEXITED | WNOHANG | WNOWAIT, &info) == -ECHILD) return -ESRCH;
    return nidoi_sys.kill(pid, signal);
}

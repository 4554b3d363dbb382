/* SPDX-License-Identifier: MIT */
/* net/socket.c: making, accepting and connecting sockets. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "base/sys.h"
#include "io/fd.h"
#include "io/foreign.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"
#include "nido/time.h"

/* ---- Making ---- */

int nido_socket(int domain, int type, int protocol)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int fd;

    if (!loop) return -EPERM;
    fd = nidoi_sys.socket(domain, type, protocol);
    if (fd >= 0) nidoi_fd_adopt(loop, fd, -1);
    return fd;
}

int nido_socketpair(int domain, int type, int protocol, int out[2])
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int ends[2], err;

    if (!loop) return -EPERM;
    err = nidoi_sys.socketpair(domain, type, protocol, ends);
    if (err) return err;
    for (int i = 0; i < 2; i++) {
        nidoi_fd_adopt(loop, ends[i], -1);
        out[i] = ends[i];
    }
    return 0;
}

/* ---- Accepting ---- */

struct acceptance {
    struct sockaddr *address;
    socklen_t *length;
    socklen_t room; /* *length as the caller set it, restored before each try */
    int pause;      /* the error after which it is tried again later; 0: none */
};

enum { MOST_SKIPPED = 128 };

/* accept(2) also returns errors of one connection in the queue, or of its network. The listener has
 * not failed: the next connection may be accepted. */
static bool is_fault_of_connection(const struct nidoi_io *io, ssize_t err)
{
    int listens = 0;

    switch (-err) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ETIMEDOUT:
    case EPERM: /* a rule of the firewall */
#ifdef ENONET
    case ENONET:
#endif
        return true;
    case EOPNOTSUPP: /* unless it is no listener at all */
        return nidoi_sys.getsockopt(io->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens) == 0 && listens;
    default:
        return false;
    }
}

/* Descriptors or memory are short for the moment. */
static bool is_shortage(ssize_t err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

/* After too many failed connections in a row there is a pause as well. */
static ssize_t try_accept(struct nidoi_io *io, void *call)
{
    struct acceptance *acceptance = call;
    int skipped = 0;
    ssize_t fd;

    do {
        if (acceptance->length) *acceptance->length = acceptance->room;
        if (nidoi_io_owned(io))
            fd = nidoi_sys.accept(io->fd, acceptance->address, acceptance->length);
        else
            fd = nidoi_foreign_accept(io, acceptance->address, acceptance->length);
    } while (is_fault_of_connection(io, fd) && !io->final && ++skipped < MOST_SKIPPED);
    acceptance->pause = skipped == MOST_SKIPPED || is_shortage(fd) ? (int)fd : 0;
    return fd;
}

/* TCP_NODELAY, as dialled sockets have it. Accepted sockets inherit it from a listener of
 * nido_listen, perhaps from others; a socket that is not TCP refuses it. */
static void socket_set_prompt(int fd, int kind)
{
    if (kind < 0 || !(kind & NIDOI_FD_PROMPT))
        nidoi_sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void accept_report_shortage(const char *reason, int fd)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    char text[160];

    if (loop->short_of_fds) return;
    loop->short_of_fds = true;
    snprintf(text, sizeof text,
             "nido: accept on descriptor %d: %s; it will be tried again every 100 ms\n", fd,
             reason);
    nidoi_loop_report(loop, text);
}

static int accept_run(struct nidoi_io *io, struct acceptance *call)
{
    for (;;) {
        int err, accepted;

        call->pause = 0;
        accepted = (int)nidoi_io_perform(io, try_accept, call);
        nidoi_io_end(io);
        if (!call->pause) return accepted;
        accept_report_shortage(nido_strerror(call->pause), io->fd);
        err = nido_sleep(NIDO_MS(100));
        if (!err) err = nidoi_io_check_fd(io);
        if (err) return err;
    }
}

/* `kind`: the listener's; < 0: not known. */
static int accept_adopt(struct nidoi_loop *loop, int fd, int kind)
{
    socket_set_prompt(fd, kind);
    nidoi_fd_adopt(loop, fd, kind);
    return fd;
}

int nido_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    struct acceptance call = {address, length, length ? *length : 0, 0};
    struct nidoi_io io;
    int kind, accepted = nidoi_io_begin(&io, fd, NIDOI_READING, false);

    if (accepted) return accepted;
    kind = nidoi_io_owned(&io) ? io.slot->flags & ~NIDOI_FD_OWNED : -1;
    accepted = accept_run(&io, &call);
    return accepted < 0 ? accepted : accept_adopt(io.loop, accepted, kind);
}

/* A shortage is told; connections that failed in the queue are not the listener's failure. */
int nido_try_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    struct acceptance call = {address, length, length ? *length : 0, 0};
    int accepted;

    nidoi_check_frames();
    accepted = (int)nidoi_io_try(fd, NIDOI_READING, false, try_accept, &call);
    if (accepted < 0) return call.pause && !is_shortage(accepted) ? -EAGAIN : accepted;
    return accept_adopt(nidoi_loop_self(), accepted, -1);
}

/* ---- Connecting ---- */

/* poll(2) is asked before the sleep, because the report may have come before the wait began, and
 * after it, because an edge may be older than the attempt to connect. */
static ssize_t try_connect_outcome(struct nidoi_io *io, void *unused)
{
    int failure = 0, err = nidoi_io_poll(io);

    (void)unused;
    if (!err) err = nidoi_sys.getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &failure);
    return err < 0 ? err : -failure;
}

static int connect_outcome(struct nidoi_io *io)
{
    return (int)nidoi_io_perform(io, try_connect_outcome, NULL);
}

/* Reports of the unconnected socket (a hang-up) do not hold for one that connects. */
static void slot_forget_reports(struct nidoi_fd *slot)
{
    slot->sticky = 0;
    nidoi_edge_doubt(slot, NIDOI_READING);
    nidoi_edge_doubt(slot, NIDOI_WRITING);
}

/* A foreign socket is made non-blocking for the time of the call: connect(2) has no MSG_DONTWAIT.
 */
static int connect_start(struct nidoi_io *io, const struct sockaddr *address, socklen_t length)
{
    int changed = nidoi_io_owned(io) ? 1 : nidoi_sys.nonblock(io->fd, true);
    int err;

    if (changed < 0) return changed;
    err = nidoi_sys.connect(io->fd, address, length);
    if (changed == 0) nidoi_sys.nonblock(io->fd, false);
    return err;
}

/* No report says when a full Unix backlog has room again, so it is tried again after a pause. */
static int connect_run(struct nidoi_io *io, const struct sockaddr *address, socklen_t length)
{
    int err;

    while ((err = connect_start(io, address, length)) == -EAGAIN) {
        err = nido_sleep(NIDO_MS(5));
        if (!err) err = nidoi_io_check_fd(io);
        if (err) return err;
    }
    if (err && err != -EINPROGRESS) return err;
    if (nidoi_io_owned(io)) slot_forget_reports(io->slot);
    return err ? connect_outcome(io) : 0;
}

int nido_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct nidoi_io io;
    int err = nidoi_io_begin(&io, fd, NIDOI_WRITING, true);

    if (err) return err;
    err = connect_run(&io, address, length);
    nidoi_io_end(&io);
    return err;
}

int nidoi_socket_connected(struct nidoi_loop *loop, int fd)
{
    struct nidoi_io io;
    int err = nidoi_io_begin_within(&io, loop, fd, NIDOI_WRITING, true);

    if (err) return err;
    err = connect_outcome(&io);
    nidoi_io_end(&io);
    return err;
}

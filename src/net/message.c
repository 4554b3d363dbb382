/* SPDX-License-Identifier: MIT */
/* net/message.c: nido_recv, nido_send and their like, with the arguments of the system's calls. */
#include "base/sys.h"
#include "io/fd.h"
#include "nido/net.h"

#ifdef MSG_ERRQUEUE
enum { ERROR_QUEUE = MSG_ERRQUEUE };
#else
enum { ERROR_QUEUE = 0 };
#endif
#ifdef MSG_FASTOPEN
enum { FAST_OPEN = MSG_FASTOPEN };
#else
enum { FAST_OPEN = 0 };
#endif

struct packet {
    void *in;
    const void *out;
    size_t len;
    int flags;
    struct sockaddr *from;
    const struct sockaddr *to;
    socklen_t *from_length;
    socklen_t length; /* of `to`, or the room for `from` */
    struct msghdr *message;
    const struct msghdr *sent;
};

/* Flags that choose when a call returns, and flags after whose -EAGAIN a wait for bytes would be
 * wrong. MSG_WAITALL, on a stream, is done by nido_recv. */
enum { REFUSED_FLAGS = MSG_DONTWAIT | ERROR_QUEUE | FAST_OPEN };

static int check_flags(int flags)
{
    return flags & REFUSED_FLAGS ? -EOPNOTSUPP : 0;
}

/* Bytes of a stream have one reader and one writer; messages any number. The kind of a foreign
 * descriptor is not known, so the caller's function decides. */
static bool is_stream(int fd, bool if_foreign)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_fd *slot = loop ? nidoi_reactor_find(&loop->reactor, fd) : NULL;

    return slot && slot->flags & NIDOI_FD_OWNED ? slot->flags & NIDOI_FD_STREAM : if_foreign;
}

static ssize_t try_recv(struct nidoi_io *io, void *call)
{
    struct packet *packet = call;
    ssize_t n = nidoi_sys.recv(io->fd, packet->in, packet->len, packet->flags | MSG_DONTWAIT);

    if (n >= 0 && (size_t)n < packet->len && !packet->flags) nidoi_edge_short(io->slot, io->seen);
    return n;
}

static void advance_packet(void *call, size_t n)
{
    struct packet *packet = call;

    packet->in = (char *)packet->in + n;
    packet->len -= n;
}

/* Bytes that came before the end, a cancel or a failure are returned. */
NIDOI_IN_CALLER ssize_t recv_all(int fd, struct packet *call)
{
    struct nidoi_io_transfer transfer = {try_recv, advance_packet, call, call->len, 0};
    int err = nidoi_io_all(fd, NIDOI_READING, &transfer);

    if (transfer.done) return (ssize_t)transfer.done;
    return err == -EPIPE ? 0 : err;
}

/* The kernel itself does not wait for all of a message. */
static bool waits_for_all(int fd, int flags)
{
    int type = 0;

    if (!(flags & MSG_WAITALL) || nidoi_sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type))
        return false;
    return type == SOCK_STREAM;
}

ssize_t nido_recv(int fd, void *buf, size_t len, int flags)
{
    struct packet call = {.in = buf, .len = len, .flags = flags & ~MSG_WAITALL};
    bool all = waits_for_all(fd, flags);

    if (check_flags(flags) || (all && call.flags)) return -EOPNOTSUPP;
    if (all && len) return recv_all(fd, &call);
    return nidoi_io_bulk(fd, NIDOI_READING, is_stream(fd, true), try_recv, &call);
}

static ssize_t try_send(struct nidoi_io *io, void *call)
{
    struct packet *packet = call;

    return nidoi_sys.send(io->fd, packet->out, packet->len, packet->flags | MSG_DONTWAIT);
}

ssize_t nido_send(int fd, const void *buf, size_t len, int flags)
{
    struct packet call = {.out = buf, .len = len, .flags = flags};

    if (check_flags(flags)) return -EOPNOTSUPP;
    return nidoi_io_bulk(fd, NIDOI_WRITING, is_stream(fd, true), try_send, &call);
}

/* ---- Once ---- */

ssize_t nido_try_recv(int fd, void *buf, size_t len, int flags)
{
    struct packet call = {.in = buf, .len = len, .flags = flags};

    nidoi_check_frames();
    if (check_flags(flags) || flags & MSG_WAITALL) return -EOPNOTSUPP;
    return nidoi_io_try(fd, NIDOI_READING, is_stream(fd, true), try_recv, &call);
}

ssize_t nido_try_send(int fd, const void *buf, size_t len, int flags)
{
    struct packet call = {.out = buf, .len = len, .flags = flags};

    nidoi_check_frames();
    if (check_flags(flags)) return -EOPNOTSUPP;
    return nidoi_io_try(fd, NIDOI_WRITING, is_stream(fd, true), try_send, &call);
}

/* ---- With addresses and messages ---- */

static ssize_t try_recvfrom(struct nidoi_io *io, void *call)
{
    struct packet *packet = call;

    if (packet->from_length) *packet->from_length = packet->length;
    return nidoi_sys.recvfrom(io->fd, packet->in, packet->len, packet->flags | MSG_DONTWAIT,
                              packet->from, packet->from_length);
}

ssize_t nido_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                      socklen_t *length)
{
    struct packet call = {.in = buf,
                          .len = len,
                          .flags = flags,
                          .from = from,
                          .from_length = length,
                          .length = length ? *length : 0};

    if (check_flags(flags) || waits_for_all(fd, flags)) return -EOPNOTSUPP;
    return nidoi_io_bulk(fd, NIDOI_READING, is_stream(fd, false), try_recvfrom, &call);
}

static ssize_t try_sendto(struct nidoi_io *io, void *call)
{
    struct packet *packet = call;

    return nidoi_sys.sendto(io->fd, packet->out, packet->len, packet->flags | MSG_DONTWAIT,
                            packet->to, packet->length);
}

ssize_t nido_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                    socklen_t length)
{
    struct packet call = {.out = buf, .len = len, .flags = flags, .to = to, .length = length};

    if (check_flags(flags)) return -EOPNOTSUPP;
    return nidoi_io_bulk(fd, NIDOI_WRITING, is_stream(fd, false), try_sendto, &call);
}

static ssize_t try_recvmsg(struct nidoi_io *io, void *call)
{
    struct packet *packet = call;

    return nidoi_sys.recvmsg(io->fd, packet->message, packet->flags | MSG_DONTWAIT);
}

ssize_t nido_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct packet call = {.message = message, .flags = flags};

    if (check_flags(flags) || waits_for_all(fd, flags)) return -EOPNOTSUPP;
    return nidoi_io_bulk(fd, NIDOI_READING, is_stream(fd, false), try_recvmsg, &call);
}

static ssize_t try_sendmsg(struct nidoi_io *io, void *call)
{
    struct packet *packet = call;

    return nidoi_sys.sendmsg(io->fd, packet->sent, packet->flags | MSG_DONTWAIT);
}

ssize_t nido_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct packet call = {.sent = message, .flags = flags};

    if (check_flags(flags)) return -EOPNOTSUPP;
    return nidoi_io_bulk(fd, NIDOI_WRITING, is_stream(fd, false), try_sendmsg, &call);
}

/* SPDX-License-Identifier: MIT */
/* stream/transport.c: moving bytes between a stream's memory and what it is over, within its
 * limits. */
#include <errno.h>
#include <limits.h>

#include "io/stream.h"
#include "nido/error.h"
#include "nido/scope.h"
#include "nido/time.h"
#include "stream/stream.h"

/* ---- Failures ---- */

int nidoi_stream_refuse(const nido_stream *stream, const struct nidoi_loop *loop, uint32_t busy)
{
    const struct nidoi_task *user;
    const char *act;

    if (!(stream->flags & NIDOI_STREAM_OPEN)) return -EBADF;
    if (stream->thread != loop->thread) return -EXDEV;
    user = nidoi_stream_user(stream, busy, &act);
    return nido_fail(-EBUSY, "%s: task #%llu \"%s\" %s it", stream->name ? stream->name : "stream",
                     (unsigned long long)user->id, user->name ? user->name : "", act);
}

static bool is_passing(ssize_t err)
{
    return err == -ECANCELED || err == -ENOMEM || err == -EBUSY || err == -EAGAIN;
}

ssize_t nidoi_stream_failed_in(nido_stream *stream, ssize_t err)
{
    if (!is_passing(err)) stream->in_failure = (int)err;
    return err;
}

ssize_t nidoi_stream_failed_out(nido_stream *stream, ssize_t err)
{
    if (!is_passing(err)) stream->out_failure = (int)err;
    return err;
}

/* Functions of the caller's that say they have moved more than they were given would break every
 * count. */
static ssize_t transport_result(const nido_stream *stream, ssize_t n, size_t most)
{
    if (n <= 0 || (size_t)n <= most) return n;
    return nido_fail(-EPROTO, "%s: a function of the stream moved %zd bytes of %zu",
                     stream->name ? stream->name : "stream", n, most);
}

/* ---- Limits ---- */

void nidoi_stream_limit_open(struct nidoi_stream_limit *limit, int64_t ns)
{
    limit->ns = ns;
    if (ns) nido_timeout_open(&limit->scope, ns);
}

ssize_t nidoi_stream_limit_close(struct nidoi_stream_limit *limit, const nido_stream *stream,
                                 ssize_t n, const char *what)
{
    int rc;

    if (!limit->ns) return n;
    rc = nido_scope_close(&limit->scope, n < 0 ? (int)n : 0);
    if (n >= 0) return n;
    if (n != -ECANCELED || rc != -ETIMEDOUT) return rc;
    return nido_fail(-ETIMEDOUT, "%s: %s for %.3g s", stream->name ? stream->name : "stream", what,
                     (double)limit->ns / 1e9);
}

/* The limit's own end is passing, one of the network is not. */
static ssize_t transport_received(nido_stream *stream, ssize_t n)
{
    if (n == 0) stream->flags |= NIDOI_STREAM_ENDED;
    return n < 0 ? nidoi_stream_failed_in(stream, n) : n;
}

/* ---- Reading ---- */

struct reading {
    void *buf;
    size_t len;
};

static ssize_t try_receive(struct nidoi_io *io, void *call)
{
    struct reading *reading = call;

    return nidoi_io_try_read(io, reading->buf, reading->len);
}

static ssize_t receive_from_fd(const nido_stream *stream, struct nidoi_loop *loop, void *buf,
                               size_t len)
{
    struct reading reading = {buf, len};
    struct nidoi_io io;
    ssize_t n = nidoi_io_begin_within(&io, loop, stream->fd, NIDOI_READING, true);

    if (n) return n;
    n = nidoi_io_perform(&io, try_receive, &reading);
    nidoi_io_end(&io);
    nidoi_io_charge_bytes(&io, n);
    return n;
}

ssize_t nidoi_stream_receive(nido_stream *stream, struct nidoi_loop *loop, void *buf, size_t len)
{
    struct nidoi_stream_limit limit;
    ssize_t n;

    if (len > SSIZE_MAX) len = SSIZE_MAX;
    nidoi_stream_reads(stream, loop);
    nidoi_stream_limit_open(&limit, stream->read_ns);
    if (stream->ops)
        n = transport_result(stream, stream->ops->read(stream->ctx, buf, len), len);
    else
        n = receive_from_fd(stream, loop, buf, len);
    n = transport_received(stream, n);
    n = nidoi_stream_limit_close(&limit, stream, n, NIDOI_STREAM_SILENT);
    stream->flags &= ~(uint32_t)NIDOI_STREAM_READING;
    return n;
}

/* ---- Waiting ---- */

/* The buffer is there for the moment of the system call. */
static ssize_t try_await(struct nidoi_io *io, void *call)
{
    nido_stream *stream = call;
    ssize_t n = nidoi_stream_room_in(stream, 1);

    if (!n) n = nidoi_io_try_read(io, stream->in, stream->in_room);
    if (n == -EAGAIN && !io->final) nidoi_stream_idle(stream);
    return n;
}

static ssize_t await_fd(nido_stream *stream, struct nidoi_loop *loop)
{
    struct nidoi_io io;
    ssize_t n = nidoi_io_begin_within(&io, loop, stream->fd, NIDOI_READING, true);

    if (n) return n;
    if (nidoi_io_owned(&io) && !nidoi_edge_may_try(io.slot, NIDOI_READING))
        nidoi_stream_idle(stream);
    n = nidoi_io_perform(&io, try_await, stream);
    nidoi_io_end(&io);
    nidoi_io_charge_bytes(&io, n);
    return n;
}

static ssize_t read_ops(nido_stream *stream)
{
    int err = nidoi_stream_room_in(stream, 1);

    if (err) return err;
    return transport_result(stream, stream->ops->read(stream->ctx, stream->in, stream->in_room),
                            stream->in_room);
}

static ssize_t await_ops(nido_stream *stream)
{
    int err = 0;

    if (stream->flags & NIDOI_STREAM_WAITS) {
        nidoi_stream_idle(stream);
        err = stream->ops->wait(stream->ctx);
    }
    return err < 0 ? err : read_ops(stream);
}

static ssize_t await_within(nido_stream *stream, struct nidoi_loop *loop)
{
    ssize_t n = stream->ops ? await_ops(stream) : await_fd(stream, loop);

    n = transport_received(stream, n);
    if (n > 0)
        stream->in_end = (size_t)n;
    else if (n == -ECONNRESET)
        stream->flags |= NIDOI_STREAM_LEFT;
    return n;
}

static ssize_t glance_at_ops(nido_stream *stream)
{
    int rc = NIDOI_STREAM_OPS_HAVE(stream->ops, ready) ? stream->ops->ready(stream->ctx) : 0;

    if (rc <= 0) return rc ? rc : -EAGAIN;
    return read_ops(stream);
}

static ssize_t glance_at_fd(nido_stream *stream, struct nidoi_loop *loop)
{
    struct nidoi_io io;
    ssize_t n = nidoi_io_begin_within(&io, loop, stream->fd, NIDOI_READING, true);

    if (n) return n;
    n = nidoi_io_poll(&io);
    if (!n) n = nidoi_stream_room_in(stream, 1);
    if (!n) n = nidoi_io_try_read(&io, stream->in, stream->in_room);
    nidoi_io_end(&io);
    return n;
}

ssize_t nidoi_stream_glance(nido_stream *stream, struct nidoi_loop *loop)
{
    ssize_t n = stream->ops ? glance_at_ops(stream) : glance_at_fd(stream, loop);

    if (n == -EAGAIN || n == -EBUSY) return 0;
    n = transport_received(stream, n);
    if (n > 0) stream->in_end = (size_t)n;
    return n;
}

/* The scope is there without a limit too: nido_stream_stop cancels it, with code 0. */
ssize_t nidoi_stream_await(nido_stream *stream, struct nidoi_loop *loop)
{
    int64_t ns = stream->idle_ns ? stream->idle_ns : NIDO_NEVER;
    struct nidoi_stream_limit limit;
    ssize_t n;

    nidoi_stream_reads(stream, loop);
    nidoi_stream_limit_open(&limit, ns);
    stream->waiting = &limit.scope;
    n = await_within(stream, loop);
    stream->waiting = NULL;
    stream->flags &= ~(uint32_t)NIDOI_STREAM_READING;
    if (n != -ECANCELED || !(stream->flags & NIDOI_STREAM_STOPPED))
        return nidoi_stream_limit_close(&limit, stream, n, "idle");
    n = nido_scope_close(&limit.scope, (int)n);
    return n ? n : nidoi_stream_glance(stream, loop);
}

/* ---- Writing ---- */

struct writing {
    const struct iovec *iov;
    int n;
};

static ssize_t try_send(struct nidoi_io *io, void *call)
{
    const struct writing *writing = call;

    return nidoi_io_try_writev(io, writing->iov, writing->n);
}

static ssize_t send_to_fd(const nido_stream *stream, struct nidoi_loop *loop,
                          const struct iovec *iov, int n)
{
    struct writing writing = {iov, n};
    struct nidoi_io io;
    ssize_t put = nidoi_io_begin_within(&io, loop, stream->fd, NIDOI_WRITING, true);

    if (put) return put;
    put = nidoi_io_perform(&io, try_send, &writing);
    nidoi_io_end(&io);
    nidoi_io_charge_bytes(&io, put);
    return put;
}

static ssize_t send_to_ops(const nido_stream *stream, const struct iovec *iov)
{
    ssize_t n = stream->ops->write(stream->ctx, iov->iov_base, iov->iov_len);

    return transport_result(stream, n, iov->iov_len);
}

/* Nothing moved and no failure: then it would be tried for ever. */
ssize_t nidoi_stream_send(nido_stream *stream, struct nidoi_loop *loop, const struct iovec *iov,
                          int n)
{
    struct nidoi_stream_limit limit;
    ssize_t put;

    nidoi_stream_writes(stream, loop);
    nidoi_stream_limit_open(&limit, stream->write_ns);
    put = stream->ops ? send_to_ops(stream, iov) : send_to_fd(stream, loop, iov, n);
    if (!put) put = -EPIPE;
    if (put < 0) nidoi_stream_failed_out(stream, put);
    put = nidoi_stream_limit_close(&limit, stream, put, NIDOI_STREAM_FULL);
    stream->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    return put;
}

int nidoi_stream_flush_ops(nido_stream *stream, struct nidoi_loop *loop)
{
    struct nidoi_stream_limit limit;
    ssize_t rc;

    if (!NIDOI_STREAM_OPS_HAVE(stream->ops, flush)) return 0;
    nidoi_stream_writes(stream, loop);
    nidoi_stream_limit_open(&limit, stream->write_ns);
    rc = stream->ops->flush(stream->ctx);
    if (rc < 0) nidoi_stream_failed_out(stream, rc);
    rc = nidoi_stream_limit_close(&limit, stream, rc, NIDOI_STREAM_FULL);
    stream->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    return rc < 0 ? (int)rc : 0;
}

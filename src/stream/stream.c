/* SPDX-License-Identifier: MIT */
/* stream/stream.c: opening, closing, ending. */
#include "stream/stream.h"

#include "base/sys.h"
#include "coro/scope/options.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/scope.h"

/* ---- Opening ---- */

enum { BUFFER = 16 << 10, LONGEST = 64 << 10, LARGEST = 1 << 30 };

static const char *options_bad_field(const nido_stream_options *options)
{
    if (options->buffer_size > LARGEST) return "buffer_size";
    if (options->longest > LARGEST) return "longest";
    if (options->idle_ns < 0) return "idle_ns";
    if (options->read_ns < 0) return "read_ns";
    return options->write_ns < 0 ? "write_ns" : NULL;
}

int nidoi_stream_check_options(const nido_stream_options *options)
{
    const char *field = options_bad_field(options);

    return field ? nido_fail(-EINVAL, "nido_stream_options.%s is out of range", field) : 0;
}

static int stream_open(nido_stream *stream, const nido_stream_options *options)
{
    const struct nidoi_loop *loop = nidoi_loop_self();
    nido_stream_options room;
    int err;

    if (!loop) return -EPERM;
    options = NIDOI_OPTIONS(nido_stream_options, options, &room);
    if (!options) return -EINVAL; /* which has a text */
    err = nidoi_stream_check_options(options);
    if (err) return err;
    *stream = (nido_stream){
        .name = options->name,
        .buffer_size = options->buffer_size ? options->buffer_size : BUFFER,
        .longest = options->longest ? options->longest : LONGEST,
        .idle_ns = options->idle_ns,
        .read_ns = options->read_ns,
        .write_ns = options->write_ns,
        .thread = loop->thread,
        .fd = -1,
        .flags = NIDOI_STREAM_OPEN | (options->keep_open ? NIDOI_STREAM_KEPT : 0),
    };
    return 0;
}

int nido_stream_open(nido_stream *stream, int fd, const nido_stream_options *options)
{
    int err = fd < 0 ? fd : stream_open(stream, options);

    if (!err) stream->fd = fd;
    return err;
}

int nido_stream_open_ops(nido_stream *stream, const nido_stream_ops *ops, void *ctx,
                         const nido_stream_options *options)
{
    int err;

    if (!ops || !NIDOI_STREAM_OPS_HAVE(ops, read) || !NIDOI_STREAM_OPS_HAVE(ops, write))
        return nido_fail(-EINVAL, "nido_stream_ops lack size, read or write");
    err = stream_open(stream, options);
    if (err) return err;
    stream->ops = ops;
    stream->ctx = ctx;
    if (NIDOI_STREAM_OPS_HAVE(ops, wait)) stream->flags |= NIDOI_STREAM_WAITS;
    return 0;
}

/* ---- Closing ---- */

static int stream_close_transport(const nido_stream *stream)
{
    if (stream->flags & NIDOI_STREAM_KEPT) return 0;
    if (!stream->ops) return nido_close(stream->fd);
    return NIDOI_STREAM_OPS_HAVE(stream->ops, close) ? stream->ops->close(stream->ctx) : 0;
}

static void stream_abandon(const nido_stream *stream)
{
    if (stream->ops && NIDOI_STREAM_OPS_HAVE(stream->ops, abandon))
        stream->ops->abandon(stream->ctx);
}

/* Its thread may have no runtime: the run is over. */
static int stream_closable(const nido_stream *stream)
{
    const struct nidoi_loop *loop = nidoi_loop_self();
    uint32_t busy = NIDOI_STREAM_READING | NIDOI_STREAM_WRITING;

    if (loop) return nidoi_stream_check(stream, loop, busy);
    if (!(stream->flags & NIDOI_STREAM_OPEN)) return -EBADF;
    if ((stream->thread & ~NIDOI_LOOP_NOTES_USERS) != nidoi_thread_number()) return -EXDEV;
    return stream->flags & busy ? -EBUSY : 0;
}

int nido_stream_close(nido_stream *stream)
{
    int err = stream_closable(stream);
    nido_stream closed;

    if (err) return err;
    closed = *stream;
    *stream = (nido_stream){.fd = -1};
    if (nidoi_stream_pending(&closed)) stream_abandon(&closed);
    err = stream_close_transport(&closed);
    if (!err && nidoi_stream_pending(&closed)) err = -ENOTEMPTY;
    nidoi_stream_drop(&closed);
    return err;
}

/* ---- Ending the output ---- */

static int stream_end_output(const nido_stream *stream)
{
    if (!stream->ops) return nidoi_sys.shutdown(stream->fd, SHUT_WR);
    return NIDOI_STREAM_OPS_HAVE(stream->ops, shut_down) ? stream->ops->shut_down(stream->ctx)
                                                         : -EOPNOTSUPP;
}

int nido_stream_shutdown(nido_stream *stream)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_stream_check(stream, loop, NIDOI_STREAM_WRITING);
    if (err || stream->flags & NIDOI_STREAM_SHUT) return err;
    err = stream->out_failure ? stream->out_failure : nidoi_stream_push(stream, loop);
    if (err) return err;
    nidoi_stream_writes(stream, loop);
    err = stream_end_output(stream);
    stream->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    if (err) return err;
    stream->flags |= NIDOI_STREAM_SHUT;
    stream->out_failure = -EPIPE;
    return 0;
}

/* ---- Questions ---- */

int nido_stream_fd(const nido_stream *stream)
{
    if (!(stream->flags & NIDOI_STREAM_OPEN)) return -EBADF;
    return stream->ops ? -EOPNOTSUPP : stream->fd;
}

size_t nido_stream_unsent(const nido_stream *stream)
{
    return nidoi_stream_pending(stream);
}

bool nido_stream_stopping(const nido_stream *stream)
{
    return stream->flags & NIDOI_STREAM_STOPPED;
}

/* ---- Stopping ---- */

int nido_stream_stop(nido_stream *stream)
{
    const struct nidoi_loop *loop = nidoi_loop_self();
    int err = loop ? nidoi_stream_check(stream, loop, 0) : -EPERM;

    if (err) return err;
    stream->flags |= NIDOI_STREAM_STOPPED;
    if (stream->waiting) nido_scope_cancel(stream->waiting, 0, "the stream is to stop");
    return 0;
}

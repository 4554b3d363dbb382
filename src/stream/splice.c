/* SPDX-License-Identifier: MIT */
/* stream/splice.c: from one descriptor to another by way of a pipe: the bytes stay in the kernel.
 *
 * What has left the one and was not taken by the other lies in the pipe. Before anything is put
 * into it, the input has room for all of that; so a failure or a cancel reads it back, and the
 * bytes are there as if they had been read in the ordinary way. */
#include <errno.h>

#include "base/sys.h"
#include "io/fd.h"
#include "nido/scope.h"
#include "stream/stream.h"

enum { CHUNK = 64 << 10 }; /* what a pipe holds */

struct splicing {
    int in, out;
    size_t len;
};

static ssize_t try_splice(struct nidoi_io *io, void *call)
{
    const struct splicing *splicing = call;

    (void)io;
    return nidoi_sys.splice(splicing->in, splicing->out, splicing->len);
}

/* One step, waiting for `fd`. */
static ssize_t splice_step(struct nidoi_loop *loop, int fd, enum nidoi_direction direction,
                           struct splicing splicing)
{
    struct nidoi_io io;
    ssize_t n = nidoi_io_begin_within(&io, loop, fd, direction, true);

    if (n) return n;
    n = nidoi_io_owned(&io) ? nidoi_io_perform(&io, try_splice, &splicing) : -EINVAL;
    nidoi_io_end(&io);
    nidoi_io_charge_bytes(&io, n);
    return n == -EINVAL || n == -ENOSYS ? -EOPNOTSUPP : n;
}

/* ---- Both sides ---- */

static ssize_t splice_in(nido_stream *from, struct nidoi_loop *loop, int pipe, size_t len)
{
    struct nidoi_stream_limit limit;
    ssize_t n;

    nidoi_stream_reads(from, loop);
    nidoi_stream_limit_open(&limit, from->read_ns);
    n = splice_step(loop, from->fd, NIDOI_READING, (struct splicing){from->fd, pipe, len});
    if (n == 0) from->flags |= NIDOI_STREAM_ENDED;
    if (n < 0 && n != -EOPNOTSUPP) nidoi_stream_failed_in(from, n);
    n = nidoi_stream_limit_close(&limit, from, n, NIDOI_STREAM_SILENT);
    from->flags &= ~(uint32_t)NIDOI_STREAM_READING;
    return n;
}

static ssize_t splice_out(nido_stream *to, struct nidoi_loop *loop, int pipe, size_t len)
{
    struct nidoi_stream_limit limit;
    ssize_t n;

    nidoi_stream_writes(to, loop);
    nidoi_stream_limit_open(&limit, to->write_ns);
    n = splice_step(loop, to->fd, NIDOI_WRITING, (struct splicing){pipe, to->fd, len});
    if (n == 0) n = -EPIPE;
    if (n < 0 && n != -EOPNOTSUPP) nidoi_stream_failed_out(to, n);
    n = nidoi_stream_limit_close(&limit, to, n, NIDOI_STREAM_FULL);
    to->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    return n;
}

/* `n` bytes of the pipe become input that has not been read. */
static void splice_back(nido_stream *from, int pipe, size_t n)
{
    while (n) {
        ssize_t got = nidoi_sys.read(pipe, from->in + from->in_end, n);

        if (got <= 0) {
            nidoi_stream_failed_in(from, got ? got : -EIO);
            return;
        }
        from->in_end += (size_t)got;
        n -= (size_t)got;
    }
}

/* ---- The whole ---- */

static int splice_prepare(nido_stream *from, struct nidoi_stream_pipe *pipe)
{
    int err = nidoi_stream_room_in(from, CHUNK);

    if (err || pipe->ends[0] >= 0) return err;
    return nidoi_sys.pipe(pipe->ends) < 0 ? -EOPNOTSUPP : 0;
}

void nidoi_stream_pipe_close(struct nidoi_stream_pipe *pipe)
{
    for (int i = 0; i < 2; i++) {
        if (pipe->ends[i] >= 0) nidoi_sys.close(pipe->ends[i]);
        pipe->ends[i] = -1;
    }
}

ssize_t nidoi_stream_splice(nido_stream *to, nido_stream *from, struct nidoi_loop *loop,
                            struct nidoi_stream_pipe *pipe, uint64_t len, size_t *done)
{
    ssize_t got = splice_prepare(from, pipe), put = 0;

    *done = 0;
    if (got) return got;
    got = splice_in(from, loop, pipe->ends[1], len < CHUNK ? (size_t)len : CHUNK);
    if (got <= 0) return got;
    while (*done < (size_t)got) {
        put = splice_out(to, loop, pipe->ends[0], (size_t)got - *done);
        if (put < 0) break;
        *done += (size_t)put;
    }
    if (put >= 0) return got;
    splice_back(from, pipe->ends[0], (size_t)got - *done);
    return put;
}

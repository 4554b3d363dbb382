/* SPDX-License-Identifier: MIT */
/* stream/stream.h: a buffer for each direction, over a transport: a descriptor, or functions of the
 * caller's.
 *
 * 1. The bytes that have arrived are in[in_at .. in_end), those that are unsent out[out_at ..
 * out_end). Both are empty or have memory.
 * 2. Bytes move in two steps, each exact: transport and buffer; buffer and caller. No byte is
 * anywhere else while a task waits, but for those of a pipe in nidoi_stream_splice, which go back
 * into the buffer.
 * 3. READING and WRITING are set while a task may park in that direction. Whoever enters a call
 * looks at the bit of its direction first.
 * 4. What a task has written is sent before the same task waits for input. Another task's is not:
 * that task may be about to write more, and the direction is its own. */
#ifndef NIDOI_STREAM_H
#define NIDOI_STREAM_H

#include "coro/scope/park.h"
#include "nido/stream.h"

enum nidoi_stream_flag {
    NIDOI_STREAM_OPEN = 1,
    NIDOI_STREAM_READING = 2,
    NIDOI_STREAM_WRITING = 4,
    NIDOI_STREAM_ENDED = 8, /* the input */
    NIDOI_STREAM_STOPPED = 16,
    NIDOI_STREAM_SHUT = 32,   /* the output */
    NIDOI_STREAM_KEPT = 64,   /* keep_open */
    NIDOI_STREAM_WAITS = 128, /* ops->wait */
    NIDOI_STREAM_LEFT = 256   /* the peer has reset the connection during nido_stream_wait */
};

/* A member that an older program's struct lacks is NULL. */
#define NIDOI_STREAM_OPS_HAVE(ops, member)                                       \
    ((ops)->size >= offsetof(nido_stream_ops, member) + sizeof((ops)->member) && \
     (ops)->member != NULL)

static inline size_t nidoi_stream_have(const nido_stream *stream)
{
    return stream->in_end - stream->in_at;
}

static inline size_t nidoi_stream_pending(const nido_stream *stream)
{
    return stream->out_end - stream->out_at;
}

/* The running task may park in a direction from here on; the flag is cleared afterwards. */
static inline void nidoi_stream_reads(nido_stream *stream, const struct nidoi_loop *loop)
{
    stream->flags |= NIDOI_STREAM_READING;
    stream->reader = loop->sched.current;
}

static inline void nidoi_stream_writes(nido_stream *stream, const struct nidoi_loop *loop)
{
    stream->flags |= NIDOI_STREAM_WRITING;
    stream->sender = loop->sched.current;
}

/* The task that is in a call on the stream, which is busy, and in *act what it does with it. */
static inline const struct nidoi_task *nidoi_stream_user(const nido_stream *stream, uint32_t busy,
                                                         const char **act)
{
    bool reads = (stream->flags & busy & NIDOI_STREAM_READING) != 0;

    *act = reads ? "reads from" : "writes to";
    return reads ? stream->reader : stream->sender;
}

/* ---- stream/stream.c ---- */

/* -EINVAL with a text that names the field, or 0. */
int nidoi_stream_check_options(const nido_stream_options *options);

/* ---- stream/transport.c ---- */

/* Why the check refuses; -EBUSY has a text. */
NIDOI_RARE int nidoi_stream_refuse(const nido_stream *stream, const struct nidoi_loop *loop,
                                   uint32_t busy);

/* After the entry of a public call; `busy`: the directions that it uses. 0, -EBADF, -EBUSY, -EXDEV.
 */
static inline int nidoi_stream_check(const nido_stream *stream, const struct nidoi_loop *loop,
                                     uint32_t busy)
{
    if ((stream->flags & (NIDOI_STREAM_OPEN | busy)) != NIDOI_STREAM_OPEN)
        return nidoi_stream_refuse(stream, loop, busy);
    return stream->thread == loop->thread ? 0 : -EXDEV;
}

/* ---- stream/buffer.c ---- */

/* Room for `want` bytes from in_at on, and a 0 behind them. 0 or -ENOMEM. */
int nidoi_stream_room_in(nido_stream *stream, size_t want);
/* Memory for the output, `want` bytes behind out_end. */
int nidoi_stream_room_out(nido_stream *stream, size_t want);
/* Gives back what is empty. */
void nidoi_stream_idle(nido_stream *stream);
void nidoi_stream_drop(nido_stream *stream);

/* ---- stream/transport.c ---- */

/* One read of the transport into caller's memory, within read_ns. > 0; 0: the end, which is noted;
 * or a failure, which is noted if it is final. */
ssize_t nidoi_stream_receive(nido_stream *stream, struct nidoi_loop *loop, void *buf, size_t len);
/* One read of the transport into the input, which may be given back meanwhile, within idle_ns. */
ssize_t nidoi_stream_await(nido_stream *stream, struct nidoi_loop *loop);
/* After a stop: what has arrived, without a wait. > 0 bytes of input; 0: none; or a failure. */
ssize_t nidoi_stream_glance(nido_stream *stream, struct nidoi_loop *loop);
/* One write of the transport, within write_ns. */
ssize_t nidoi_stream_send(nido_stream *stream, struct nidoi_loop *loop, const struct iovec *iov,
                          int n);
/* What functions of the caller's have taken is sent by them, within write_ns. */
int nidoi_stream_flush_ops(nido_stream *stream, struct nidoi_loop *loop);
/* A limit is a scope of its own around one wait: a cancel from further out passes through it. */
struct nidoi_stream_limit {
    nido_scope scope;
    int64_t ns; /* 0: none, and no scope */
};
#define NIDOI_STREAM_SILENT "no bytes came"
#define NIDOI_STREAM_FULL   "the peer took no bytes"
void nidoi_stream_limit_open(struct nidoi_stream_limit *limit, int64_t ns);
/* n, or -ETIMEDOUT with a text. */
ssize_t nidoi_stream_limit_close(struct nidoi_stream_limit *limit, const nido_stream *stream,
                                 ssize_t n, const char *what);
/* Keeps a final failure of a direction; returns it. */
ssize_t nidoi_stream_failed_in(nido_stream *stream, ssize_t err);
ssize_t nidoi_stream_failed_out(nido_stream *stream, ssize_t err);

/* ---- stream/output.c ---- */

/* Sends what is unsent. */
int nidoi_stream_push(nido_stream *stream, struct nidoi_loop *loop);
/* Before a wait for input: the same if this task wrote it and no other writes. */
int nidoi_stream_push_own(nido_stream *stream, struct nidoi_loop *loop);
/* Accepts bytes, and sends them at once if `through`. *done is exact. */
int nidoi_stream_accept(nido_stream *stream, struct nidoi_loop *loop, const struct iovec *iov,
                        int n, bool through, size_t *done);

/* ---- stream/input.c ---- */

/* More input: > 0 bytes; 0: the end; or a failure. */
ssize_t nidoi_stream_fill(nido_stream *stream, struct nidoi_loop *loop);

/* ---- stream/splice.c ---- */

struct nidoi_stream_pipe {
    int ends[2]; /* -1: none */
};
/* Moves up to `len` bytes in the kernel, from a stream without buffered input to one without unsent
 * output. What left the one: n > 0; 0: the end; -EOPNOTSUPP: by way of the buffers, please; or the
 * failure of either. *done: bytes that the other has sent, in every case; the rest of n is in the
 * buffer of the one again. */
ssize_t nidoi_stream_splice(nido_stream *to, nido_stream *from, struct nidoi_loop *loop,
                            struct nidoi_stream_pipe *pipe, uint64_t len, size_t *done);
void nidoi_stream_pipe_close(struct nidoi_stream_pipe *pipe);

#endif

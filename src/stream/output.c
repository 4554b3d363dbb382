/* SPDX-License-Identifier: MIT */
/* stream/output.c: what is written: collected, gathered, sent. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nido/error.h"
#include "nido/task.h"
#include "stream/stream.h"

enum { PARTS = 16 }; /* of one system call */

NIDOI_IN_CALLER int output_enter(nido_stream *stream, struct nidoi_loop **loop)
{
    int err = nidoi_enter(loop);

    if (!err) err = nidoi_stream_check(stream, *loop, NIDOI_STREAM_WRITING);
    if (!err) err = stream->out_failure;
    if (!err) stream->writer = (*loop)->sched.current->id;
    return err;
}

/* ---- Sending ---- */

/* `n` bytes of those that are unsent have been sent; what is left of n. */
static size_t output_sent(nido_stream *stream, size_t n)
{
    size_t pending = nidoi_stream_pending(stream);

    if (n < pending) {
        stream->out_at += n;
        return 0;
    }
    stream->out_at = stream->out_end = 0;
    return n - pending;
}

/* After a step that may have parked, before the next one. */
NIDOI_IN_CALLER int output_go_on(nido_stream *stream)
{
    struct nidoi_loop *loop;
    int err;

    nidoi_stream_writes(stream, nidoi_loop_self()); /* the entry may yield */
    err = nidoi_enter(&loop);
    stream->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    return err;
}

int nidoi_stream_push(nido_stream *stream, struct nidoi_loop *loop)
{
    while (nidoi_stream_pending(stream)) {
        struct iovec part = {stream->out + stream->out_at, nidoi_stream_pending(stream)};
        ssize_t n = nidoi_stream_send(stream, loop, &part, 1);
        int err;

        if (n < 0) return (int)n;
        output_sent(stream, (size_t)n);
        err = nidoi_stream_pending(stream) ? output_go_on(stream) : 0;
        if (err) return err;
    }
    return 0;
}

int nidoi_stream_push_own(nido_stream *stream, struct nidoi_loop *loop)
{
    if (!nidoi_stream_pending(stream) || stream->flags & NIDOI_STREAM_WRITING) return 0;
    if (stream->writer != loop->sched.current->id) return 0;
    return stream->out_failure ? stream->out_failure : nidoi_stream_push(stream, loop);
}

static int output_flush(nido_stream *stream, struct nidoi_loop *loop)
{
    int err = nidoi_stream_push(stream, loop);

    return err || !stream->ops ? err : nidoi_stream_flush_ops(stream, loop);
}

/* ---- Accepting ---- */

/* What a caller writes: parts, and how much of them has been accepted. */
struct output {
    const struct iovec *iov;
    int n;
    size_t skip; /* of the first part */
    size_t left;
    size_t done;
};

static void output_advance(struct output *output, size_t n)
{
    output->done += n;
    output->left -= n;
    while (output->n && n >= output->iov->iov_len - output->skip) {
        n -= output->iov->iov_len - output->skip;
        output->skip = 0;
        output->iov++;
        output->n--;
    }
    output->skip += n;
}

/* What is left of part i. False: nothing, and its address may be NULL. */
static bool output_part(const struct output *output, int i, struct iovec *part)
{
    size_t skip = i ? 0 : output->skip;

    part->iov_len = output->iov[i].iov_len - skip;
    if (!part->iov_len) return false;
    part->iov_base = (char *)output->iov[i].iov_base + skip;
    return true;
}

static int output_collect(nido_stream *stream, struct output *output)
{
    int err = nidoi_stream_room_out(stream, output->left);

    if (err) return err;
    for (int i = 0; i < output->n; i++) {
        struct iovec part;

        if (!output_part(output, i, &part)) continue;
        memcpy(stream->out + stream->out_end, part.iov_base, part.iov_len);
        stream->out_end += part.iov_len;
    }
    output_advance(output, output->left);
    return 0;
}

/* The unsent bytes and those that were not accepted yet, in one system call. */
static int output_gather(nido_stream *stream, struct nidoi_loop *loop, struct output *output)
{
    struct iovec parts[PARTS];
    size_t pending = nidoi_stream_pending(stream);
    ssize_t n;
    int count = 0;

    if (pending) parts[count++] = (struct iovec){stream->out + stream->out_at, pending};
    for (int i = 0; i < output->n && count < PARTS; i++)
        if (output_part(output, i, &parts[count])) count++;
    n = nidoi_stream_send(stream, loop, parts, count);
    if (n < 0) return (int)n;
    output_advance(output, output_sent(stream, (size_t)n));
    return output->left || nidoi_stream_pending(stream) ? output_go_on(stream) : 0;
}

static size_t output_length(const struct output *output)
{
    size_t length = 0;

    for (int i = 0; i < output->n; i++) length += output->iov[i].iov_len;
    return length;
}

static bool output_fits(const nido_stream *stream, const struct output *output)
{
    size_t pending = nidoi_stream_pending(stream);

    return pending <= stream->buffer_size && output->left <= stream->buffer_size - pending;
}

int nidoi_stream_accept(nido_stream *stream, struct nidoi_loop *loop, const struct iovec *iov,
                        int n, bool through, size_t *done)
{
    struct output output = {.iov = iov, .n = n};
    int err = 0;

    output.left = output_length(&output);
    while (output.left && !err) {
        if (!through && output_fits(stream, &output))
            err = output_collect(stream, &output);
        else
            err = output_gather(stream, loop, &output);
    }
    if (!err && through) err = output_flush(stream, loop);
    *done = output.done;
    return err;
}

/* ---- The calls ---- */

int nido_stream_writev(nido_stream *stream, const struct iovec *iov, int n, size_t *done)
{
    struct nidoi_loop *loop;
    size_t accepted = 0;
    int err;

    if (done) *done = 0;
    if (n < 0) return nido_fail(-EINVAL, "nido_stream_writev: %d parts", n);
    err = output_enter(stream, &loop);
    if (!err) err = nidoi_stream_accept(stream, loop, iov, n, false, &accepted);
    if (done) *done = accepted;
    return err;
}

/* What most writes are: bytes that fit into the memory that is there. */
static inline bool output_put(nido_stream *stream, const void *buf, size_t len)
{
    if (!len || len > stream->out_room - stream->out_end) return false;
    if (nidoi_stream_pending(stream) + len > stream->buffer_size) return false;
    memcpy(stream->out + stream->out_end, buf, len);
    stream->out_end += len;
    return true;
}

int nido_stream_write(nido_stream *stream, const void *buf, size_t len, size_t *done)
{
    struct iovec part = {(void *)(intptr_t)buf, len};
    struct nidoi_loop *loop;
    size_t accepted = 0;
    int err = output_enter(stream, &loop);

    if (!err && output_put(stream, buf, len))
        accepted = len;
    else if (!err)
        err = nidoi_stream_accept(stream, loop, &part, 1, false, &accepted);
    if (done) *done = accepted;
    return err;
}

/* The text fits if that is told by a first try, which also says how long it is. */
static int output_format(nido_stream *stream, struct nidoi_loop *loop, const char *format,
                         va_list args)
{
    va_list again;
    size_t room;
    int err = nidoi_stream_room_out(stream, 0), n;

    if (err) return err;
    room = stream->out_room - stream->out_end;
    va_copy(again, args);
    n = vsnprintf(stream->out + stream->out_end, room + 1, format, again);
    va_end(again);
    if (n < 0) return nido_fail(-EINVAL, "nido_stream_printf: a bad format");
    if ((size_t)n > room) {
        if (nidoi_stream_pending(stream)) err = nidoi_stream_push(stream, loop);
        if (!err) err = nidoi_stream_room_out(stream, (size_t)n);
        if (err) return err;
        vsnprintf(stream->out + stream->out_end, (size_t)n + 1, format, args);
    }
    stream->out_end += (size_t)n;
    return n;
}

int nido_stream_printf(nido_stream *stream, const char *format, ...)
{
    struct nidoi_loop *loop;
    va_list args;
    int n = output_enter(stream, &loop);

    if (n) return n;
    va_start(args, format);
    n = output_format(stream, loop, format, args);
    va_end(args);
    return n;
}

int nido_stream_flush(nido_stream *stream)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (!err) err = nidoi_stream_check(stream, loop, NIDOI_STREAM_WRITING);
    if (err) return err;
    if (nidoi_stream_pending(stream) && stream->out_failure) return stream->out_failure;
    return output_flush(stream, loop);
}

/* SPDX-License-Identifier: MIT */
/* stream/copy.c: from a stream or a file into a stream. Bytes are counted when the one has given
 * and the other has accepted them. */
#include <errno.h>

#include "nido/error.h"
#include "nido/fd.h"
#include "nido/file.h"
#include "nido/scope.h"
#include "stream/stream.h"

static size_t at_most(uint64_t left, size_t n)
{
    return left < n ? (size_t)left : n;
}

/* ---- From a stream ---- */

struct copy {
    nido_stream *to, *from;
    uint64_t left, done;
    unsigned full; /* reads in a row that filled the buffer */
    bool by_hand;  /* the kernel does not splice these */
    struct nidoi_stream_pipe pipe;
};

/* A pipe costs two descriptors, so it is made only for what comes thick. */
enum { MANY = 4 };

static bool copy_may_splice(const struct copy *copy)
{
    if (copy->by_hand || copy->full < MANY) return false;
    return !nidoi_stream_pending(copy->to) && !copy->from->in_failure &&
           !(copy->from->flags & NIDOI_STREAM_ENDED);
}

/* The buffered bytes go out from where they lie. */
static int copy_buffered(struct copy *copy, struct nidoi_loop *loop)
{
    nido_stream *from = copy->from;
    size_t n = at_most(copy->left, nidoi_stream_have(from)), done;
    struct iovec part = {from->in + from->in_at, n};
    int err;

    nidoi_stream_reads(from, loop); /* the buffer must not move */
    err = nidoi_stream_accept(copy->to, loop, &part, 1, true, &done);
    from->flags &= ~(uint32_t)NIDOI_STREAM_READING;
    from->in_at += done;
    copy->done += done;
    copy->left -= done;
    return err;
}

static ssize_t copy_spliced(struct copy *copy, struct nidoi_loop *loop)
{
    size_t done;
    ssize_t n = nidoi_stream_splice(copy->to, copy->from, loop, &copy->pipe, copy->left, &done);

    copy->done += done;
    copy->left -= done;
    if (n != -EOPNOTSUPP) return n;
    copy->by_hand = true;
    return 1;
}

/* > 0: go on; 0: the end; or a failure. */
static ssize_t copy_step(struct copy *copy, struct nidoi_loop *loop)
{
    size_t room;
    ssize_t n = nidoi_stream_have(copy->from) ? copy_buffered(copy, loop) : 0;

    if (n || !copy->left) return n ? n : 1;
    if (copy_may_splice(copy)) return copy_spliced(copy, loop);
    n = nidoi_stream_push_own(copy->to, loop); /* before a wait for input */
    if (!n) n = nidoi_stream_fill(copy->from, loop);
    room = copy->from->buffer_size;
    copy->full = n >= (ssize_t)room ? copy->full + 1 : 0;
    return n;
}

NIDOI_IN_CALLER int copy_enter(const struct copy *copy, struct nidoi_loop **loop)
{
    int err = nidoi_enter(loop);

    if (!err) err = nidoi_stream_check(copy->from, *loop, NIDOI_STREAM_READING);
    if (!err) err = nidoi_stream_check(copy->to, *loop, NIDOI_STREAM_WRITING);
    return err ? err : copy->to->out_failure;
}

/* Each step is charged and looks at the scope, like a call of its own; no other task comes in. */
NIDOI_IN_CALLER int copy_go_on(struct copy *copy, struct nidoi_loop **loop)
{
    int err;

    nidoi_stream_reads(copy->from, *loop);
    nidoi_stream_writes(copy->to, *loop);
    err = nidoi_enter(loop);
    copy->from->flags &= ~(uint32_t)NIDOI_STREAM_READING;
    copy->to->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    return err;
}

static int copy_all(struct copy *copy, struct nidoi_loop *loop)
{
    uint64_t wanted = copy->left;
    int err = 0;

    while (copy->left && !err) {
        ssize_t n = copy_step(copy, loop);

        if (n < 0) return (int)n;
        if (n == 0) return wanted == NIDO_STREAM_ALL ? 0 : -EPIPE;
        if (copy->left) err = copy_go_on(copy, &loop);
    }
    return err;
}

int nido_stream_copy(nido_stream *to, nido_stream *from, uint64_t len, uint64_t *done)
{
    struct copy copy = {.to = to, .from = from, .left = len, .pipe.ends = {-1, -1}};
    struct nidoi_loop *loop;
    int err = copy_enter(&copy, &loop);

    if (!err && to == from) err = nido_fail(-EINVAL, "nido_stream_copy: from a stream to itself");
    if (!err) {
        to->writer = loop->sched.current->id;
        copy.by_hand = to->ops || from->ops;
        err = copy_all(&copy, loop);
        nidoi_stream_pipe_close(&copy.pipe);
    }
    if (!err) err = nidoi_stream_push(to, loop);
    if (done) *done = copy.done;
    return err;
}

/* ---- From a file ---- */

/* How much one wait may take at most, so that a limit tells a slow peer from one that stands still. */
enum { PIECE = 1 << 20 };

static int file_send_piece(nido_stream *to, int file, int64_t offset, size_t len, size_t *done)
{
    struct nidoi_stream_limit limit;
    int rc;

    nidoi_stream_limit_open(&limit, to->write_ns);
    rc = nido_sendfile(to->fd, file, offset, len, done);
    rc = (int)nidoi_stream_limit_close(&limit, to, rc, NIDOI_STREAM_FULL);
    return rc == -ETIMEDOUT && *done ? 0 : rc; /* slow, but it moves */
}

static int file_send(nido_stream *to, struct nidoi_loop *loop, int file, int64_t offset, size_t len,
                     size_t *done)
{
    int rc;

    nidoi_stream_writes(to, loop);
    rc = file_send_piece(to, file, offset, len, done);
    to->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    return rc;
}

/* Bytes that were read and not accepted are still in the file. */
static int file_read_and_write(nido_stream *to, struct nidoi_loop *loop, int file, int64_t offset,
                               size_t len, size_t *done)
{
    char bytes[16 << 10];
    struct iovec part = {bytes, 0};
    ssize_t n;

    nidoi_stream_writes(to, loop);
    n = nido_pread(file, bytes, at_most(len, sizeof bytes), offset);
    to->flags &= ~(uint32_t)NIDOI_STREAM_WRITING;
    if (n <= 0) return n ? (int)n : -EPIPE;
    part.iov_len = (size_t)n;
    return nidoi_stream_accept(to, loop, &part, 1, true, done);
}

NIDOI_IN_CALLER int file_enter(const nido_stream *to, struct nidoi_loop **loop)
{
    int err = nidoi_enter(loop);

    if (!err) err = nidoi_stream_check(to, *loop, NIDOI_STREAM_WRITING);
    return err ? err : to->out_failure;
}

int nido_stream_copy_file(nido_stream *to, int file, int64_t offset, uint64_t len, uint64_t *done)
{
    struct nidoi_loop *loop;
    uint64_t sent = 0;
    int err = file_enter(to, &loop);

    if (!err && (offset < 0 || len > (uint64_t)(INT64_MAX - offset)))
        err = nido_fail(-EINVAL, "nido_stream_copy_file: a bad offset or length");
    if (!err) {
        to->writer = loop->sched.current->id;
        err = nidoi_stream_push(to, loop);
    }
    while (!err && sent < len) {
        size_t n = 0, piece = at_most(len - sent, PIECE);

        if (to->ops)
            err = file_read_and_write(to, loop, file, offset + (int64_t)sent, piece, &n);
        else
            err = file_send(to, loop, file, offset + (int64_t)sent, piece, &n);
        sent += n;
    }
    if (done) *done = sent;
    return err;
}

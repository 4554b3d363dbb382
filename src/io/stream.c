/* SPDX-License-Identifier: MIT */
/* io/stream.c: nido_read, nido_write and their like. */
#include <limits.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "io/file.h"
#include "io/foreign.h"
#include "io/stream.h"
#include "nido/error.h"
#include "nido/fd.h"

struct bytes {
    char *in;
    const char *out;
    size_t len;
};

struct vector {
    const struct iovec *iov;
    int n;
};

/* If there are more parts than the kernel takes in one call, the rest is left to the next one. */
static struct vector vector_of(const struct iovec *iov, int n)
{
    return (struct vector){iov, n < IOV_MAX ? n : IOV_MAX};
}

static struct msghdr message_of(const struct vector *vector)
{
    return (struct msghdr){.msg_iov = (struct iovec *)vector->iov,
                           .msg_iovlen = (unsigned)vector->n};
}

/* A call that moves no bytes does not wait: it only says whether it could begin. */
NIDOI_IN_CALLER ssize_t io_move_none(int fd, enum nidoi_direction direction)
{
    struct nidoi_io io;
    int err = nidoi_io_begin(&io, fd, direction, true);

    if (err) return err;
    nidoi_io_end(&io);
    err = nidoi_sys.mode(fd);
    return err < 0 ? err : 0;
}

/* Files go to workers. An owned one is known; of a foreign number the kernel is asked each time. */
static bool io_is_known_file(const struct nidoi_io *io)
{
    return io->slot->flags & NIDOI_FD_FILE;
}

static bool io_is_file(const struct nidoi_io *io)
{
    return io_is_known_file(io) || nidoi_fd_is_file(io->fd);
}

/* A cached page could be read at once, but no report would tell when one comes. */
static NIDOI_RARE ssize_t file_refuse_try(const struct nidoi_io *io)
{
    return nido_fail(-EOPNOTSUPP, "descriptor %d is a file, which a worker reads and writes",
                     io->fd);
}

/* ---- Reading ---- */

static ssize_t file_read(struct nidoi_io *io, const struct iovec *iov, int n)
{
    if (io->once) return file_refuse_try(io);
    return nidoi_file_read(io, iov, n, NIDOI_FILE_POSITION);
}

static ssize_t try_read_foreign(struct nidoi_io *io, struct bytes *call)
{
    struct iovec iov = {call->in, call->len};
    ssize_t n = -ENOTSOCK;

    if (!io_is_known_file(io)) n = nidoi_sys.recv(io->fd, call->in, call->len, MSG_DONTWAIT);
    if (n != -ENOTSOCK) return n;
    if (io_is_file(io)) return file_read(io, &iov, 1);
    return nidoi_foreign_move(io, &iov, 1);
}

static ssize_t try_read(struct nidoi_io *io, void *call)
{
    struct bytes *bytes = call;
    ssize_t n;

    if (!nidoi_io_owned(io)) return try_read_foreign(io, bytes);
    n = nidoi_sys.read(io->fd, bytes->in, bytes->len);
    if (n >= 0 && (size_t)n < bytes->len) nidoi_edge_short(io->slot, io->seen);
    return n;
}

ssize_t nido_read(int fd, void *buf, size_t len)
{
    struct bytes call = {.in = buf, .len = len < SSIZE_MAX ? len : SSIZE_MAX};

    if (!len) return io_move_none(fd, NIDOI_READING);
    return nidoi_io_once(fd, NIDOI_READING, true, try_read, &call);
}

static ssize_t try_readv(struct nidoi_io *io, void *call)
{
    struct vector *vector = call;
    struct msghdr message = message_of(vector);
    ssize_t n;

    if (nidoi_io_owned(io)) return nidoi_sys.readv(io->fd, vector->iov, vector->n);
    n = io_is_known_file(io) ? -ENOTSOCK : nidoi_sys.recvmsg(io->fd, &message, MSG_DONTWAIT);
    if (n != -ENOTSOCK) return n;
    if (io_is_file(io)) return file_read(io, vector->iov, vector->n);
    return nidoi_foreign_move(io, vector->iov, vector->n);
}

ssize_t nido_readv(int fd, const struct iovec *iov, int n)
{
    struct vector call = vector_of(iov, n);

    if (n < 0) return -EINVAL;
    return nidoi_io_bulk(fd, NIDOI_READING, true, try_readv, &call);
}

/* ---- Writing ---- */

static ssize_t file_write(struct nidoi_io *io, const struct iovec *iov, int n)
{
    if (io->once) return file_refuse_try(io);
    return nidoi_file_write(io, iov, n, NIDOI_FILE_POSITION);
}

static ssize_t try_write_foreign(struct nidoi_io *io, struct bytes *call)
{
    struct iovec iov = {(void *)(intptr_t)call->out, call->len};
    ssize_t n = -ENOTSOCK;

    if (!io_is_known_file(io)) n = nidoi_sys.send(io->fd, call->out, call->len, MSG_DONTWAIT);
    if (n != -ENOTSOCK) return n;
    if (io_is_file(io)) return file_write(io, &iov, 1);
    return nidoi_foreign_move(io, &iov, 1);
}

static ssize_t try_write(struct nidoi_io *io, void *call)
{
    struct bytes *bytes = call;

    if (!nidoi_io_owned(io)) return try_write_foreign(io, bytes);
    if (io->slot->flags & NIDOI_FD_SOCKET) return nidoi_sys.send(io->fd, bytes->out, bytes->len, 0);
    return nidoi_sys.write(io->fd, bytes->out, bytes->len);
}

ssize_t nido_write(int fd, const void *buf, size_t len)
{
    struct bytes call = {.out = buf, .len = len < SSIZE_MAX ? len : SSIZE_MAX};

    if (!len) return io_move_none(fd, NIDOI_WRITING);
    return nidoi_io_once(fd, NIDOI_WRITING, true, try_write, &call);
}

static ssize_t try_writev(struct nidoi_io *io, void *call)
{
    struct vector *vector = call;
    struct msghdr message = message_of(vector);
    ssize_t n;

    if (nidoi_io_owned(io) && !(io->slot->flags & NIDOI_FD_SOCKET))
        return nidoi_sys.writev(io->fd, vector->iov, vector->n);
    n = io_is_known_file(io) ? -ENOTSOCK : nidoi_sys.sendmsg(io->fd, &message, MSG_DONTWAIT);
    if (n != -ENOTSOCK) return n;
    if (io_is_file(io)) return file_write(io, vector->iov, vector->n);
    return nidoi_foreign_move(io, vector->iov, vector->n);
}

ssize_t nido_writev(int fd, const struct iovec *iov, int n)
{
    struct vector call = vector_of(iov, n);

    if (n < 0) return -EINVAL;
    return nidoi_io_bulk(fd, NIDOI_WRITING, true, try_writev, &call);
}

/* ---- Once ---- */

static ssize_t try_none(struct nidoi_io *io, void *unused)
{
    int mode = nidoi_sys.mode(io->fd);

    (void)unused;
    return mode < 0 ? mode : 0;
}

ssize_t nido_try_read(int fd, void *buf, size_t len)
{
    struct bytes call = {.in = buf, .len = len < SSIZE_MAX ? len : SSIZE_MAX};

    nidoi_check_frames();
    return nidoi_io_try(fd, NIDOI_READING, true, len ? try_read : try_none, &call);
}

ssize_t nido_try_write(int fd, const void *buf, size_t len)
{
    struct bytes call = {.out = buf, .len = len < SSIZE_MAX ? len : SSIZE_MAX};

    nidoi_check_frames();
    return nidoi_io_try(fd, NIDOI_WRITING, true, len ? try_write : try_none, &call);
}

/* ---- For buffers above ---- */

ssize_t nidoi_io_try_read(struct nidoi_io *io, void *buf, size_t len)
{
    struct bytes call = {.in = buf, .len = len};

    return try_read(io, &call);
}

ssize_t nidoi_io_try_writev(struct nidoi_io *io, const struct iovec *iov, int n)
{
    struct bytes one = {.out = iov->iov_base, .len = iov->iov_len};
    struct vector call = vector_of(iov, n);

    return n == 1 ? try_write(io, &one) : try_writev(io, &call);
}

/* ---- All of it ---- */

NIDOI_IN_CALLER int io_transfer(int fd, enum nidoi_direction direction,
                                struct nidoi_io_transfer *transfer, size_t *done)
{
    int err = nidoi_io_all(fd, direction, transfer);

    if (done) *done = transfer->done;
    return err;
}

static void advance_bytes(void *call, size_t n)
{
    struct bytes *bytes = call;

    if (bytes->in)
        bytes->in += n;
    else
        bytes->out += n;
    bytes->len -= n;
}

int nido_read_full(int fd, void *buf, size_t len, size_t *done)
{
    struct bytes call = {.in = buf, .len = len};
    struct nidoi_io_transfer transfer = {try_read, advance_bytes, &call, len, 0};

    return io_transfer(fd, NIDOI_READING, &transfer, done);
}

int nido_write_all(int fd, const void *buf, size_t len, size_t *done)
{
    struct bytes call = {.out = buf, .len = len};
    struct nidoi_io_transfer transfer = {try_write, advance_bytes, &call, len, 0};

    return io_transfer(fd, NIDOI_WRITING, &transfer, done);
}

struct file_transfer {
    int out, in;
    struct nidoi_io source;
    int64_t offset; /* advanced by the system call */
    size_t len;     /* of the rest */
    bool copied;    /* sendfile(2) does not serve these: read and write */
};

enum { COPY = 16 << 10 };

static ssize_t file_send_piece(void *arg)
{
    struct file_transfer *file = arg;

    return nidoi_sys.sendfile(file->out, file->in, &file->offset, nidoi_file_piece(file->len));
}

/* Bytes that were read and cannot be written yet are read again: by then the page cache has them.
 */
static ssize_t file_copy_piece(struct nidoi_io *io, struct file_transfer *file)
{
    char buffer[COPY];
    struct iovec iov = {buffer, file->len < COPY ? file->len : COPY};
    ssize_t n = nidoi_file_read(&file->source, &iov, 1, file->offset);
    struct bytes bytes = {.out = buffer, .len = (size_t)n};

    if (n <= 0) io->final = true; /* the failure is that of `in`: no report of `out` helps */
    if (n <= 0) return n;
    if (nidoi_io_check_fd(io) || nidoi_io_check_fd(&file->source))
        return -EBADF; /* closed while a worker read */
    n = try_write(io, &bytes);
    if (n > 0) file->offset += n;
    return n;
}

/* Reading the disk may take long, so a worker makes the call, and both numbers stay open until it
 * has. An `out` that blocks could hold the worker for ever, and sendfile(2) refuses some
 * descriptors: then the bytes are read and written. */
static ssize_t try_sendfile(struct nidoi_io *io, void *call)
{
    struct file_transfer *file = call;
    ssize_t n = nidoi_io_check_fd(&file->source);

    if (n) return n;
    file->copied =
        file->copied || !(nidoi_io_owned(io) || io_is_file(io) || !nidoi_sys.blocks(io->fd));
    if (file->copied) return file_copy_piece(io, file);
    n = nidoi_file_job_of_two(io, &file->source, file_send_piece, file);
    if (n != -EINVAL && n != -ENOSYS) return n;
    file->copied = true;
    return file_copy_piece(io, file);
}

static void advance_file(void *call, size_t n)
{
    ((struct file_transfer *)call)->len -= n;
}

int nido_sendfile(int out, int in, int64_t offset, size_t len, size_t *done)
{
    struct file_transfer call = {.out = out, .in = in, .offset = offset, .len = len};
    struct nidoi_io_transfer transfer = {try_sendfile, advance_file, &call, len, 0};
    uint64_t since = nidoi_io_renewals();
    int err = nidoi_io_begin(&call.source, in, NIDOI_READING, false);

    if (!err && nidoi_reactor_renewed(&call.source.loop->reactor, out, since)) err = -EBADF;
    if (!err) return io_transfer(out, NIDOI_WRITING, &transfer, done);
    if (done) *done = 0;
    return err;
}

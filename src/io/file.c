/* SPDX-License-Identifier: MIT */
#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "coro/scope/error.h"
#include "coro/scope/park.h"
#include "nido/fd.h"
#include "nido/file.h"
#include "nido/scope.h"
#include "nido/time.h"
#include "pool/offload.h"

/* ---- Jobs on descriptors ---- */

static void fd_lend(struct nidoi_io *io)
{
    io->slot->jobs++;
}

static void fd_take_back(struct nidoi_io *io)
{
    struct nidoi_fd *slot = io->slot;

    if (--slot->jobs || !slot->closing) return;
    nidoi_reactor_closing(&io->loop->reactor, slot, false);
    nidoi_sys.close(io->fd);
}

ssize_t nidoi_file_job(struct nidoi_io *io, nido_job_fn *fn, void *arg)
{
    nido_offload_options options;
    bool ran = false;
    ssize_t result;

    nido_offload_options_init(&options);
    options.ran = &ran;
    fd_lend(io);
    result = nido_offload_with(fn, arg, &options);
    fd_take_back(io);
    io->final |= !ran;
    return result;
}

ssize_t nidoi_file_job_in_passing(struct nidoi_io *io, nido_job_fn *fn, void *arg, bool *ran)
{
    ssize_t result;

    fd_lend(io);
    result = nidoi_offload_no_wait(fn, arg, ran);
    fd_take_back(io);
    return result;
}

ssize_t nidoi_file_job_of_two(struct nidoi_io *io, struct nidoi_io *other, nido_job_fn *fn,
                              void *arg)
{
    ssize_t result;

    fd_lend(other);
    result = nidoi_file_job(io, fn, arg);
    fd_take_back(other);
    return result;
}

/* Any number of these may run at the same time: they do not mark a direction as busy. */
NIDOI_IN_CALLER int file_begin(struct nidoi_io *io, int fd)
{
    return nidoi_io_begin(io, fd, NIDOI_READING, false);
}

enum { QUICK = 256 << 10 }; /* bytes that are copied in some 50 us */

struct file_vector {
    int fd;
    const struct iovec *iov;
    int n;
    int64_t offset;
    size_t len;
    struct iovec part;
};

/* The call moves one piece at most: its first vectors, or a part of the first. */
static void vector_limit(struct file_vector *call)
{
    const struct iovec *next = call->iov, *end = next + call->n;

    while (next < end && next->iov_len <= NIDOI_FILE_PIECE - call->len)
        call->len += next++->iov_len;
    call->n = (int)(next - call->iov);
    if (call->len || next == end) return;
    call->part = (struct iovec){next->iov_base, NIDOI_FILE_PIECE};
    call->len = NIDOI_FILE_PIECE;
    call->iov = &call->part;
    call->n = 1;
}

static ssize_t read_vector(void *arg)
{
    const struct file_vector *call = arg;

    return nidoi_sys.preadv(call->fd, call->iov, call->n, call->offset);
}

static ssize_t write_vector(void *arg)
{
    const struct file_vector *call = arg;

    return nidoi_sys.pwritev(call->fd, call->iov, call->n, call->offset);
}

ssize_t nidoi_file_read(struct nidoi_io *io, const struct iovec *iov, int n, int64_t offset)
{
    struct file_vector call = {.fd = io->fd, .iov = iov, .n = n, .offset = offset};
    ssize_t got = -EAGAIN;

    io->final = true; /* no kernel reports a file */
    vector_limit(&call);
    if (call.len <= QUICK) got = nidoi_sys.preadv_now(io->fd, call.iov, call.n, offset);
    nidoi_io_charge_bytes(io, got);
    return got == -EAGAIN || got == -EOPNOTSUPP ? nidoi_file_job(io, read_vector, &call) : got;
}

ssize_t nidoi_file_write(struct nidoi_io *io, const struct iovec *iov, int n, int64_t offset)
{
    struct file_vector call = {.fd = io->fd, .iov = iov, .n = n, .offset = offset};

    io->final = true;
    vector_limit(&call);
    return nidoi_file_job(io, write_vector, &call);
}

ssize_t nido_pread(int fd, void *buf, size_t len, int64_t offset)
{
    struct iovec iov = {buf, len};
    struct nidoi_io io;
    int err = file_begin(&io, fd);

    if (err) return err;
    return offset < 0 ? -EINVAL : nidoi_file_read(&io, &iov, 1, offset);
}

ssize_t nido_pwrite(int fd, const void *buf, size_t len, int64_t offset)
{
    struct iovec iov = {(void *)(intptr_t)buf, len};
    struct nidoi_io io;
    int err = file_begin(&io, fd);

    if (err) return err;
    return offset < 0 ? -EINVAL : nidoi_file_write(&io, &iov, 1, offset);
}

struct file_query {
    int fd;
    const char *path;
    struct stat *out;
};

static ssize_t sync_all(void *arg)
{
    return nidoi_sys.fsync(((const struct file_query *)arg)->fd);
}

static ssize_t sync_data(void *arg)
{
    return nidoi_sys.fdatasync(((const struct file_query *)arg)->fd);
}

static ssize_t stat_fd(void *arg)
{
    const struct file_query *call = arg;

    return nidoi_sys.fstat(call->fd, call->out);
}

NIDOI_IN_CALLER int file_query_fd(int fd, nido_job_fn *fn, struct stat *out)
{
    struct file_query call = {.fd = fd, .out = out};
    struct nidoi_io io;
    int err = file_begin(&io, fd);

    return err ? err : (int)nidoi_file_job(&io, fn, &call);
}

int nido_fsync(int fd)
{
    return file_query_fd(fd, sync_all, NULL);
}

int nido_fdatasync(int fd)
{
    return file_query_fd(fd, sync_data, NULL);
}

int nido_fstat(int fd, struct stat *out)
{
    return file_query_fd(fd, stat_fd, out);
}

/* ---- Names ---- */

int nidoi_file_name_failed(int rc, const char *call, const char *path, void *place)
{
    if (rc >= 0 || rc == -ECANCELED || !nidoi_sched_self) return rc;
    if (!nidoi_on_task(nidoi_sched_self)) return rc;
    return nidoi_fail(nidoi_sched_self->current, place, rc, "%s %s", call, path ? path : "(null)");
}

static ssize_t stat_path(void *arg)
{
    const struct file_query *call = arg;

    return nidoi_sys.stat(call->path, call->out);
}

static ssize_t lstat_path(void *arg)
{
    const struct file_query *call = arg;

    return nidoi_sys.lstat(call->path, call->out);
}

int nido_stat(const char *path, struct stat *out)
{
    struct file_query call = {.path = path, .out = out};

    nidoi_check_frames();
    return nidoi_file_name_failed((int)nido_offload(stat_path, &call), "stat", path,
                                  __builtin_return_address(0));
}

int nido_lstat(const char *path, struct stat *out)
{
    struct file_query call = {.path = path, .out = out};

    nidoi_check_frames();
    return nidoi_file_name_failed((int)nido_offload(lstat_path, &call), "lstat", path,
                                  __builtin_return_address(0));
}

struct file_open {
    const char *path;
    int flags;
    unsigned mode;
};

static ssize_t open_path(void *arg)
{
    const struct file_open *call = arg;

    return nidoi_sys.open(call->path, call->flags | O_NONBLOCK, call->mode);
}

int nido_open(const char *path, int flags, unsigned mode)
{
    struct file_open call = {path, flags, mode};
    int fd;

    nidoi_check_frames();
    fd = (int)nido_offload(open_path, &call);
    if (fd >= 0) nidoi_fd_adopt(nidoi_loop_self(), fd, -1);
    return nidoi_file_name_failed(fd, "open", path, __builtin_return_address(0));
}

static ssize_t close_fd(void *arg)
{
    return nidoi_sys.close(*(const int *)arg);
}

/* Cancels do not end it. Without a worker the loop's thread closes. */
static int close_on_worker(int fd)
{
    nido_offload_options options;
    nido_scope shield;
    bool ran = false;
    int rc;

    nido_offload_options_init(&options);
    options.ran = &ran;
    nido_shield_open(&shield, NIDO_NEVER);
    rc = (int)nido_offload_with(close_fd, &fd, &options);
    nido_scope_close(&shield, 0);
    return ran ? rc : nidoi_sys.close(fd);
}

/* Until the worker is done, other calls find the number closed. */
int nido_file_close(int fd)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_fd *slot;
    int rc;

    if (!loop || !nidoi_on_task(&loop->sched)) return -EPERM;
    nidoi_check_frames();
    slot = nidoi_reactor_find(&loop->reactor, fd);
    if (!slot || !(slot->flags & NIDOI_FD_FILE)) nidoi_sys.end_linger(fd);
    if (!slot) return close_on_worker(fd); /* unknown to this runtime: no slot to mark */
    if (slot->jobs || slot->closing) return nido_close(fd);
    nido_fd_forget(fd);
    nidoi_reactor_closing(&loop->reactor, slot, true);
    rc = close_on_worker(fd);
    if (slot->closing) nidoi_reactor_closing(&loop->reactor, slot, false);
    return rc;
}

/* SPDX-License-Identifier: MIT */
#include "io/foreign.h"

#include <errno.h>

#include "base/sys.h"
#include "io/file.h"
#include "nido/error.h"
#include "nido/time.h"

static NIDOI_RARE ssize_t foreign_refuse_try(struct nidoi_io *io)
{
    io->final = true;
    return nido_fail(-EOPNOTSUPP,
                     "descriptor %d blocks and is not nido's: only a worker can try a call on it",
                     io->fd);
}

/* ---- On a worker that is interrupted at once ---- */

/* If another process has taken the bytes first, the call on the worker waits and is interrupted,
 * which counts as a refusal. So does, after a pause, that there is no worker. */
static ssize_t foreign_by_worker(struct nidoi_io *io, nido_job_fn *fn, void *arg)
{
    bool ran = false;
    ssize_t n;

    if (io->once) return foreign_refuse_try(io);
    n = nidoi_file_job_in_passing(io, fn, arg, &ran);
    if (ran) return n == -EINTR ? -EAGAIN : n;
    if (n == -EBUSY)
        return nido_fail(-EBUSY,
                         "descriptor %d blocks and is not nido's: a call on it can only be "
                         "interrupted by SIGURG, which the program handles itself",
                         io->fd);
    if (n != -EAGAIN) return n;
    n = nido_sleep(NIDO_MS(5));
    return n ? n : -EAGAIN;
}

/* ---- Bytes ---- */

struct foreign_move {
    int fd;
    bool writing;
    const struct iovec *iov;
    int n;
};

static ssize_t move_plain(int fd, const struct foreign_move *move)
{
    if (move->writing) return nidoi_sys.writev(fd, move->iov, move->n);
    return nidoi_sys.readv(fd, move->iov, move->n);
}

static ssize_t move_without_waiting(const struct foreign_move *move)
{
    if (move->writing) return nidoi_sys.pwritev_now(move->fd, move->iov, move->n);
    return nidoi_sys.preadv_now(move->fd, move->iov, move->n, NIDOI_FILE_POSITION);
}

static ssize_t move_until_signal(void *arg)
{
    const struct foreign_move *move = arg;

    if (move->writing) return nidoi_sys.writev_once(move->fd, move->iov, move->n);
    return nidoi_sys.readv_once(move->fd, move->iov, move->n);
}

static ssize_t move_by_own_description(struct nidoi_io *io, struct foreign_move *move)
{
    int own = nidoi_sys.reopen(io->fd, move->writing);
    ssize_t n;

    if (own == -ENXIO && move->writing) return -EPIPE; /* a pipe without readers */
    if (own < 0) return foreign_by_worker(io, move_until_signal, move);
    n = move_plain(own, move);
    nidoi_sys.close(own);
    return n;
}

ssize_t nidoi_foreign_move(struct nidoi_io *io, const struct iovec *iov, int n)
{
    struct foreign_move move = {io->fd, io->direction == NIDOI_WRITING, iov, n};
    ssize_t moved = move_without_waiting(&move);
    int err;

    if (moved != -EOPNOTSUPP) return moved;
    err = nidoi_io_poll(io);
    if (err) return err;
    return nidoi_sys.blocks(io->fd) ? move_by_own_description(io, &move)
                                    : move_plain(io->fd, &move);
}

/* ---- Connections ---- */

struct acceptance {
    int fd;
    struct sockaddr *address;
    socklen_t *length;
};

static ssize_t accept_one(void *arg)
{
    const struct acceptance *call = arg;

    return nidoi_sys.accept_once(call->fd, call->address, call->length);
}

ssize_t nidoi_foreign_accept(struct nidoi_io *io, struct sockaddr *address, socklen_t *length)
{
    struct acceptance call = {io->fd, address, length};
    int err;

    if (!nidoi_sys.blocks(io->fd)) return nidoi_sys.accept(io->fd, address, length);
    if (io->once) return foreign_refuse_try(io);
    err = nidoi_io_poll(io);
    return err ? err : foreign_by_worker(io, accept_one, &call);
}

/* SPDX-License-Identifier: MIT */
/* io/fd.h: the steps of every call on a descriptor: enter, try, park until the reactor reports the
 * descriptor, try again.
 *
 * 1. The system call is tried first, unless an edge is remembered to be used up; a call that was
 * woken by readiness makes its system call even if its scope has been cancelled meanwhile.
 * 2. A call belongs to the files that its numbers had when it was made. After every sleep within
 * it, of which the yield at its entry is the first, each number is checked: one that was renewed
 * may belong to another file, and no system call is made.
 * 3. An exclusive call (bytes of a stream) marks its direction as busy until it ends; a second one
 * returns -EBUSY and has no effect. Shared calls (accept, datagrams) queue behind those that wait
 * already and those that were woken and have not run yet; each that succeeds wakes the next.
 * 4. Foreign descriptors are never changed and never block: sockets are used with MSG_DONTWAIT,
 * others are asked by poll(2) before each try. */
#ifndef NIDOI_FD_H
#define NIDOI_FD_H

#include <sys/types.h>

#include "coro/scope/park.h"
#include "reactor/edge.h"

struct nidoi_io {
    struct nidoi_loop *loop;
    struct nidoi_fd *slot;
    int fd;
    enum nidoi_direction direction;
    uint64_t since;  /* the count of renewals when the number was known to be this call's */
    uint64_t ticket; /* its place among those that wait */
    uint32_t seen;   /* reports before the current attempt */
    bool exclusive;
    bool refused; /* an attempt was refused, and the call has waited */
    bool final; /* what the attempt returned is the result: no report of the descriptor will help */
    bool once;  /* one attempt on this thread: it must not park */
};

/* The entry of a call that goes to the kernel: nidoi_enter, and the clock is read if there is a
 * deadline. */
int nidoi_io_enter_from(struct nidoi_loop **out, const char *frame);
NIDOI_IN_CALLER int nidoi_io_enter(struct nidoi_loop **out)
{
    return nidoi_io_enter_from(out, nidoi_frame_end());
}

/* Enters a call, which may yield. 0; -ECANCELED, -EBUSY, -EBADF, -ENOMEM, -EPERM, -EDEADLK, and
 * then nidoi_io_end is not called. */
int nidoi_io_begin_from(struct nidoi_io *io, int fd, enum nidoi_direction direction, bool exclusive,
                        const char *frame);
NIDOI_IN_CALLER int nidoi_io_begin(struct nidoi_io *io, int fd, enum nidoi_direction direction,
                                   bool exclusive)
{
    return nidoi_io_begin_from(io, fd, direction, exclusive, nidoi_frame_end());
}
/* The same within a call that has entered already; does not yield. */
int nidoi_io_begin_within(struct nidoi_io *io, struct nidoi_loop *loop, int fd,
                          enum nidoi_direction direction, bool exclusive);
void nidoi_io_end(struct nidoi_io *io);

/* How many numbers have got a new file so far: noted before a call is entered. */
static inline uint64_t nidoi_io_renewals(void)
{
    return nidoi_sched_self ? nidoi_loop_self()->reactor.renewals : 0;
}

/* After a sleep: 0, or -EBADF: the number may belong to another file. */
static inline int nidoi_io_check_fd(const struct nidoi_io *io)
{
    return io->slot->renewed > io->since ? -EBADF : 0;
}

/* Parks until a try may succeed. 0; -ECANCELED, -EBADF, -ENOMEM, -ENOSPC. */
int nidoi_io_wait(struct nidoi_io *io);

/* The same after an attempt that was refused; returns at once if a report came during it. */
int nidoi_io_wait_refused(struct nidoi_io *io);

/* Must the call wait behind others? */
bool nidoi_io_must_queue(const struct nidoi_io *io);

/* Asks poll(2) about the descriptor. 0: a try will not block; -EAGAIN: it would; -EBADF. */
int nidoi_io_poll(const struct nidoi_io *io);

/* The kind (NIDOI_FD_ bits) of a stream socket of this address family. */
int nidoi_fd_stream(int fd, int family);

/* Is a foreign descriptor that is no socket one of a file (or block device, or directory)? */
bool nidoi_fd_is_file(int fd);

/* Makes a descriptor that nido opened an owned one; `kind` < 0: the kernel is asked for it. If that
 * fails, the descriptor stays a foreign one. */
void nidoi_fd_adopt(struct nidoi_loop *loop, int fd, int kind);

static inline bool nidoi_io_owned(const struct nidoi_io *io)
{
    return io->slot->flags & NIDOI_FD_OWNED;
}

/* Makes one system call without blocking; -EAGAIN: not now, unless io->final is set. */
typedef ssize_t nidoi_attempt(struct nidoi_io *io, void *call);

static inline ssize_t nidoi_io_perform(struct nidoi_io *io, nidoi_attempt *attempt, void *call)
{
    bool must_queue = !io->exclusive && nidoi_io_must_queue(io);

    for (;; must_queue = false) {
        int err;

        if (must_queue || (nidoi_io_owned(io) && !nidoi_edge_may_try(io->slot, io->direction))) {
            err = nidoi_io_wait(io);
        } else {
            ssize_t n;

            io->seen = nidoi_edge_count(io->slot, io->direction);
            n = attempt(io, call);
            if (n != -EAGAIN || io->final) return n;
            err = nidoi_io_wait_refused(io);
        }
        if (err) return err;
    }
}

/* A transfer of exactly `len` bytes in as many attempts as it takes. Each is charged and looks at
 * the scope, like a call of its own. */
struct nidoi_io_transfer {
    nidoi_attempt *attempt;
    void (*advance)(void *call, size_t n);
    void *call;
    size_t len;
    size_t done;
};

/* 0; -EPIPE: an attempt moved nothing; or the error that ended it. transfer->done is exact. */
int nidoi_io_all_from(int fd, enum nidoi_direction direction, struct nidoi_io_transfer *transfer,
                      const char *frame);
NIDOI_IN_CALLER int nidoi_io_all(int fd, enum nidoi_direction direction,
                                 struct nidoi_io_transfer *transfer)
{
    return nidoi_io_all_from(fd, direction, transfer, nidoi_frame_end());
}

/* How much one charge allows a call to copy: a call that has moved n bytes is charged n / so many
 * times more. If n < 0 it is not charged, and `io` may not have begun. */
enum { NIDOI_BYTES_A_CALL = 16 << 10 };
void nidoi_io_charge_bytes(struct nidoi_io *io, ssize_t n);

/* Begin, perform, end. */
NIDOI_IN_CALLER ssize_t nidoi_io_run(struct nidoi_io *io, int fd, enum nidoi_direction direction,
                                     bool exclusive, nidoi_attempt *attempt, void *call)
{
    ssize_t n = nidoi_io_begin(io, fd, direction, exclusive);

    if (n) return n;
    n = nidoi_io_perform(io, attempt, call);
    nidoi_io_end(io);
    return n;
}

/* One whole call. */
NIDOI_IN_CALLER ssize_t nidoi_io_once(int fd, enum nidoi_direction direction, bool exclusive,
                                      nidoi_attempt *attempt, void *call)
{
    struct nidoi_io io;

    return nidoi_io_run(&io, fd, direction, exclusive, attempt, call);
}

/* The same, and its bytes are charged. */
ssize_t nidoi_io_bulk(int fd, enum nidoi_direction direction, bool exclusive,
                      nidoi_attempt *attempt, void *call);

/* One attempt, whatever the scope says: it never parks, and lets no other task run. -EAGAIN: it would
 * have to wait, or others do; -EBUSY, -EBADF, -ENOMEM, -EPERM. */
ssize_t nidoi_io_try(int fd, enum nidoi_direction direction, bool exclusive, nidoi_attempt *attempt,
                     void *call);

#endif

/* SPDX-License-Identifier: MIT */
/* nido/fd.h: reading, writing and waiting on file descriptors.
 *
 * Owned descriptors are those that nido made (nido_dial, nido_listen, nido_accept, nido_socket,
 * nido_pipe) or was given by nido_fd_own: they are non-blocking, registered with the kernel once,
 * and closed by nido_close only. All others are foreign: nido does not change their flags, they
 * never block the loop, even if other processes share them (nido_accept of a blocking one uses a
 * worker), and other code may close and reuse them without telling nido. Each wait on a foreign
 * descriptor costs one more system call.
 *
 * One reader and one writer at a time on a stream: a second one gets -EBUSY before anything is
 * moved, and nido_error_last() names the first one where it waits. nido_accept, nido_recvfrom and nido_wait_fd allow any number, served in order of arrival.
 * nido_close wakes every waiter with -EBADF. A call that was woken because the descriptor is ready
 * makes its system call even if its scope is cancelled meanwhile, so that nothing that has arrived
 * is lost. SIGPIPE is never raised.
 *
 * Where an error list ends in "or the system call's own", the negated errno of the system call is
 * returned; never -EINTR, and -EAGAIN only where a file needs a worker and none can be started. */
#ifndef NIDO_FD_H
#define NIDO_FD_H

#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads up to `len` bytes: as many as are there, at least one. Cancellation point. Bytes read, 0 at
 * the end (and for len 0); -ECANCELED: nothing was read; -EBUSY: another reader; -EBADF: closed,
 * also meanwhile; -ENOMEM; or the system call's own. */
NIDO_API ssize_t nido_read(int fd, void *buf, size_t len);
/* See nido_read; of more than IOV_MAX parts the first. Cancellation point. -EINVAL: n < 0. */
NIDO_API ssize_t nido_readv(int fd, const struct iovec *iov, int n);

/* Writes up to `len` bytes, at least one. Cancellation point. Bytes written; -ECANCELED: none was;
 * -EBUSY: another writer; -EPIPE: the other end reads no more; -EBADF; -ENOMEM; or the system
 * call's own. */
NIDO_API ssize_t nido_write(int fd, const void *buf, size_t len);
/* See nido_write; of more than IOV_MAX parts the first. Cancellation point. -EINVAL: n < 0. */
NIDO_API ssize_t nido_writev(int fd, const struct iovec *iov, int n);

/* Reads exactly `len` bytes. Cancellation point at every wait. 0; -EPIPE: the end came before all
 * bytes did; otherwise as nido_read. *done (may be NULL) is the exact number of bytes in buf in
 * every case, also on cancel. */
NIDO_API int nido_read_full(int fd, void *buf, size_t len, size_t *done);

/* Writes all `len` bytes. Cancellation point at every wait. 0, or as nido_write (-EPIPE,
 * -ECANCELED, ...); *done (may be NULL) is exact in every case. */
NIDO_API int nido_write_all(int fd, const void *buf, size_t len, size_t *done);

/* One try of nido_read, whatever the scope says: it never waits and lets no other task run, also in a
 * scope that is cancelled, and in a function that must not park. Not a cancellation point. As
 * nido_read, but not -ECANCELED; -EAGAIN: it would have to wait; -EBUSY: another reader waits;
 * -EOPNOTSUPP: a regular file, or a descriptor that blocks, is not nido's, and could only be tried
 * by a worker; -EPERM: no runtime. */
NIDO_API ssize_t nido_try_read(int fd, void *buf, size_t len);
/* See nido_try_read: one try of nido_write. Not a cancellation point. Bytes written; -EAGAIN: none
 * could be; -EBUSY: another writer waits; -EPIPE; -EOPNOTSUPP, -EPERM. */
NIDO_API ssize_t nido_try_write(int fd, const void *buf, size_t len);

/* Sends `len` bytes of the file `in`, from `offset` on, to `out`, in the kernel where it can, else
 * by reads and writes. Cancellation point. 0; -EPIPE: the file ended first, or the other end reads
 * no more; otherwise as nido_write; *done (may be NULL) is exact in every case. `in` is a regular
 * file, read by a worker (nido/file.h). */
NIDO_API int nido_sendfile(int out, int in, int64_t offset, size_t len, size_t *done);

enum nido_fd_events { NIDO_IN = 1, NIDO_OUT = 2 };

/* Waits until the descriptor can be read (NIDO_IN) or written (NIDO_OUT) or is broken, for
 * libraries that do their own I/O. Cancellation point. The set that is ready (an error or hang-up
 * counts as all that was asked for); -ECANCELED; -EINVAL: no or unknown events; -EBADF; -ENOMEM. */
NIDO_API int nido_wait_fd(int fd, unsigned events);

/* poll(2) without a timeout: waits until at least one entry has `revents`. Entries without events
 * wait for an error or a hang-up. Cancellation point. The number of such entries; -ECANCELED;
 * -EINVAL: n is 0; -EBADF: one was closed by nido_close meanwhile; -ENOMEM. */
NIDO_API int nido_poll(struct pollfd *fds, nfds_t n);

/* Wakes all waiters of the descriptor with -EBADF, then closes it. It does not wait as SO_LINGER
 * says: the linger time of the socket is set to none first, also for other holders of the socket.
 * Not a cancellation point. On a thread with a runtime it closes for the tasks of that runtime. On
 * a thread without one, every runtime of the process gives the descriptor up in its next turn, and
 * the last one closes it: before that the number is not free. 0; -EBADF: it was not open; -ENOMEM:
 * on a thread without a runtime, and nothing was done. */
NIDO_API int nido_close(int fd);

/* Makes a descriptor owned: O_NONBLOCK is set, it is registered once, only nido_close may close it
 * from now on. Call it again for a TCP socket that got TCP_ULP (kTLS) or SO_RCVLOWAT after it was
 * owned, for reads of such sockets may be short although more bytes are there. Not a cancellation
 * point. 0, also if it is owned already; or an error, and nothing has changed and it is still the
 * caller's: -EBADF; -EPERM: no runtime; -ENOMEM, -ENOSPC: the kernel's limit of watches. -EINVAL:
 * it cannot be watched (a regular file). */
NIDO_API int nido_fd_own(int fd);

/* The opposite: wakes all waiters with -EBADF and gives the descriptor up. It stays open and
 * non-blocking, for another library to use and close. Cannot fail. Not a cancellation point. */
NIDO_API void nido_fd_forget(int fd);

/* A pipe, both ends owned and close-on-exec: out[0] reads, out[1] writes. Not a cancellation point.
 * 0, or -EMFILE, -ENFILE, -ENOMEM, -EPERM. */
NIDO_API int nido_pipe(int out[2]);

#ifdef __cplusplus
}
#endif

#endif

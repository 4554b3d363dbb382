/* SPDX-License-Identifier: MIT */
/* io/foreign.h: calls on descriptors that other processes may use and whose flags nido does not
 * change: none blocks the loop.
 *
 * poll(2) says that a call would not wait, but another process may make its call first, and poll
 * promises room for some bytes only. So each call is made in the first of these ways that applies:
 *
 * 1. with a flag of its own that forbids waiting: sockets, and where the kernel knows RWF_NOWAIT
 * (pipes, many devices);
 * 2. as it is, on a descriptor that does not block by itself;
 * 3. by an open file description of our own, for the instant of the call: terminals, and pipes of
 * older kernels;
 * 4. on a worker that is interrupted at once: listeners, and all the rest. */
#ifndef NIDOI_FOREIGN_H
#define NIDOI_FOREIGN_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "io/fd.h"

/* Moves bytes in the direction of `io`, which is no socket and no file. As a nidoi_attempt. */
ssize_t nidoi_foreign_move(struct nidoi_io *io, const struct iovec *iov, int n);

/* Accepts from a listener. As a nidoi_attempt. */
ssize_t nidoi_foreign_accept(struct nidoi_io *io, struct sockaddr *address, socklen_t *length);

#endif

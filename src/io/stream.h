/* SPDX-License-Identifier: MIT */
/* io/stream.h: single attempts to move the bytes of a stream (struct nidoi_io), for the calls of
 * floors above that buffer them. */
#ifndef NIDOI_IO_STREAM_H
#define NIDOI_IO_STREAM_H

#include <sys/uio.h>

#include "io/fd.h"

/* What an attempt of nido_read makes of `len` > 0 bytes, and one of nido_writev of n > 0 parts. */
ssize_t nidoi_io_try_read(struct nidoi_io *io, void *buf, size_t len);
ssize_t nidoi_io_try_writev(struct nidoi_io *io, const struct iovec *iov, int n);

#endif

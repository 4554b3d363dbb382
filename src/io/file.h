/* SPDX-License-Identifier: MIT */
/* io/file.h: descriptors of files, which no kernel reports ready: their calls go to workers.
 *
 * 1. While a job uses a number, nido_close leaves it open and the end of the last job closes it, so
 * no job finds another file under its number.
 * 2. What the page cache has is read on the loop's thread, by a read that does not wait, if it is
 * little.
 * 3. A call moves one piece at most, so that a cancel takes effect soon; the caller asks again for
 * more. */
#ifndef NIDOI_FILE_H
#define NIDOI_FILE_H

#include <sys/uio.h>

#include "io/fd.h"
#include "nido/offload.h"

/* Most bytes of one system call on a worker, which no cancel interrupts. */
enum { NIDOI_FILE_PIECE = 4 << 20 };

static inline size_t nidoi_file_piece(size_t len)
{
    return len < NIDOI_FILE_PIECE ? len : NIDOI_FILE_PIECE;
}

/* Runs a job that uses the call's descriptor. */
ssize_t nidoi_file_job(struct nidoi_io *io, nido_job_fn *fn, void *arg);
/* The same for one that uses two. */
ssize_t nidoi_file_job_of_two(struct nidoi_io *io, struct nidoi_io *other, nido_job_fn *fn,
                              void *arg);

/* A job of a single system call, which is interrupted if it waits (-EINTR). */
ssize_t nidoi_file_job_in_passing(struct nidoi_io *io, nido_job_fn *fn, void *arg, bool *ran);

enum { NIDOI_FILE_POSITION = -1 }; /* as an offset: the current position of the file */
ssize_t nidoi_file_read(struct nidoi_io *io, const struct iovec *iov, int n, int64_t offset);
ssize_t nidoi_file_write(struct nidoi_io *io, const struct iovec *iov, int n, int64_t offset);

/* What came of a call that names a file: a failure gets the text "CALL PATH", failed at `place`. Returns rc. */
int nidoi_file_name_failed(int rc, const char *call, const char *path, void *place);

#endif

/* SPDX-License-Identifier: MIT */
/* nido/stream.h: buffered streams, over a descriptor or over functions of the caller.
 *
 *     nido_stream client;
 *     rc = nido_stream_open(&client, fd, NULL);
 *     while ((rc = nido_stream_wait(&client)) > 0) {           between two requests
 *         char *line;
 *         size_t length;
 *         rc = nido_stream_line(&client, &line, &length);
 *         if (rc > 0) rc = nido_stream_printf(&client, "you said %s\n", line);
 *         if (rc <= 0) break;
 *     }
 *     nido_stream_close(&client);
 *
 * Reading. Bytes that lie in the buffer are given without a system call. Pointers into the buffer
 * (nido_stream_line, _until, _peek) are valid until the next call that reads from the stream. A
 * call that fails or is cancelled has taken no bytes out of the buffer, except those that it has
 * counted (`done`): what has arrived is there for the next call. After the end of the input every
 * reading call finds the end again.
 *
 * Writing. Bytes are collected, and sent when they fill the buffer, by nido_stream_flush, and
 * before the task that wrote them waits for input on the same stream. `done` counts the bytes that
 * the stream has accepted: they have been sent or lie in the buffer, also after a failure or a
 * cancel; the rest is the caller's. nido_stream_unsent tells how many lie there.
 *
 * Failures. -ECANCELED, -ETIMEDOUT of a limit, -EMSGSIZE, -EBUSY, -ENOMEM and -EAGAIN leave the
 * stream as it was, and the call may be repeated. Every other failure of the transport is kept for
 * its direction: later calls in that direction return it again, but bytes that came before a
 * failure of the input are given first. Failures of the limits have a text (nido_error_last).
 *
 * One task at a time reads and one writes, as on a descriptor; a second one gets -EBUSY. A stream
 * belongs to the thread of the runtime in which it was opened: elsewhere every call is -EXDEV, or
 * -EPERM without a runtime, and changes nothing; nido_stream_fd, _unsent and _stopping are called on
 * that thread only. Every call on a stream that is not open returns -EBADF. -EBUSY and -EINVAL have
 * a text. These are not repeated below. */
#ifndef NIDO_STREAM_H
#define NIDO_STREAM_H

#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A transport of the caller's. Each function may park; in a cancelled scope it returns -ECANCELED,
 * and then it has moved nothing. All return negated errnos. The struct outlives the streams over
 * it. */
typedef struct nido_stream_ops {
    size_t size; /* sizeof(nido_stream_ops) */
    /* Up to `len` bytes (at least 1) into buf, as soon as there are any. So many; 0: the end. */
    ssize_t (*read)(void *ctx, void *buf, size_t len);
    /* At least one of `len` bytes (at least 1). So many. */
    ssize_t (*write)(void *ctx, const void *buf, size_t len);
    /* No more is written. 0. NULL: nido_stream_shutdown returns -EOPNOTSUPP. */
    int (*shut_down)(void *ctx);
    /* Releases the transport, also if it returns an error. No cancellation point. 0. May be NULL. */
    int (*close)(void *ctx);
    /* Returns when read() would not wait: 0. NULL: an idle stream reads, and so keeps its buffer.
     */
    int (*wait)(void *ctx);
    /* Sends what write() has taken and not sent yet. 0. NULL: write() keeps nothing. */
    int (*flush)(void *ctx);
    /* Has anything arrived: would read() return at once? Must not park. 1; 0; or a failure. NULL: a
     * stop (nido_stream_stop) does not find what has arrived and was not read. */
    int (*ready)(void *ctx);
    /* close() comes next, and bytes of the caller's were dropped: it must not end the output as if
     * that were all. Must not park. May be NULL. */
    void (*abandon)(void *ctx);
} nido_stream_ops;

typedef struct nido_stream_options {
    size_t size;        /* sizeof(nido_stream_options); nido_stream_options_init sets it */
    const char *name;   /* for texts of failures: a string that outlives the stream, or NULL */
    size_t buffer_size; /* of each direction, bytes; 0: 16 KiB */
    size_t longest;     /* most bytes of a line with its end, of nido_stream_until and
                           nido_stream_peek; 0: 64 KiB */
    int64_t idle_ns;    /* longest nido_stream_wait; 0: no limit */
    int64_t read_ns;    /* longest wait for the next bytes in every other call; 0: no limit */
    int64_t write_ns;   /* longest wait until the peer takes some bytes; 0: no limit */
    bool keep_open;     /* nido_stream_close leaves the descriptor or the transport open */
} nido_stream_options;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_stream_options_init(nido_stream_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_STREAM_OPTIONS(.field = value). In C. */
#define NIDO_STREAM_OPTIONS(...) NIDOI_SIZED(nido_stream_options, __VA_ARGS__)

/* Caller's memory; fields are private. It must stay at its address while it is open. All zeros is a
 * stream that is not open. */
typedef struct nido_stream {
    const nido_stream_ops *ops; /* NULL: a descriptor */
    void *ctx;
    const char *name;
    char *in;
    char *out;
    size_t in_at, in_end, in_room;
    size_t out_at, out_end, out_room;
    size_t buffer_size;
    size_t longest;
    int64_t idle_ns, read_ns, write_ns;
    uint64_t thread;
    uint64_t writer;            /* id of the task that wrote last */
    struct nido_scope *waiting; /* of nido_stream_wait */
    int fd;
    int in_failure, out_failure; /* what ended a direction, or 0 */
    uint32_t flags;
    const void *reader, *sender; /* the tasks that use a direction now */
    uint64_t spare[6];
} nido_stream;

/* Opens a stream over a descriptor, which is closed with it. `fd` < 0 (the failure of nido_dial,
 * say) is returned as it is. Options may be NULL. Nothing is allocated before the first bytes. Not
 * a cancellation point. 0; or an error, and the descriptor is still the caller's: -EINVAL: a bad
 * option; -EPERM: no runtime. */
NIDO_API int nido_stream_open(nido_stream *stream, int fd, const nido_stream_options *options);

/* The same over a transport: ops->read and ops->write are called with ctx. Not a cancellation
 * point. 0; -EINVAL: a bad option, or read or write is missing; -EPERM: no runtime. */
NIDO_API int nido_stream_open_ops(nido_stream *stream, const nido_stream_ops *ops, void *ctx,
                                  const nido_stream_options *options);

/* Closes the stream and what it is over. Bytes that were not flushed are dropped. Not a
 * cancellation point; also after the run, on its thread. 0; -ENOTEMPTY: it is closed, and bytes were dropped; -EBUSY: a task reads or
 * writes, and nothing is done; or the close's own, and it is closed. */
NIDO_API int nido_stream_close(nido_stream *stream);

/* The descriptor of the stream, which remains the stream's: for getpeername(2) and the like. Not a
 * cancellation point. The descriptor; -EOPNOTSUPP: it is over functions. */
NIDO_API int nido_stream_fd(const nido_stream *stream);

/* ---- Reading ---- */

/* Waits, between two requests, until there is something to read. While it waits the stream has no
 * buffers, if nothing is left in them. Cancellation point. 1; 0: the end, or a stop was asked for
 * (nido_stream_stop) and nothing has arrived; -ETIMEDOUT: longer than idle_ns; -ECANCELED; -ENOMEM;
 * or as nido_read and nido_write. */
NIDO_API int nido_stream_wait(nido_stream *stream);

/* The next line: 1, and *out has *length bytes, without the "\n" or "\r\n" that ended it; a 0
 * follows them, and others may be among them. The last line need not have an end. Cancellation
 * point. 1; 0: the end of the input; -EMSGSIZE: longer than the limit (nido_stream_take takes its
 * bytes); -ETIMEDOUT: no bytes for longer than read_ns; -ECANCELED; -ENOMEM; or as nido_read and
 * nido_write. */
NIDO_API int nido_stream_line(nido_stream *stream, char **out, size_t *length);

/* All up to and with the next `n` bytes that equal those at `end`. Cancellation point. 1, *out and
 * *length; 0: the end of the input, and nothing before it; -EPIPE: the end came first, and the
 * bytes before it can still be read; -EINVAL: n is 0; else as nido_stream_line (-EMSGSIZE,
 * -ETIMEDOUT, -ECANCELED, -ENOMEM). */
NIDO_API int nido_stream_until(nido_stream *stream, const void *end, size_t n, char **out,
                               size_t *length);

/* Waits until at least `want` bytes are there and shows all that are, without taking them; want 0
 * does not wait. Cancellation point. Their number, less than `want` only at the end of the input;
 * -EMSGSIZE: want is above the limit; else as nido_stream_line (-ETIMEDOUT, -ECANCELED, -ENOMEM).
 */
NIDO_API ssize_t nido_stream_peek(nido_stream *stream, size_t want, char **out);

/* Takes `n` of the bytes that the buffer has. Not a cancellation point. 0; -EINVAL: there are
 * fewer, and none is taken. */
NIDO_API int nido_stream_take(nido_stream *stream, size_t n);

/* Reads up to `len` bytes, at least one; those of the buffer first. Cancellation point. Bytes read,
 * 0 at the end (and for len 0); else as nido_stream_line (-ETIMEDOUT, -ECANCELED, -ENOMEM). */
NIDO_API ssize_t nido_stream_read(nido_stream *stream, void *buf, size_t len);

/* Reads exactly `len` bytes. Cancellation point at every wait. 0; -EPIPE: the end came first; else
 * as nido_stream_line (-ETIMEDOUT, -ECANCELED, -ENOMEM). *done (may be NULL) is the exact number
 * of bytes in buf in every case. */
NIDO_API int nido_stream_read_full(nido_stream *stream, void *buf, size_t len, size_t *done);

/* ---- Writing ---- */

/* Writes all `len` bytes. Cancellation point. 0; -ETIMEDOUT: the peer took nothing for longer than
 * write_ns; -EPIPE: the other end reads no more, or nido_stream_shutdown was called; -ECANCELED;
 * -ENOMEM; or as nido_write. *done (may be NULL): see above. */
NIDO_API int nido_stream_write(nido_stream *stream, const void *buf, size_t len, size_t *done);

/* The same for `n` parts. Cancellation point. -EINVAL: n < 0; else as nido_stream_write
 * (-ETIMEDOUT, -EPIPE, -ECANCELED, -ENOMEM). */
NIDO_API int nido_stream_writev(nido_stream *stream, const struct iovec *iov, int n, size_t *done);

/* Writes a text: all of it, or nothing if it fails. Cancellation point. Its length; -EINVAL: a bad
 * format; else as nido_stream_write (-ETIMEDOUT, -EPIPE, -ECANCELED, -ENOMEM). */
NIDO_API int nido_stream_printf(nido_stream *stream, const char *format, ...) NIDO_PRINTF(2, 3);

/* Sends what is unsent. Cancellation point. 0, or as nido_stream_write (-ETIMEDOUT, -EPIPE,
 * -ECANCELED). */
NIDO_API int nido_stream_flush(nido_stream *stream);

/* Sends what is unsent and ends the output; the other direction goes on. Cancellation point. 0,
 * also again; -EOPNOTSUPP: the transport cannot; -ENOTSOCK; else as nido_stream_write (-ETIMEDOUT,
 * -EPIPE, -ECANCELED). */
NIDO_API int nido_stream_shutdown(nido_stream *stream);

/* Bytes that were accepted and have not been sent. 0 for a closed stream. Cannot fail. Not a
 * cancellation point. */
NIDO_API size_t nido_stream_unsent(const nido_stream *stream);

/* ---- Copying ---- */

#define NIDO_STREAM_ALL UINT64_MAX

/* Moves `len` bytes (NIDO_STREAM_ALL: all up to the end) from one stream to another and sends them,
 * in the kernel where it can (splice(2)). Cancellation point. 0; -EPIPE: the end came before `len`
 * bytes, or the other end reads no more; -EINVAL: it is one stream; else as nido_stream_line and
 * nido_stream_write (-ETIMEDOUT, -ECANCELED, -ENOMEM). *done (may be NULL) is the exact number of
 * bytes that were taken from the one and accepted by the other; no byte is between them. */
NIDO_API int nido_stream_copy(nido_stream *to, nido_stream *from, uint64_t len, uint64_t *done);

/* Sends `len` bytes of a file from `offset` on, behind what is unsent: in the kernel where it can
 * (sendfile(2)), else by reads. Cancellation point. 0; -EPIPE: the file ended first, or the other
 * end reads no more; -EINVAL: offset < 0; else as nido_pread and nido_stream_write (-EBADF,
 * -ETIMEDOUT, -ECANCELED, -ENOMEM). *done as nido_stream_copy. */
NIDO_API int nido_stream_copy_file(nido_stream *to, int file, int64_t offset, uint64_t len,
                                   uint64_t *done);

/* ---- Ending between two requests ---- */

/* Asks a stream to stop: the nido_stream_wait that waits now, and every later one, does not wait any
 * longer and returns 0 if nothing has arrived, in the buffer or at the descriptor. Other calls do
 * not notice. Not a cancellation point. 0; -EBADF, -EXDEV; -EPERM: the thread has no runtime. */
NIDO_API int nido_stream_stop(nido_stream *stream);

/* True if nido_stream_stop was called: an answer may then say that it is the last. Cannot fail. Not
 * a cancellation point. */
NIDO_API bool nido_stream_stopping(const nido_stream *stream);

#ifdef __cplusplus
}
#endif

#endif

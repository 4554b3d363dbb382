/* SPDX-License-Identifier: MIT */
/* Streams, swept: no byte is lost or doubled between the caller, the buffer and the transport. */
#include <fcntl.h>
#include <unistd.h>

#include "io_help.h"
#undef TOGETHER
#include "sweep_help.h"

/* The books of one run: counted bytes from `out` to `in`. What a call has accepted was written,
 * what it has given was read; each byte says where it stands. */
static struct {
    nido_stream out, in;
    size_t wrote, got;
    char chunk[9000];
} books;

/* A line of 100 bytes: every hundredth byte is an end. */
static char byte_at(size_t position)
{
    return position % 100 == 99 ? '\n' : (char)('a' + position % 23);
}

static char *next_bytes(size_t n)
{
    for (size_t i = 0; i < n; i++) books.chunk[i] = byte_at(books.wrote + i);
    return books.chunk;
}

static void take_in(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) LAW(bytes[i] == byte_at(books.got + i));
    books.got += n;
}

static int books_open(int fds[2])
{
    nido_stream_options options;
    int rc;

    nido_stream_options_init(&options);
    options.buffer_size = 500;
    options.longest = 1000;
    options.idle_ns = options.read_ns = options.write_ns = NIDO_SEC(100);
    books.wrote = books.got = 0;
    books.out = books.in = (nido_stream){0};
    rc = nido_stream_open(&books.out, fds[1], &options);
    return rc ? rc : nido_stream_open(&books.in, fds[0], &options);
}

/* Little room, so that writers wait. */
static int books_connect(int fds[2])
{
    int rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);

    if (rc) return rc;
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    rc = books_open(fds);
    if (!rc) return 0;
    nido_close(fds[0]);
    nido_close(fds[1]);
    return rc;
}

/* What was accepted and not given is in one of the buffers, or in the socket. A failure of either
 * direction may have kept the rest. */
static void books_close(void)
{
    size_t left = nido_stream_unsent(&books.out);
    int fd = nido_stream_fd(&books.in);

    left += books.in.in_end - books.in.in_at;
    if (fd >= 0) left += io_drain(fd);
    LAW(books.wrote == books.got + left || books.in.in_failure || books.out.out_failure);
    nido_stream_close(&books.out);
    nido_stream_close(&books.in);
}

/* ---- Writing ---- */

static int write_all_ways(void)
{
    nido_scope scope;
    size_t done = 0;
    int rc;

    ALONE(scope, rc, nido_stream_write(&books.out, next_bytes(150), 150, &done));
    books.wrote += done;
    rc = unless_struck(rc);
    if (rc) return rc;
    next_bytes(9000);
    struct iovec parts[] = {{books.chunk, 20}, {books.chunk + 20, 8980}};
    ALONE(scope, rc, nido_stream_writev(&books.out, parts, 2, &done));
    books.wrote += done;
    rc = unless_struck(rc);
    if (rc) return rc;
    ALONE(scope, rc, nido_stream_printf(&books.out, "%.*s", 600, next_bytes(600)));
    if (rc > 0) books.wrote += 600;
    rc = unless_struck(rc);
    if (rc < 0) return rc;
    ALONE(scope, rc, nido_stream_flush(&books.out));
    return unless_struck(rc);
}

static int write_lines(void *unused)
{
    nido_scope scope;
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 2 && rc == 0; i++) rc = write_all_ways();
    if (rc == 0) ALONE(scope, rc, nido_stream_shutdown(&books.out));
    if (rc) shutdown(nido_stream_fd(&books.out), SHUT_WR);
    return unless_struck(rc);
}

/* ---- Reading ---- */

static int read_once(int how)
{
    char buf[700], *bytes;
    size_t length = 0, done = 0;
    nido_scope scope;
    int rc;

    switch (how % 5) {
    case 0:
        ALONE(scope, rc, nido_stream_line(&books.in, &bytes, &length));
        if (rc == 1) {
            bytes[length] = byte_at(books.got + length);
            take_in(bytes, length + (byte_at(books.got + length) == '\n'));
        }
        return rc;
    case 1:
        ALONE(scope, rc, nido_stream_until(&books.in, "\n", 1, &bytes, &length));
        if (rc == 1) take_in(bytes, length);
        return rc == -EPIPE ? 1 : rc;
    case 2:
        ALONE(scope, rc, (int)nido_stream_peek(&books.in, 120, &bytes));
        if (rc > 0) take_in(bytes, 60 < rc ? 60 : (size_t)rc);
        if (rc > 0) nido_stream_take(&books.in, 60 < rc ? 60 : (size_t)rc);
        return rc;
    case 3:
        ALONE(scope, rc, (int)nido_stream_read(&books.in, buf, sizeof buf));
        if (rc > 0) take_in(buf, (size_t)rc);
        return rc;
    default:
        ALONE(scope, rc, nido_stream_read_full(&books.in, buf, sizeof buf, &done));
        take_in(buf, done);
        return rc ? rc == -EPIPE ? 0 : rc : 1;
    }
}

static int read_lines(void *unused)
{
    nido_scope scope;
    int rc = 1;

    (void)unused;
    for (int how = 0; rc > 0; how++) {
        ALONE(scope, rc, nido_stream_wait(&books.in));
        if (rc > 0) rc = read_once(how);
        if (rc == -EINTR) rc = 1;
    }
    return rc;
}

static int write_and_read(void *unused)
{
    int fds[2], rc = books_connect(fds);

    (void)unused;
    if (rc) return rc;
    rc = TOGETHER(NULL, read_lines, write_lines);
    books_close();
    return rc;
}
SWEPT(a_stream_neither_loses_nor_doubles, write_and_read)

/* ---- A transport of the caller's ---- */

static int ops_wait(void *fd)
{
    int rc = nido_wait_fd(*(int *)fd, NIDO_IN);

    return rc < 0 ? rc : 0;
}

static ssize_t ops_read(void *fd, void *buf, size_t len)
{
    return nido_read(*(int *)fd, buf, len < 77 ? len : 77);
}

static ssize_t ops_write(void *fd, const void *buf, size_t len)
{
    return nido_write(*(int *)fd, buf, len);
}

static int ops_close(void *fd)
{
    return nido_close(*(int *)fd);
}

static const nido_stream_ops ops = {
    .size = sizeof ops, .read = ops_read, .write = ops_write, .close = ops_close, .wait = ops_wait};

static int write_some(void *unused)
{
    int fd = nido_stream_fd(&books.out), rc = write_all_ways();

    (void)unused;
    if (fd >= 0) shutdown(fd, SHUT_WR);
    return rc;
}

static int read_by_functions(void *unused)
{
    int fds[2], in, rc = books_connect(fds);

    (void)unused;
    if (rc) return rc;
    in = fds[0];
    books.in.fd = -1; /* opened anew, over functions */
    rc = nido_stream_open_ops(&books.in, &ops, &in, NULL);
    rc = TOGETHER(NULL, read_lines, write_some);
    books.in.ops = NULL;
    books.in.fd = in;
    books_close();
    return rc;
}
SWEPT(a_stream_over_functions_neither_loses_nor_doubles, read_by_functions)

/* ---- Copying ---- */

static struct {
    nido_stream from, to;
    uint64_t done;
} relay;

static int feed(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 3 && rc == 0; i++) {
        nido_scope scope;
        size_t done = 0;

        ALONE(scope, rc, nido_stream_write(&books.out, next_bytes(9000), 9000, &done));
        books.wrote += done;
        rc = unless_struck(rc);
    }
    if (rc == 0) rc = nido_stream_flush(&books.out);
    shutdown(nido_stream_fd(&books.out), SHUT_WR);
    return rc;
}

static int carry(void *unused)
{
    int rc;

    (void)unused;
    do {
        nido_scope scope;
        uint64_t done = 0;

        ALONE(scope, rc, nido_stream_copy(&relay.to, &relay.from, NIDO_STREAM_ALL, &done));
        relay.done += done;
    } while (rc == -EINTR);
    shutdown(nido_stream_fd(&relay.to), SHUT_WR);
    return rc;
}

static int relay_open(int fds[2], int second[2])
{
    nido_stream_options options;
    int rc = books_connect(fds);

    if (rc) return rc;
    rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, second);
    if (rc) {
        books_close();
        return rc;
    }
    setsockopt(second[1], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    nido_stream_options_init(&options);
    options.buffer_size = 1000;
    relay.done = 0;
    relay.from = books.in;
    relay.from.buffer_size = 1000;
    books.in.flags = 0;
    nido_stream_open(&relay.to, second[1], &options);
    return nido_stream_open(&books.in, second[0], &options);
}

static int copy_bytes(void *unused)
{
    int fds[2], second[2], rc = relay_open(fds, second);
    size_t middle;

    (void)unused;
    if (rc) return rc;
    rc = TOGETHER(NULL, read_lines, carry, feed);
    middle = relay.from.in_end - relay.from.in_at + nido_stream_unsent(&relay.to);
    if (relay.from.in_failure || relay.to.out_failure) books.in.in_failure = -EIO;
    middle += io_drain(nido_stream_fd(&relay.from));
    LAW(middle <= books.wrote);
    books.wrote -= middle;
    nido_stream_close(&relay.from);
    nido_stream_close(&relay.to);
    books_close();
    return rc;
}
SWEPT(a_copy_neither_loses_nor_doubles, copy_bytes)

/* ---- A file ---- */

static int send_file(void *unused)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), rc;
    nido_scope scope;
    uint64_t done = 0;

    (void)unused;
    LAW(write(file, next_bytes(3000), 3000) == 3000);
    ALONE(scope, rc, nido_stream_copy_file(&books.out, file, 0, 3000, &done));
    books.wrote += done;
    close(file);
    shutdown(nido_stream_fd(&books.out), SHUT_WR);
    return unless_struck(rc);
}

static int read_file(void *unused)
{
    int fds[2], rc = books_connect(fds);

    if (rc) return rc;
    rc = send_file(unused);
    if (rc == 0) rc = read_lines(unused);
    books_close();
    return rc;
}
SWEPT_LOOSELY(a_file_in_a_stream_neither_loses_nor_doubles, read_file)

/* SPDX-License-Identifier: MIT */
/* nido/fd.h: bytes of pipes and stream sockets, in and out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

static int ends[2]; /* of a pipe or a pair of sockets, as the test made them */
static char buf[256];

static int rd(int fd)
{
    return (int)nido_read(fd, buf, sizeof buf);
}

static int wr(int fd, const char *text)
{
    return (int)nido_write(fd, text, strlen(text));
}

/* ---- What is there ---- */

static int read_what_is_there(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_pipe(ends), 0));
    cr_expect(eq(int, wr(ends[1], "hello"), 5));
    cr_expect(eq(int, wr(ends[1], "!"), 1));
    cr_expect(eq(int, rd(ends[0]), 6));
    cr_expect(eq(int, memcmp(buf, "hello!", 6), 0));
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_stream, a_read_takes_what_is_there)
{
    cr_expect(eq(int, io_run(read_what_is_there), 0));
}

static int await_byte(void *unused)
{
    (void)unused;
    cr_expect(eq(int, rd(ends[0]), 2));
    return 0;
}

static int write_two(void *unused)
{
    (void)unused;
    cr_expect(eq(int, wr(ends[1], "ab"), 2));
    return 0;
}

static int read_before_write(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    rc = TOGETHER(NULL, await_byte, write_two);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_stream, a_read_waits_for_the_first_bytes)
{
    cr_expect(eq(int, io_run(read_before_write), 0));
}

static int scatter_and_gather(void *unused)
{
    char a[3], b[4];
    struct iovec out[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
    struct iovec in[] = {{a, sizeof a}, {b, sizeof b}};

    (void)unused;
    for (int pair = 0; pair < 2; pair++) {
        cr_expect(
            eq(int, pair ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : nido_pipe(ends), 0));
        cr_expect(eq(int, (int)nido_writev(ends[1], out, 3), 7));
        cr_expect(eq(int, (int)nido_readv(ends[0], in, 2), 7));
        cr_expect(memcmp(a, "abc", 3) == 0 && memcmp(b, "defg", 4) == 0);
        cr_expect(eq(int, (int)nido_readv(ends[0], in, -1), -EINVAL));
        cr_expect(eq(int, (int)nido_writev(ends[1], out, -1), -EINVAL));
        io_close_pair(ends);
    }
    return 0;
}

NIDO_TEST(fd_stream, vectors_are_scattered_and_gathered)
{
    cr_expect(eq(int, io_run(scatter_and_gather), 0));
}

/* ---- Nothing asked for ---- */

/* After a read that found the descriptor empty, so that no remembered edge helps. */
static void read_nothing(int fd)
{
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(eq(int, nido_scope_close(&scope, rd(fd)), -ETIMEDOUT));
    cr_expect(eq(int, (int)nido_read(fd, buf, 0), 0));
    cr_expect(eq(int, nido_read_full(fd, buf, 0, NULL), 0));
}

static int read_nothing_of_a_pipe(void *unused)
{
    (void)unused;
    nido_pipe(ends);
    read_nothing(ends[0]);
    io_close_pair(ends);
    return 0;
}

/* S268 */
NIDO_TEST(fd_stream, no_bytes_of_an_idle_pipe_are_there_at_once)
{
    cr_expect(eq(int, io_run(read_nothing_of_a_pipe), 0));
}

static int read_nothing_of_a_socket(void *unused)
{
    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    read_nothing(ends[0]);
    io_close_pair(ends);
    return 0;
}

/* S268 */
NIDO_TEST(fd_stream, no_bytes_of_an_idle_socket_are_there_at_once)
{
    cr_expect(eq(int, io_run(read_nothing_of_a_socket), 0));
}

static int read_nothing_of_foreign(void *unused)
{
    (void)unused;
    cr_assert(eq(int, pipe(ends), 0));
    read_nothing(ends[0]);
    io_close_pair(ends);
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    read_nothing(ends[0]);
    io_close_pair(ends);
    return 0;
}

/* S268 */
NIDO_TEST(fd_stream, no_bytes_of_an_idle_foreign_descriptor_are_there_at_once)
{
    cr_expect(eq(int, io_run(read_nothing_of_foreign), 0));
}

/* ---- Ends ---- */

static int expect_the_end(void *unused)
{
    (void)unused;
    cr_expect(eq(int, rd(ends[0]), 0));
    cr_expect(eq(int, rd(ends[0]), 0), "and for ever");
    return 0;
}

static int close_writing_end(void *unused)
{
    (void)unused;
    return nido_close(ends[1]);
}

static int end_while_parked(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    rc = TOGETHER(NULL, expect_the_end, close_writing_end);
    nido_close(ends[0]);
    return rc;
}

/* S265 */
NIDO_TEST(fd_stream, a_parked_reader_learns_the_end_at_once)
{
    cr_expect(eq(int, io_run(end_while_parked), 0));
}

static int expect_nobody_reads(void *unused)
{
    (void)unused;
    cr_expect(eq(int, wr(ends[1], "x"), -EPIPE));
    return 0;
}

static int close_reading_end(void *unused)
{
    (void)unused;
    return nido_close(ends[0]);
}

static int break_while_parked(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int pair = 0; pair < 2 && !rc; pair++) {
        cr_expect(
            eq(int, pair ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : nido_pipe(ends), 0));
        io_fill(ends[1]);
        rc = TOGETHER(NULL, expect_nobody_reads, close_reading_end);
        nido_close(ends[1]);
    }
    return rc;
}

/* S266: SIGPIPE, at its default, would end the test. */
NIDO_TEST(fd_stream, a_parked_writer_learns_that_nobody_reads)
{
    cr_expect(eq(int, io_run(break_while_parked), 0));
}

static int write_to_nobody(void *unused)
{
    struct iovec iov = {"x", 1};
    size_t done = 9;

    (void)unused;
    for (int kind = 0; kind < 4; kind++) {
        int err = kind == 0   ? nido_pipe(ends)
                  : kind == 1 ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends)
                  : kind == 2 ? pipe(ends)
                              : socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

        cr_assert(eq(int, err, 0));
        nido_close(ends[0]);
        cr_expect(eq(int, wr(ends[1], "x"), -EPIPE));
        cr_expect(eq(int, (int)nido_writev(ends[1], &iov, 1), -EPIPE));
        cr_expect(eq(int, nido_write_all(ends[1], "x", 1, &done), -EPIPE));
        cr_expect(eq(sz, done, 0));
        nido_close(ends[1]);
    }
    return 0;
}

/* S266 */
NIDO_TEST(fd_stream, no_kind_of_write_raises_sigpipe)
{
    cr_expect(eq(int, io_run(write_to_nobody), 0));
}

static int half_close(void *unused)
{
    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    shutdown(ends[1], SHUT_WR);
    cr_expect(eq(int, rd(ends[0]), 0));
    cr_expect(eq(int, wr(ends[0], "still"), 5));
    cr_expect(eq(int, rd(ends[1]), 5));
    io_close_pair(ends);
    return 0;
}

/* S281 */
NIDO_TEST(fd_stream, who_sends_no_more_can_still_be_written_to)
{
    cr_expect(eq(int, io_run(half_close), 0));
}

/* ---- One reader, one writer ---- */

static int second_user(void *unused)
{
    struct iovec iov = {buf, sizeof buf};
    size_t done = 9;

    (void)unused;
    cr_expect(eq(int, rd(ends[0]), -EBUSY));
    cr_expect(eq(int, (int)nido_readv(ends[0], &iov, 1), -EBUSY));
    cr_expect(eq(int, nido_read_full(ends[0], buf, 1, &done), -EBUSY));
    cr_expect(eq(sz, done, 0));
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 1, 0), -EBUSY));
    cr_expect(eq(int, wr(ends[0], "x"), 1), "a writer is fine");
    return wr(ends[1], "ab") == 2 ? 0 : -EIO;
}

static int named_reader(void *unused)
{
    nido_set_name("conn");
    return await_byte(unused);
}

static int refused_reader(void *unused)
{
    char text[64];

    (void)unused;
    cr_expect(eq(int, rd(ends[0]), -EBUSY));
    snprintf(text, sizeof text, "task #2 \"conn\" reads from descriptor %d", ends[0]);
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), text));
    return wr(ends[1], "ab") == 2 ? 0 : -EIO;
}

static int refused_by_name(void *unused)
{
    int rc;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    rc = TOGETHER(NULL, named_reader, refused_reader);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_stream, the_refusal_names_the_descriptor_and_the_task_that_has_it)
{
    cr_expect(eq(int, io_run(refused_by_name), 0));
}

static int two_readers(void *unused)
{
    int rc;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    rc = TOGETHER(NULL, await_byte, second_user);
    cr_expect(eq(int, wr(ends[1], "c"), 1));
    cr_expect(eq(int, rd(ends[0]), 1), "free again");
    io_close_pair(ends);
    return rc;
}

/* S263 */
NIDO_TEST(fd_stream, a_second_reader_is_refused_and_a_writer_is_not)
{
    cr_expect(eq(int, io_run(two_readers), 0));
}

static int write_until_closed(void *unused)
{
    (void)unused;
    cr_expect(eq(int, wr(ends[1], "x"), -EBADF));
    return 0;
}

static int second_writer(void *unused)
{
    struct iovec iov = {buf, 1};
    size_t done = 9;

    (void)unused;
    cr_expect(eq(int, wr(ends[1], "x"), -EBUSY));
    cr_expect(eq(int, (int)nido_writev(ends[1], &iov, 1), -EBUSY));
    cr_expect(eq(int, nido_write_all(ends[1], buf, 1, &done), -EBUSY));
    cr_expect(eq(sz, done, 0));
    return nido_close(ends[1]);
}

static int two_writers(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    io_fill(ends[1]);
    rc = TOGETHER(NULL, write_until_closed, second_writer);
    nido_close(ends[0]);
    return rc;
}

/* S263 */
NIDO_TEST(fd_stream, a_second_writer_is_refused)
{
    cr_expect(eq(int, io_run(two_writers), 0));
}

static int read_four(void *unused)
{
    size_t done;

    (void)unused;
    cr_expect(eq(int, nido_read_full(ends[0], buf, 4, &done), 0));
    cr_expect(eq(sz, done, 4));
    return 0;
}

/* Makes the first reader ready and tries before its turn comes. */
static int try_to_overtake(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)write(ends[1], "ab", 2), 2));
    cr_expect(eq(int, rd(ends[0]), -EBUSY));
    nido_sleep(NIDO_MS(1));
    cr_expect(eq(int, rd(ends[0]), -EBUSY), "marked between two of its reads, too");
    cr_expect(eq(int, (int)write(ends[1], "cd", 2), 2));
    return 0;
}

static int full_reads_are_exclusive(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    rc = TOGETHER(NULL, read_four, try_to_overtake);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_stream, a_full_read_holds_the_descriptor_for_its_whole_length)
{
    cr_expect(eq(int, io_run(full_reads_are_exclusive), 0));
}

/* ---- Errors ---- */

static int misuse(void *unused)
{
    size_t done = 9;

    (void)unused;
    nido_pipe(ends);
    io_close_pair(ends);
    cr_expect(eq(int, rd(ends[0]), -EBADF));
    cr_expect(eq(int, wr(ends[1], "x"), -EBADF));
    cr_expect(eq(int, rd(-1), -EBADF));
    cr_expect(eq(int, rd(INT_MAX), -EBADF));
    cr_expect(eq(int, nido_read_full(INT_MAX, buf, 1, &done), -EBADF));
    cr_expect(eq(sz, done, 0));
    cr_expect(eq(int, nido_close(ends[0]), -EBADF));
    cr_expect(eq(int, nido_close(-1), -EBADF));
    return 0;
}

NIDO_TEST(fd_stream, what_is_not_open_is_told)
{
    cr_expect(eq(int, io_run(misuse), 0));
}

NIDO_TEST(fd_stream, outside_a_run_nothing_is_done)
{
    cr_assert(eq(int, pipe(ends), 0));
    cr_assert(eq(int, (int)write(ends[1], "x", 1), 1));
    cr_expect(eq(int, rd(ends[0]), -EPERM));
    cr_expect(eq(int, wr(ends[1], "x"), -EPERM));
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), -EPERM));
    cr_expect(eq(int, nido_fd_own(ends[0]), -EPERM));
    cr_expect(eq(int, nido_pipe(ends), -EPERM));
    cr_expect(eq(int, (int)read(ends[0], buf, 9), 1));
    io_close_pair(ends);
}

static int read_from_a_post(void *unused)
{
    (void)unused;
    cr_expect(eq(int, rd(ends[0]), -EDEADLK));
    return 0;
}

static int post_a_read(void *unused)
{
    nido_rt *rt = nido_rt_self();

    (void)unused;
    nido_pipe(ends);
    wr(ends[1], "x");
    cr_expect(eq(int, nido_post(rt, read_from_a_post, NULL), 0));
    nido_sleep(NIDO_MS(1));
    cr_expect(eq(int, rd(ends[0]), 1));
    io_close_pair(ends);
    nido_rt_release(rt);
    return 0;
}

NIDO_TEST(fd_stream, a_callback_that_must_not_park_reads_nothing)
{
    cr_expect(eq(int, io_run(post_a_read), 0));
}

/* ---- Vectors ---- */

enum { PARTS = 2000 };

static int move_many_parts(void *unused)
{
    static struct iovec iov[PARTS];
    static char bytes[PARTS];
    char path[] = "/tmp/nido-test-XXXXXX";
    int file = mkstemp(path);

    (void)unused;
    unlink(path);
    for (int i = 0; i < PARTS; i++) iov[i] = (struct iovec){&bytes[i], 1};
    for (int i = 0; i < 4; i++) {
        int n;

        cr_expect(
            eq(int, i & 2 ? nido_pipe(ends) : nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
        if (i & 1) nido_fd_forget(ends[0]);
        if (i & 1) nido_fd_forget(ends[1]);
        n = (int)nido_writev(ends[1], iov, PARTS);
        cr_expect(gt(int, n, 0), "case %d", i);
        cr_expect(eq(int, (int)nido_readv(ends[0], iov, PARTS), n), "case %d", i);
        io_close_pair(ends);
    }
    cr_expect(gt(int, (int)nido_writev(file, iov, PARTS), 0));
    cr_expect(eq(int, (int)lseek(file, 0, SEEK_SET), 0));
    cr_expect(gt(int, (int)nido_readv(file, iov, PARTS), 0));
    return nido_close(file);
}

NIDO_TEST(fd_stream, of_more_parts_than_the_kernel_takes_some_are_moved)
{
    cr_expect(eq(int, io_run(move_many_parts), 0));
}

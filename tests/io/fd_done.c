/* SPDX-License-Identifier: MIT */
/* nido/fd.h: calls that move all of it or say exactly how much: read_full, write_all, sendfile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

enum { LARGE = 1 << 20 };

static int ends[2];
static char buf[100];
static unsigned char *large, *copy;

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

/* ---- read_full ---- */

static int cancel_the_group(void *group)
{
    return nido_group_cancel(group, -ENODATA, "enough");
}

static int read_hundred(void *unused)
{
    size_t done = 999;

    (void)unused;
    cr_expect(eq(int, nido_read_full(ends[0], buf, 100, &done), -ECANCELED));
    cr_expect(eq(sz, done, 40));
    for (int i = 0; i < 40; i++) cr_expect(eq(int, (unsigned char)buf[i], pattern(i)));
    return -ECANCELED;
}

static int cancel_after_forty(void *unused)
{
    char forty[40];
    nido_group group;

    (void)unused;
    for (int i = 0; i < 40; i++) forty[i] = (char)pattern(i);
    nido_pipe(ends);
    nido_group_open(&group, NIDO_FAIL_FAST, "forty");
    cr_expect(eq(int, nido_spawn(&group, read_hundred, NULL), 0));
    nido_yield();
    cr_expect(eq(int, (int)nido_write(ends[1], forty, 40), 40));
    nido_sleep(NIDO_MS(1)); /* they are read */
    cr_expect(eq(int, nido_spawn(&group, cancel_the_group, &group), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    io_close_pair(ends);
    return 0;
}

/* S163 */
NIDO_TEST(fd_done, a_cancelled_full_read_tells_what_it_has)
{
    cr_expect(eq(int, io_run(cancel_after_forty), 0));
}

static int read_past_the_end(void *unused)
{
    size_t done = 999;

    (void)unused;
    nido_pipe(ends);
    cr_expect(eq(int, (int)nido_write(ends[1], "seven b", 7), 7));
    nido_close(ends[1]);
    cr_expect(eq(int, nido_read_full(ends[0], buf, 100, &done), -EPIPE));
    cr_expect(eq(sz, done, 7));
    cr_expect(eq(int, memcmp(buf, "seven b", 7), 0));
    cr_expect(eq(int, nido_read_full(ends[0], buf, 1, NULL), -EPIPE), "done may be NULL");
    nido_close(ends[0]);
    return 0;
}

NIDO_TEST(fd_done, a_full_read_that_meets_the_end_tells_what_it_has)
{
    cr_expect(eq(int, io_run(read_past_the_end), 0));
}

static int write_three_times_ten(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, (int)nido_write(ends[1], "0123456789", 10), 10));
        nido_sleep(NIDO_MS(1));
    }
    return 0;
}

static int fail_at_third(void *unused)
{
    size_t done = 999;

    (void)unused;
    faults_fail(FAULT_read, 3, -ECONNRESET);
    cr_expect(eq(int, nido_read_full(ends[0], buf, 100, &done), -ECONNRESET));
    cr_expect(eq(sz, done, 10));
    cr_expect(eq(int, (int)nido_read(ends[0], buf, 100), 10), "the rest is still there");
    return 0;
}

static int fail_amid_a_read(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    rc = TOGETHER(NULL, fail_at_third, write_three_times_ten);
    io_close_pair(ends);
    return rc;
}

/* S374 */
NIDO_TEST(fd_done, a_full_read_that_fails_tells_what_it_has)
{
    faults_begin();
    cr_expect(eq(int, io_run(fail_amid_a_read), 0));
    faults_end();
}

static int close_both(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)write(ends[1], "abc", 3), 3));
    nido_sleep(NIDO_MS(1));
    return nido_close(ends[0]);
}

static int read_until_closed(void *unused)
{
    size_t done = 999;

    (void)unused;
    cr_expect(eq(int, nido_read_full(ends[0], buf, 100, &done), -EBADF));
    cr_expect(eq(sz, done, 3));
    return 0;
}

static int close_amid_a_read(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    rc = TOGETHER(NULL, read_until_closed, close_both);
    nido_close(ends[1]);
    return rc;
}

NIDO_TEST(fd_done, a_full_read_of_what_is_closed_tells_what_it_has)
{
    cr_expect(eq(int, io_run(close_amid_a_read), 0));
}

/* ---- write_all ---- */

static void make_large(void)
{
    large = malloc(LARGE);
    copy = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) large[i] = pattern(i);
}

static void drop_large(void)
{
    free(large);
    free(copy);
}

static int write_large(void *unused)
{
    size_t done = 0;

    (void)unused;
    cr_expect(eq(int, nido_write_all(ends[1], large, LARGE, &done), 0));
    cr_expect(eq(sz, done, LARGE));
    return 0;
}

static int read_large(void *unused)
{
    size_t done = 0;

    (void)unused;
    cr_expect(eq(int, nido_read_full(ends[0], copy, LARGE, &done), 0));
    cr_expect(eq(sz, done, LARGE));
    cr_expect(eq(int, memcmp(copy, large, LARGE), 0));
    return 0;
}

static int move_a_megabyte(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int kind = 0; kind < 4 && !rc; kind++) {
        int err = kind == 0   ? nido_pipe(ends)
                  : kind == 1 ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends)
                  : kind == 2 ? pipe(ends)
                              : socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

        cr_assert(eq(int, err, 0));
        memset(copy, 0, LARGE);
        rc = TOGETHER(NULL, write_large, read_large);
        io_close_pair(ends);
    }
    return rc;
}

NIDO_TEST(fd_done, a_megabyte_arrives_whole_and_in_order_by_every_kind)
{
    make_large();
    cr_expect(eq(int, io_run(move_a_megabyte), 0));
    drop_large();
}

static size_t written;

static int write_until_cancelled(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_write_all(ends[1], large, LARGE, &written), -ECANCELED));
    return -ECANCELED;
}

static int cancel_a_writer(void *unused)
{
    nido_group group;

    (void)unused;
    for (int pair = 0; pair < 2; pair++) {
        cr_expect(
            eq(int, pair ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : nido_pipe(ends), 0));
        nido_group_open(&group, NIDO_FAIL_FAST, "writer");
        cr_expect(eq(int, nido_spawn(&group, write_until_cancelled, NULL), 0));
        nido_yield();
        cr_expect(eq(int, nido_read_full(ends[0], copy, 5000, NULL), 0));
        nido_sleep(NIDO_MS(1));
        nido_group_cancel(&group, 0, "enough");
        cr_expect(eq(int, nido_group_close(&group, 0), 0));
        cr_expect(eq(sz, written, 5000 + io_drain(ends[0])));
        io_close_pair(ends);
    }
    return 0;
}

NIDO_TEST(fd_done, a_cancelled_full_write_tells_what_went_out)
{
    make_large();
    cr_expect(eq(int, io_run(cancel_a_writer), 0));
    drop_large();
}

static int fail_at_second_write(void *unused)
{
    (void)unused;
    faults_fail(FAULT_write, 2, -EIO);
    cr_expect(eq(int, nido_write_all(ends[1], large, LARGE, &written), -EIO));
    return 0;
}

static int drain_once(void *unused)
{
    (void)unused;
    return nido_read_full(ends[0], copy, 5000, NULL);
}

static int fail_amid_a_write(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    rc = TOGETHER(NULL, fail_at_second_write, drain_once);
    cr_expect(gt(sz, written, 0));
    cr_expect(eq(sz, written, 5000 + io_drain(ends[0])));
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_done, a_full_write_that_fails_tells_what_went_out)
{
    make_large();
    faults_begin();
    cr_expect(eq(int, io_run(fail_amid_a_write), 0));
    faults_end();
    drop_large();
}

/* ---- sendfile ---- */

static FILE *file; /* holds the pattern */

static void make_file(void)
{
    make_large();
    file = tmpfile();
    cr_assert(ne(ptr, file, NULL));
    cr_assert(eq(sz, fwrite(large, 1, LARGE, file), LARGE));
    fflush(file);
}

static void drop_file(void)
{
    fclose(file);
    drop_large();
}

static int send_the_file(void *unused)
{
    size_t done = 0;

    (void)unused;
    cr_expect(eq(int, nido_sendfile(ends[1], fileno(file), 0, LARGE, &done), 0));
    cr_expect(eq(sz, done, LARGE));
    return 0;
}

static int send_by_every_kind(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int kind = 0; kind < 4 && !rc; kind++) {
        int err = kind == 0   ? nido_pipe(ends)
                  : kind == 1 ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends)
                  : kind == 2 ? pipe(ends)
                              : socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

        cr_assert(eq(int, err, 0));
        memset(copy, 0, LARGE);
        rc = TOGETHER(NULL, send_the_file, read_large);
        io_close_pair(ends);
    }
    return rc;
}

NIDO_TEST(fd_done, a_file_is_sent_whole_by_every_kind)
{
    make_file();
    cr_expect(eq(int, io_run(send_by_every_kind), 0));
    drop_file();
}

static int send_a_part(void *unused)
{
    size_t done = 0;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    cr_expect(eq(int, nido_sendfile(ends[1], fileno(file), 1000, 500, &done), 0));
    cr_expect(eq(sz, done, 500));
    cr_expect(eq(int, nido_read_full(ends[0], copy, 500, NULL), 0));
    cr_expect(eq(int, memcmp(copy, large + 1000, 500), 0));
    cr_expect(eq(int, nido_sendfile(ends[1], fileno(file), LARGE - 300, 500, &done), -EPIPE));
    cr_expect(eq(sz, done, 300), "the file ended first");
    nido_close(ends[0]);
    cr_expect(eq(int, nido_sendfile(ends[1], fileno(file), 0, 500, &done), -EPIPE));
    cr_expect(eq(sz, done, 0), "nobody reads");
    nido_close(ends[1]);
    return 0;
}

NIDO_TEST(fd_done, a_part_of_a_file_is_sent_and_its_end_is_told)
{
    make_file();
    cr_expect(eq(int, io_run(send_a_part), 0));
    drop_file();
}

static int send_until_cancelled(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_sendfile(ends[1], fileno(file), 0, LARGE, &written), -ECANCELED));
    return -ECANCELED;
}

static int cancel_a_sendfile(void *unused)
{
    nido_group group;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    nido_group_open(&group, NIDO_FAIL_FAST, "sender");
    cr_expect(eq(int, nido_spawn(&group, send_until_cancelled, NULL), 0));
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
    nido_group_cancel(&group, 0, "enough");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(gt(sz, written, 0));
    cr_expect(eq(sz, written, io_drain(ends[0])));
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_done, a_cancelled_sendfile_tells_what_went_out)
{
    make_file();
    cr_expect(eq(int, io_run(cancel_a_sendfile), 0));
    drop_file();
}

static int use_a_regular_file(void *unused)
{
    size_t done = 0;

    (void)unused;
    cr_expect(eq(int, nido_write_all(fileno(file), "behind", 6, &done), 0));
    cr_expect(eq(sz, done, 6));
    lseek(fileno(file), LARGE, SEEK_SET);
    cr_expect(eq(int, (int)nido_read(fileno(file), buf, sizeof buf), 6));
    cr_expect(eq(int, memcmp(buf, "behind", 6), 0));
    cr_expect(eq(int, (int)nido_read(fileno(file), buf, sizeof buf), 0));
    cr_expect(eq(int, nido_fd_own(fileno(file)), -EINVAL), "it cannot be watched");
    cr_expect(eq(int, nido_wait_fd(fileno(file), NIDO_IN | NIDO_OUT), NIDO_IN | NIDO_OUT));
    return 0;
}

/* S275, without a pool */
NIDO_TEST(fd_done, a_regular_file_is_read_and_written)
{
    make_file();
    cr_expect(eq(int, io_run(use_a_regular_file), 0));
    drop_file();
}

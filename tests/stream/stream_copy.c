/* SPDX-License-Identifier: MIT */
/* nido/stream.h: copying. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "faults.h"
#include "stream_help.h"

enum { LARGE = 1 << 20 };
static unsigned char large[LARGE], got[LARGE];

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

struct copy {
    struct stream_pair from, to;
    uint64_t want, done;
    int rc;
    size_t read;
};

static int feed(void *arg)
{
    struct copy *copy = arg;
    int rc = nido_write_all(copy->from.peer, large, LARGE, NULL);

    if (rc == 0) shutdown(copy->from.peer, SHUT_WR);
    return rc == -EPIPE ? 0 : rc;
}

static int swallow(void *arg)
{
    struct copy *copy = arg;

    return nido_read_full(copy->to.peer, got, copy->read, NULL);
}

static int move(void *arg)
{
    struct copy *copy = arg;

    copy->rc = nido_stream_copy(&copy->to.stream, &copy->from.stream, copy->want, &copy->done);
    return 0;
}

static void copy_open(struct copy *copy)
{
    for (size_t i = 0; i < LARGE; i++) large[i] = pattern(i);
    memset(got, 0, sizeof got);
    stream_pair_open(&copy->from, NULL);
    stream_pair_open(&copy->to, NULL);
}

static void copy_close(struct copy *copy)
{
    stream_pair_close(&copy->from);
    stream_pair_close(&copy->to);
}

static int copy_everything(void *unused)
{
    struct copy copy = {.want = NIDO_STREAM_ALL, .read = LARGE};

    (void)unused;
    copy_open(&copy);
    cr_expect(eq(int, TOGETHER(&copy, feed, swallow, move), 0));
    cr_expect(eq(int, copy.rc, 0));
    cr_expect(eq(u64, copy.done, LARGE));
    cr_expect(memcmp(got, large, LARGE) == 0);
    copy_close(&copy);
    return 0;
}

NIDO_TEST(stream, a_copy_moves_everything_in_the_kernel_where_it_can)
{
    faults_begin();
    cr_expect(eq(int, io_run(copy_everything), 0));
#ifdef __linux__
    cr_expect(gt(ulong, faults_count(FAULT_splice), 10));
#endif
    faults_fail(FAULT_splice, FAULT_ALWAYS, -EINVAL);
    cr_expect(eq(int, io_run(copy_everything), 0));
    faults_forget(FAULT_splice);
    faults_fail(FAULT_pipe, FAULT_ALWAYS, -EMFILE);
    cr_expect(eq(int, io_run(copy_everything), 0));
    faults_end();
}

static int copy_exactly(void *unused)
{
    struct copy copy = {.want = 200000, .read = 200005};
    nido_group group;
    size_t left = 0;
    ssize_t n;

    (void)unused;
    copy_open(&copy);
    nido_stream_printf(&copy.to.stream, "head ");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, feed, &copy), 0));
    cr_expect(eq(int, nido_spawn(&group, swallow, &copy), 0));
    move(&copy);
    cr_expect(eq(int, copy.rc, 0));
    cr_expect(eq(u64, copy.done, 200000));
    while ((n = nido_stream_read(&copy.from.stream, large, 9999)) > 0) left += (size_t)n;
    cr_expect(eq(sz, left, LARGE - 200000));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(memcmp(got, "head ", 5) == 0);
    for (size_t i = 0; i < 200000; i++)
        if (got[5 + i] != pattern(i)) cr_fail("byte %zu", i);
    cr_expect(eq(int, nido_stream_copy(&copy.to.stream, &copy.from.stream, 1, NULL), -EPIPE));
    cr_expect(eq(int, nido_stream_copy(&copy.to.stream, &copy.to.stream, 1, NULL), -EINVAL));
    copy_close(&copy);
    return 0;
}

NIDO_TEST(stream, a_copy_of_a_length_leaves_the_rest)
{
    cr_expect(eq(int, io_run(copy_exactly), 0));
}

/* The copy is cancelled when the reader has stopped: what is in no stream's buffer and was not read
 * is in a socket. */
static int copy_and_cancel(void *unused)
{
    struct copy copy = {.want = NIDO_STREAM_ALL, .read = 300000};
    size_t sent;
    char *bytes;
    ssize_t have;
    nido_group group;

    (void)unused;
    copy_open(&copy);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, feed, &copy), 0));
    cr_expect(eq(int, nido_spawn(&group, swallow, &copy), 0));
    cr_expect(eq(int, nido_with_timeout(NIDO_SEC(1), move, &copy), 0));
    cr_expect(eq(int, copy.rc, -ECANCELED));
    nido_group_cancel(&group, 0, NULL);
    nido_group_close(&group, 0);
    sent = 300000 + io_drain(copy.to.peer);
    cr_expect(eq(sz, sent + nido_stream_unsent(&copy.to.stream), (size_t)copy.done));
    have = nido_stream_peek(&copy.from.stream, 0, &bytes);
    for (ssize_t i = 0; i < have; i++)
        if ((unsigned char)bytes[i] != pattern(copy.done + (size_t)i)) cr_fail("byte %zd", i);
    copy_close(&copy);
    return 0;
}

NIDO_TEST(stream, a_cancelled_copy_loses_no_byte)
{
    cr_expect(eq(int, io_run(copy_and_cancel), 0));
}

/* ---- Files ---- */

static int copy_a_file(void *arg)
{
    struct copy copy = {.read = 5 + LARGE - 10};
    nido_stream_options options;
    nido_stream file;
    int fd = *(const int *)arg;

    copy_open(&copy);
    nido_stream_options_init(&options);
    options.keep_open = true;
    cr_expect(eq(int, nido_stream_open(&file, fd, &options), 0));
    cr_expect(eq(int, nido_stream_write(&file, large, LARGE, NULL), 0));
    cr_expect(eq(int, nido_stream_flush(&file), 0));
    cr_expect(eq(int, nido_stream_close(&file), 0));
    nido_stream_printf(&copy.to.stream, "head ");
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, swallow, &copy), 0));
    cr_expect(eq(int, nido_stream_copy_file(&copy.to.stream, fd, 10, LARGE - 10, &copy.done), 0));
    cr_expect(eq(u64, copy.done, LARGE - 10));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(memcmp(got, "head ", 5) == 0 && memcmp(got + 5, large + 10, LARGE - 10) == 0);
    cr_expect(
        eq(int, nido_stream_copy_file(&copy.to.stream, fd, LARGE - 1, 2, &copy.done), -EPIPE));
    cr_expect(eq(u64, copy.done, 1));
    cr_expect(eq(int, nido_stream_copy_file(&copy.to.stream, fd, -1, 2, NULL), -EINVAL));
    copy_close(&copy);
    return 0;
}

NIDO_TEST(stream, a_file_is_sent_behind_what_is_unsent)
{
    char path[] = "/tmp/nido-stream-XXXXXX";
    int fd = mkstemp(path);

    unlink(path);
    faults_begin();
    cr_expect(eq(int, nido_test_run(copy_a_file, &fd), 0));
    cr_expect(gt(ulong, faults_count(FAULT_sendfile), 0));
    faults_end();
    close(fd);
}

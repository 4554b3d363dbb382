/* SPDX-License-Identifier: MIT */
/* nido/stream.h: writing. */
#include <errno.h>

#include "stream_help.h"

static int collect(void *unused)
{
    struct stream_pair pair;
    struct iovec parts[] = {{"b", 1}, {NULL, 0}, {"cd", 2}};
    size_t done = 9;

    (void)unused;
    stream_pair_open(&pair, NULL);
    cr_expect(eq(int, nido_stream_write(&pair.stream, "a", 1, NULL), 0));
    cr_expect(eq(int, nido_stream_writev(&pair.stream, parts, 3, &done), 0));
    cr_expect(eq(sz, done, 3));
    cr_expect(eq(int, nido_stream_printf(&pair.stream, "%d%s", 42, "!"), 3));
    cr_expect(eq(sz, nido_stream_unsent(&pair.stream), 7));
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), ""));
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), "abcd42!"));
    cr_expect(eq(int, nido_stream_writev(&pair.stream, parts, -1, &done), -EINVAL));
    cr_expect(eq(sz, done, 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, what_is_written_is_sent_by_a_flush)
{
    cr_expect(eq(int, io_run(collect), 0));
}

static int answer(void *unused)
{
    struct stream_pair pair;

    (void)unused;
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "1\n2\n");
    cr_expect(stream_line_is(&pair.stream, "1"));
    nido_stream_printf(&pair.stream, "one\n");
    cr_expect(stream_line_is(&pair.stream, "2"));
    nido_stream_printf(&pair.stream, "two\n");
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), ""));
    shutdown(pair.peer, SHUT_WR);
    cr_expect(eq(int, nido_stream_wait(&pair.stream), 0));
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), "one\ntwo\n"));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, answers_are_sent_before_a_wait_for_input)
{
    cr_expect(eq(int, io_run(answer), 0));
}

static int read_the_end(void *arg)
{
    return nido_stream_wait(&((struct stream_pair *)arg)->stream);
}

static int write_beside_a_reader(void *unused)
{
    struct stream_pair pair;
    nido_group group;

    (void)unused;
    stream_pair_open(&pair, NULL);
    nido_stream_printf(&pair.stream, "half");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, read_the_end, &pair), 0));
    nido_yield();
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), ""));
    nido_stream_printf(&pair.stream, " and half");
    cr_expect(eq(int, nido_stream_shutdown(&pair.stream), 0));
    cr_expect(eq(str, (char *)stream_pair_heard(&pair), "half and half"));
    cr_expect(eq(int, nido_stream_shutdown(&pair.stream), 0));
    cr_expect(eq(int, nido_stream_write(&pair.stream, "x", 1, NULL), -EPIPE));
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    stream_pair_hang_up(&pair);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, another_tasks_output_is_left_to_that_task)
{
    cr_expect(eq(int, io_run(write_beside_a_reader), 0));
}

/* ---- More than the buffer ---- */

enum { LARGE = 300000 };
static unsigned char large[LARGE], got[LARGE + 100];

static int read_all(void *arg)
{
    const struct stream_pair *pair = arg;
    size_t done;

    cr_expect(eq(int, nido_read_full(pair->peer, got, sizeof got, &done), -EPIPE));
    cr_expect(eq(sz, done, LARGE + 3));
    return 0;
}

static int write_large(void *unused)
{
    struct stream_pair pair;
    nido_group group;
    size_t done = 0;

    (void)unused;
    for (size_t i = 0; i < LARGE; i++) large[i] = (unsigned char)(i * 7 + i / 251);
    stream_pair_open(&pair, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, read_all, &pair), 0));
    nido_stream_write(&pair.stream, "abc", 3, NULL);
    cr_expect(eq(int, nido_stream_write(&pair.stream, large, LARGE, &done), 0));
    cr_expect(eq(sz, done, LARGE));
    cr_expect(eq(int, nido_stream_shutdown(&pair.stream), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(memcmp(got, "abc", 3) == 0 && memcmp(got + 3, large, LARGE) == 0);
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, large_writes_pass_the_buffer_in_order)
{
    cr_expect(eq(int, io_run(write_large), 0));
}

static int write_until_cancelled(void *arg)
{
    struct stream_pair *pair = arg;
    size_t done = 0;
    int rc = nido_stream_write(&pair->stream, large, LARGE, &done);

    cr_expect(eq(int, rc, -ECANCELED));
    pair->peer = (int)done; /* told by the way */
    return rc;
}

static int cancel_a_write(void *unused)
{
    struct stream_pair pair;
    int peer;
    size_t done, heard;

    (void)unused;
    stream_pair_open(&pair, NULL);
    nido_stream_write(&pair.stream, "abc", 3, NULL);
    peer = pair.peer;
    cr_expect(eq(int, nido_with_timeout(NIDO_SEC(1), write_until_cancelled, &pair), -ETIMEDOUT));
    done = (size_t)pair.peer;
    pair.peer = peer;
    heard = io_drain(peer);
    cr_expect(lt(sz, heard, LARGE));
    cr_expect(eq(sz, heard + nido_stream_unsent(&pair.stream), done + 3));
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_cancelled_write_tells_what_was_accepted)
{
    cr_expect(eq(int, io_run(cancel_a_write), 0));
}

static int print_large(void *unused)
{
    struct stream_pair pair;

    (void)unused;
    memset(large, 'x', 20000);
    large[20000] = 0;
    stream_pair_open(&pair, NULL);
    cr_expect(eq(int, nido_stream_printf(&pair.stream, "<%s>", (char *)large), 20002));
    cr_expect(eq(sz, nido_stream_unsent(&pair.stream), 20002));
    cr_expect(eq(int, nido_stream_printf(&pair.stream, "<%s>", (char *)large), 20002));
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    cr_expect(eq(sz, strlen(stream_pair_heard(&pair)), 40004));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_text_of_any_length_is_accepted_as_a_whole)
{
    cr_expect(eq(int, io_run(print_large), 0));
}

/* ---- Failures ---- */

static int fail_to_write(void *unused)
{
    struct stream_pair pair;

    (void)unused;
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "abc\n");
    nido_stream_printf(&pair.stream, "lost");
    stream_pair_hang_up(&pair);
    cr_expect(eq(int, nido_stream_flush(&pair.stream), -EPIPE));
    cr_expect(eq(sz, nido_stream_unsent(&pair.stream), 4));
    cr_expect(eq(int, nido_stream_write(&pair.stream, "x", 1, NULL), -EPIPE));
    cr_expect(eq(int, nido_stream_printf(&pair.stream, "x"), -EPIPE));
    cr_expect(eq(int, nido_stream_close(&pair.stream), -ENOTEMPTY));
    return 0;
}

NIDO_TEST(stream, a_failure_of_the_output_is_kept_and_the_close_tells_what_is_dropped)
{
    cr_expect(eq(int, io_run(fail_to_write), 0));
}

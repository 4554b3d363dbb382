/* SPDX-License-Identifier: MIT */
/* nido/stream.h: reading. */
#include <errno.h>

#include "stream_help.h"

/* ---- Lines ---- */

static int read_lines(void *unused)
{
    struct stream_pair pair;
    size_t length;
    char *line;

    (void)unused;
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "one\ntwo\r\n\n\r\nthree\rfour\nlast");
    stream_pair_hang_up(&pair);
    cr_expect(stream_line_is(&pair.stream, "one"));
    cr_expect(stream_line_is(&pair.stream, "two"));
    cr_expect(stream_line_is(&pair.stream, ""));
    cr_expect(stream_line_is(&pair.stream, ""));
    cr_expect(stream_line_is(&pair.stream, "three\rfour"));
    cr_expect(stream_line_is(&pair.stream, "last"));
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), 0));
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), 0));
    cr_expect(eq(int, (int)nido_stream_read(&pair.stream, (char[9]){0}, 9), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, lines_come_without_their_ends_and_the_last_needs_none)
{
    cr_expect(eq(int, io_run(read_lines), 0));
}

static int read_binary(void *unused)
{
    static const char bytes[] = "a\0b\nzw\303\266lf \360\237\220\246\n";
    struct stream_pair pair;
    size_t length;
    char *line;

    (void)unused;
    stream_pair_open(&pair, NULL);
    nido_write_all(pair.peer, bytes, sizeof bytes - 1, NULL);
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), 1));
    cr_expect(length == 3 && !memcmp(line, "a\0b", 4));
    cr_expect(stream_line_is(&pair.stream, "zw\303\266lf \360\237\220\246"));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_line_may_hold_any_byte_but_its_end)
{
    cr_expect(eq(int, io_run(read_binary), 0));
}

/* ---- Too long ---- */

static int read_too_long(void *unused)
{
    nido_stream_options options;
    struct stream_pair pair;
    size_t length;
    char *line;

    (void)unused;
    nido_stream_options_init(&options);
    options.longest = 8;
    options.name = "client";
    stream_pair_open(&pair, &options);
    stream_pair_say(&pair, "1234567\n12345678\n123456789\nrest\n");
    cr_expect(stream_line_is(&pair.stream, "1234567"));
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), -EMSGSIZE));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()),
                 "client: a line is longer than 8 bytes"));
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), -EMSGSIZE));
    cr_expect(eq(int, nido_stream_take(&pair.stream, 9), 0));
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), -EMSGSIZE));
    cr_expect(eq(int, nido_stream_take(&pair.stream, 10), 0));
    cr_expect(stream_line_is(&pair.stream, "rest"));
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 9, &line), -EMSGSIZE));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_line_above_the_limit_is_told_and_not_taken)
{
    cr_expect(eq(int, io_run(read_too_long), 0));
}

static int write_long_line(void *arg)
{
    const struct stream_pair *pair = arg;
    static char line[60000];

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    return nido_write_all(pair->peer, line, sizeof line, NULL);
}

static int read_long_line(void *unused)
{
    struct stream_pair pair;
    nido_group group;
    size_t length = 0;
    char *line;

    (void)unused;
    stream_pair_open(&pair, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, write_long_line, &pair), 0));
    cr_expect(eq(int, nido_stream_line(&pair.stream, &line, &length), 1));
    cr_expect(eq(sz, length, 59999));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, the_buffer_grows_with_a_line)
{
    cr_expect(eq(int, io_run(read_long_line), 0));
}

/* ---- Up to an end ---- */

static int read_until(void *unused)
{
    struct stream_pair pair;
    size_t length;
    char *head;

    (void)unused;
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "GET /\r\n\r\r\n\r\nbody\r\n\r");
    stream_pair_hang_up(&pair);
    cr_expect(eq(int, nido_stream_until(&pair.stream, "\r\n\r\n", 4, &head, &length), 1));
    cr_expect(length == 12 && !memcmp(head, "GET /\r\n\r\r\n\r\n", 12));
    cr_expect(eq(int, nido_stream_until(&pair.stream, "", 0, &head, &length), -EINVAL));
    cr_expect(eq(int, nido_stream_until(&pair.stream, "\r\n\r\n", 4, &head, &length), -EPIPE));
    cr_expect(stream_line_is(&pair.stream, "body"));
    cr_expect(eq(int, nido_stream_take(&pair.stream, 1), 0));
    cr_expect(eq(int, nido_stream_until(&pair.stream, "\r\n\r\n", 4, &head, &length), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, an_end_of_several_bytes_is_found_and_what_lacks_it_stays)
{
    cr_expect(eq(int, io_run(read_until), 0));
}

/* ---- Peeking ---- */

static int peek_and_take(void *unused)
{
    struct stream_pair pair;
    char *bytes;

    (void)unused;
    stream_pair_open(&pair, NULL);
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 0, &bytes), 0));
    stream_pair_say(&pair, "abcdef");
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 2, &bytes), 6));
    cr_expect(memcmp(bytes, "abcdef", 6) == 0);
    cr_expect(eq(int, nido_stream_take(&pair.stream, 7), -EINVAL));
    cr_expect(eq(int, nido_stream_take(&pair.stream, 4), 0));
    stream_pair_hang_up(&pair);
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 10, &bytes), 2));
    cr_expect(memcmp(bytes, "ef", 2) == 0);
    cr_expect(eq(int, nido_stream_take(&pair.stream, 2), 0));
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 1, &bytes), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_peek_takes_nothing)
{
    cr_expect(eq(int, io_run(peek_and_take), 0));
}

static int peek_too_much(void *arg)
{
    struct stream_pair *pair = arg;
    char *bytes;

    return (int)nido_stream_peek(&pair->stream, 10, &bytes);
}

static int peek_under_a_deadline(void *unused)
{
    struct stream_pair pair;
    char rest[6];
    size_t done = 0;

    (void)unused;
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "abcdef");
    cr_expect(eq(int, nido_with_timeout(NIDO_SEC(1), peek_too_much, &pair), -ETIMEDOUT));
    cr_expect(eq(int, nido_stream_read_full(&pair.stream, rest, 6, &done), 0));
    cr_expect(done == 6 && !memcmp(rest, "abcdef", 6));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, what_came_before_a_cancel_is_there_for_the_next_call)
{
    cr_expect(eq(int, io_run(peek_under_a_deadline), 0));
}

/* ---- Bytes ---- */

static int read_bytes(void *unused)
{
    static char large[40000], got[40000];
    struct stream_pair pair;
    size_t done = 9;

    (void)unused;
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 7 % 251);
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "x\nabc");
    cr_expect(stream_line_is(&pair.stream, "x"));
    nido_write_all(pair.peer, large, sizeof large, NULL);
    cr_expect(eq(int, (int)nido_stream_read(&pair.stream, got, 2), 2));
    cr_expect(eq(int, (int)nido_stream_read(&pair.stream, got, 0), 0));
    cr_expect(eq(int, (int)nido_stream_read(&pair.stream, got + 2, 9000), 1));
    cr_expect(memcmp(got, "abc", 3) == 0);
    cr_expect(eq(int, nido_stream_read_full(&pair.stream, got, sizeof got, &done), 0));
    cr_expect(done == sizeof got && !memcmp(got, large, sizeof got));
    stream_pair_say(&pair, "12345");
    stream_pair_hang_up(&pair);
    cr_expect(eq(int, nido_stream_read_full(&pair.stream, got, 9, &done), -EPIPE));
    cr_expect(done == 5 && !memcmp(got, "12345", 5));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, bytes_come_from_the_buffer_first)
{
    cr_expect(eq(int, io_run(read_bytes), 0));
}

/* ---- Failures ---- */

static int fail_to_read(void *unused)
{
    struct stream_pair pair;
    char *bytes;

    (void)unused;
    stream_pair_open(&pair, NULL);
    stream_pair_say(&pair, "abc\nde");
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 4, &bytes), 6));
    nido_test_disturb("read", 1, -EIO);
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 7, &bytes), -EIO));
    cr_expect(stream_line_is(&pair.stream, "abc"));
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 2, &bytes), 2));
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 3, &bytes), -EIO));
    cr_expect(eq(int, nido_stream_take(&pair.stream, 2), 0));
    cr_expect(eq(int, nido_stream_wait(&pair.stream), -EIO));
    cr_expect(eq(int, nido_stream_write(&pair.stream, "x", 1, NULL), 0));
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    stream_pair_close(&pair);
    return 0;
}

NIDO_TEST(stream, a_failure_of_the_input_is_kept_and_what_came_before_is_given)
{
    cr_expect(eq(int, io_run(fail_to_read), 0));
}

static int wait_a_while(void *arg)
{
    return nido_stream_wait(&((struct stream_pair *)arg)->stream);
}

static int use_twice(void *unused)
{
    struct stream_pair pair;
    nido_group group;
    char *bytes;

    (void)unused;
    stream_pair_open(&pair, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, wait_a_while, &pair), 0));
    nido_yield();
    cr_expect(eq(int, (int)nido_stream_peek(&pair.stream, 1, &bytes), -EBUSY));
    cr_expect(eq(int, nido_stream_take(&pair.stream, 0), -EBUSY));
    cr_expect(eq(int, nido_stream_close(&pair.stream), -EBUSY));
    cr_expect(eq(int, nido_stream_write(&pair.stream, "x", 1, NULL), 0));
    cr_expect(eq(int, nido_stream_flush(&pair.stream), 0));
    stream_pair_say(&pair, "y");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    stream_pair_close(&pair);
    cr_expect(eq(int, nido_stream_wait(&pair.stream), -EBADF));
    cr_expect(eq(int, nido_stream_close(&pair.stream), -EBADF));
    cr_expect(eq(int, nido_stream_fd(&pair.stream), -EBADF));
    return 0;
}

NIDO_TEST(stream, one_task_reads_at_a_time_while_another_writes)
{
    cr_expect(eq(int, io_run(use_twice), 0));
}

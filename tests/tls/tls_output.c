/* SPDX-License-Identifier: MIT */
/* nido/tls.h: what is written: cancels, flushes, limits. */
#include <errno.h>

#include "tls_help.h"

/* ---- Cancels ---- */

enum { PIECE = 50000 };

static char piece_byte(size_t position)
{
    return (char)('a' + position % 19);
}

struct cut {
    nido_stream *stream;
    size_t wrote;
};

static int write_pieces(void *arg)
{
    struct cut *cut = arg;
    char bytes[3000];
    int rc = 0;

    while (cut->wrote < PIECE && !rc) {
        size_t done, n = sizeof bytes < PIECE - cut->wrote ? sizeof bytes : PIECE - cut->wrote;

        for (size_t i = 0; i < n; i++) bytes[i] = piece_byte(cut->wrote + i);
        rc = nido_stream_write(cut->stream, bytes, n, &done);
        cut->wrote += done;
    }
    return rc ? rc : nido_stream_flush(cut->stream);
}

/* The peer reads nothing at first: each attempt ends by a cancel, and the next one goes on. */
static int write_through_cancels(nido_stream *stream, struct tls_ends *ends)
{
    struct cut cut = {.stream = stream};
    int rc, cancels = 0;

    setsockopt(ends->fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    do rc = nido_with_timeout(NIDO_MS(10), write_pieces, &cut);
    while (rc == -ETIMEDOUT && ++cancels < 1000000);
    cr_expect(cancels > 3, "%d", cancels);
    return rc ? rc : nido_stream_shutdown(stream);
}

static int read_slowly(nido_stream *stream, struct tls_ends *ends)
{
    char bytes[2000];
    size_t got = 0;
    ssize_t n;

    (void)ends;
    nido_sleep(NIDO_SEC(1));
    while ((n = nido_stream_read(stream, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != piece_byte(got + (size_t)i)) return -EBADMSG;
        got += (size_t)n;
        if (got % 4000 < 2000) nido_sleep(NIDO_MS(25));
    }
    cr_expect(got == PIECE, "%zu", got);
    return (int)n;
}

static int cut_writes(void *unused)
{
    struct tls_ends ends = {.serve = write_through_cancels, .ask = read_slowly};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(ends.served == 0 && ends.asked == 0, "%d %s, %d %s", ends.served, ends.served_text,
              ends.asked, ends.asked_text);
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_write_that_is_cancelled_again_and_again_loses_and_doubles_no_byte)
{
    cr_expect(eq(int, io_run(cut_writes), 0));
}

/* ---- A flush after a cancel ---- */

static int flush_again(nido_stream *stream, struct tls_ends *ends)
{
    static char much[16000];
    int64_t begun;
    int rc;

    setsockopt(ends->fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    io_fill(ends->fds[0]);
    nido_stream_write(stream, much, sizeof much, NULL);
    rc = nido_with_timeout(NIDO_SEC(1), (nido_fn *)(void (*)(void))nido_stream_flush, stream);
    cr_expect(eq(int, rc, -ETIMEDOUT));
    begun = nido_now();
    rc = nido_with_timeout(NIDO_SEC(1), (nido_fn *)(void (*)(void))nido_stream_flush, stream);
    cr_expect(rc == -ETIMEDOUT && nido_now() - begun == NIDO_SEC(1), "it is still unsent");
    cr_expect(eq(int, nido_stream_close(stream), -ENOTEMPTY));
    return 0;
}

static int sleep_on(nido_stream *stream, struct tls_ends *ends)
{
    (void)stream, (void)ends;
    return nido_sleep(NIDO_SEC(10));
}

static int flush_in_vain(void *unused)
{
    struct tls_ends ends = {.serve = flush_again, .ask = sleep_on};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_flush_returns_0_only_when_all_is_sent_and_a_close_tells_what_is_lost)
{
    cr_expect(eq(int, io_run(flush_in_vain), 0));
}

/* ---- What is left of a cancelled flush ---- */

static int flush_and_read(nido_stream *stream, struct tls_ends *ends)
{
    static char much[16000];
    char bytes[2];
    int rc;

    setsockopt(ends->fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    nido_stream_write(stream, much, sizeof much, NULL);
    rc = nido_with_timeout(NIDO_MS(1), (nido_fn *)(void (*)(void))nido_stream_flush, stream);
    cr_expect(rc == -ETIMEDOUT && nido_stream_unsent(stream) == 0);
    return nido_stream_read_full(stream, bytes, 2, NULL);
}

static int read_and_answer(nido_stream *stream, struct tls_ends *ends)
{
    char bytes[16000];
    int rc;

    (void)ends;
    nido_sleep(NIDO_SEC(1));
    rc = nido_stream_read_full(stream, bytes, sizeof bytes, NULL);
    if (!rc) rc = nido_stream_printf(stream, "ok") < 0 ? -EPROTO : nido_stream_flush(stream);
    return rc;
}

static int read_with_a_rest(void *unused)
{
    struct tls_ends ends = {.serve = flush_and_read, .ask = read_and_answer};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(ends.served == 0 && ends.asked == 0, "%d %s, %d %s", ends.served, ends.served_text,
              ends.asked, ends.asked_text);
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, a_task_that_waits_for_input_sends_what_a_cancelled_flush_has_left)
{
    cr_expect(eq(int, io_run(read_with_a_rest), 0));
}

/* ---- Large writes, and readers that are slow ---- */

static int write_and_rest(nido_stream *stream, struct tls_ends *ends)
{
    static char much[40000];

    (void)ends;
    nido_stream_write(stream, much, sizeof much, NULL);
    return nido_sleep(NIDO_SEC(10));
}

static int read_most(nido_stream *stream, struct tls_ends *ends)
{
    static char much[20000];
    int64_t begun = nido_now();
    int rc = nido_stream_read_full(stream, much, sizeof much, NULL);

    (void)ends;
    cr_expect(nido_now() - begun < NIDO_SEC(1), "without a flush");
    return rc;
}

static int write_to_a_sleeper(nido_stream *stream, struct tls_ends *ends)
{
    static char much[400000];
    size_t done;
    int rc;

    setsockopt(ends->fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    rc = nido_stream_write(stream, much, sizeof much, &done);
    cr_expect(done < sizeof much);
    return rc;
}

static int sleep_long(nido_stream *stream, struct tls_ends *ends)
{
    (void)stream, (void)ends;
    return nido_sleep(NIDO_SEC(100));
}

static int write_much_at_once(void *unused)
{
    struct tls_ends ends = {.serve = write_and_rest, .ask = read_most};

    (void)unused;
    ends.server = tls_server(TLS_SERVER);
    ends.client = tls_client();
    tls_meet(&ends);
    cr_expect(ends.asked == 0, "%s", ends.asked_text);
    ends.serve = write_to_a_sleeper;
    ends.ask = sleep_long;
    ends.options = &NIDO_STREAM_OPTIONS(.write_ns = NIDO_SEC(3));
    tls_meet(&ends);
    cr_expect(eq(int, ends.served, -ETIMEDOUT));
    tls_told(ends.served_text, "the peer took no bytes for 3 s");
    tls_ends_free(&ends);
    return 0;
}

NIDO_TEST(tls, large_writes_are_sent_at_once_and_a_slow_reader_has_a_limit)
{
    cr_expect(eq(int, io_run(write_much_at_once), 0));
}

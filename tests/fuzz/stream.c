/* SPDX-License-Identifier: MIT */
/* Reading a stream against a plain model: the same bytes, in pieces that the input chooses, read by calls
 * that the input chooses. The model has all bytes at once, so it also says that no result depends on the
 * pieces. Bytes of the input: buffer, limit, number of calls, the calls, then pieces with a length
 * each. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nido.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x) ((x) ? (void)0 : must_fail(#x, __LINE__))

static void must_fail(const char *what, int line)
{
    fprintf(stderr, "tests/fuzz/stream.c:%d: %s\n", line, what);
    abort();
}

static struct {
    const uint8_t *data;
    size_t size, at;        /* the input of the fuzzer */
    uint8_t bytes[1 << 16]; /* what the stream carries */
    size_t length, given;
    size_t pieces[1 << 16], count, next;
    size_t read; /* the model: this much has been taken */
    size_t longest;
} it;

static unsigned next_byte(void)
{
    return it.at < it.size ? it.data[it.at++] : 0;
}

/* ---- The transport ---- */

static ssize_t piece_read(void *ctx, void *buf, size_t len)
{
    size_t n;

    (void)ctx;
    while (it.next < it.count && !it.pieces[it.next]) it.next++;
    if (it.next == it.count) return 0;
    n = it.pieces[it.next] < len ? it.pieces[it.next] : len;
    memcpy(buf, it.bytes + it.given, n);
    it.given += n;
    it.pieces[it.next] -= n;
    return (ssize_t)n;
}

static ssize_t nothing_written(void *ctx, const void *buf, size_t len)
{
    (void)ctx, (void)buf;
    return (ssize_t)len;
}

static const nido_stream_ops pieces = {
    .size = sizeof pieces, .read = piece_read, .write = nothing_written};

/* ---- The model ---- */

static size_t left(void)
{
    return it.length - it.read;
}

/* Length with the end; 0: none; the limit + 1: too long. */
static size_t model_until(const char *end, size_t n)
{
    size_t look = left() < it.longest ? left() : it.longest;

    for (size_t i = 0; i + n <= look; i++)
        if (!memcmp(it.bytes + it.read + i, end, n)) return i + n;
    return left() >= it.longest ? it.longest + 1 : 0;
}

static void took(const void *bytes, size_t n)
{
    MUST(n <= left());
    MUST(!n || !memcmp(bytes, it.bytes + it.read, n));
    it.read += n;
}

static void check_line(nido_stream *stream)
{
    size_t want = model_until("\n", 1), length = 0, bare;
    char *line;
    int rc = nido_stream_line(stream, &line, &length);

    if (want > it.longest) {
        MUST(rc == -EMSGSIZE);
        return;
    }
    if (!want) want = left();
    MUST(rc == (want > 0));
    if (!want) return;
    bare = want;
    if (it.bytes[it.read + bare - 1] == '\n') bare--;
    if (bare < want && bare && it.bytes[it.read + bare - 1] == '\r') bare--;
    MUST(length == bare && line[length] == 0);
    took(line, bare);
    it.read += want - bare;
}

static void check_until(nido_stream *stream, const char *end, size_t n)
{
    size_t want = model_until(end, n), length = 0;
    char *bytes;
    int rc = nido_stream_until(stream, end, n, &bytes, &length);

    if (want > it.longest) {
        MUST(rc == -EMSGSIZE);
    } else if (!want) {
        MUST(rc == (left() ? -EPIPE : 0));
    } else {
        MUST(rc == 1 && length == want);
        took(bytes, length);
    }
}

static void check_peek(nido_stream *stream, size_t want, size_t take)
{
    char *bytes;
    ssize_t n = nido_stream_peek(stream, want, &bytes);

    if (want > it.longest) {
        MUST(n == -EMSGSIZE);
        return;
    }
    MUST(n >= 0 && ((size_t)n >= want || (size_t)n == left()) && (size_t)n <= left());
    MUST(!n || !memcmp(bytes, it.bytes + it.read, (size_t)n));
    MUST(nido_stream_take(stream, take) == (take <= (size_t)n ? 0 : -EINVAL));
    if (take <= (size_t)n) it.read += take;
}

static void check_read(nido_stream *stream, size_t len)
{
    char bytes[300];
    ssize_t n = nido_stream_read(stream, bytes, len);

    MUST(n >= 0 && (size_t)n <= len && (n > 0 || !len || !left()));
    took(bytes, (size_t)n);
}

static void check_full(nido_stream *stream, size_t len)
{
    char bytes[300];
    size_t done = 999;
    int rc = nido_stream_read_full(stream, bytes, len, &done);

    MUST(rc == (len <= left() ? 0 : -EPIPE));
    MUST(done == (len <= left() ? len : left()));
    took(bytes, done);
}

static void check_wait(nido_stream *stream)
{
    MUST(nido_stream_wait(stream) == (left() > 0));
}

/* ---- One input ---- */

static void check_call(nido_stream *stream, unsigned call)
{
    switch (call % 8) {
    case 0:
    case 1:
        check_line(stream);
        return;
    case 2:
        check_until(stream, "\r\n\r\n", 1 + call / 8 % 4);
        return;
    case 3:
        check_until(stream, "aab", 3);
        return;
    case 4:
        check_peek(stream, call / 8, next_byte() % 40);
        return;
    case 5:
        check_read(stream, call);
        return;
    case 6:
        check_full(stream, call / 4);
        return;
    default:
        check_wait(stream);
    }
}

static void read_pieces(void)
{
    while (it.at < it.size && it.length + 255 < sizeof it.bytes) {
        size_t n = next_byte() % 32;

        if (n > it.size - it.at) n = it.size - it.at;
        memcpy(it.bytes + it.length, it.data + it.at, n);
        it.at += n;
        it.length += n;
        it.pieces[it.count++] = n;
    }
}

static int read_stream(void *unused)
{
    uint8_t calls[255];
    nido_stream_options options;
    nido_stream stream;
    unsigned n;

    (void)unused;
    nido_stream_options_init(&options);
    options.buffer_size = 1 + next_byte() % 64;
    it.longest = options.longest = 1 + next_byte() % 64;
    n = next_byte();
    for (unsigned i = 0; i < n; i++) calls[i] = (uint8_t)next_byte();
    read_pieces();
    MUST(nido_stream_open_ops(&stream, &pieces, NULL, &options) == 0);
    for (unsigned i = 0; i < n; i++) check_call(&stream, calls[i]);
    while (left()) check_read(&stream, 300);
    check_wait(&stream);
    nido_stream_close(&stream);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    it.data = data;
    it.size = size;
    it.at = it.length = it.given = it.count = it.next = it.read = 0;
    MUST(nido_run(read_stream, NULL, NULL) == 0);
    return 0;
}

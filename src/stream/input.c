/* SPDX-License-Identifier: MIT */
/* stream/input.c: what is read: lines, pieces with an end, peeks, bytes. */
#include <string.h>

#include "nido/error.h"
#include "stream/stream.h"

NIDOI_IN_CALLER int input_enter(const nido_stream *stream, struct nidoi_loop **loop)
{
    int err = nidoi_enter(loop);

    return err ? err : nidoi_stream_check(stream, *loop, NIDOI_STREAM_READING);
}

/* What the input says when the buffer is empty: 1: ask the transport; 0: the end; a failure. */
static int input_state(const nido_stream *stream)
{
    if (stream->in_failure) return stream->in_failure;
    return !(stream->flags & NIDOI_STREAM_ENDED);
}

/* While the output is flushed another task might read: it is kept out. */
static int input_push(nido_stream *stream, struct nidoi_loop *loop)
{
    int err;

    if (!nidoi_stream_pending(stream)) return 0;
    nidoi_stream_reads(stream, loop);
    err = nidoi_stream_push_own(stream, loop);
    stream->flags &= ~(uint32_t)NIDOI_STREAM_READING;
    return err;
}

ssize_t nidoi_stream_fill(nido_stream *stream, struct nidoi_loop *loop)
{
    ssize_t n = input_state(stream);

    if (n <= 0) return n;
    n = input_push(stream, loop);
    if (!n) n = nidoi_stream_room_in(stream, nidoi_stream_have(stream) + 1);
    if (n) return n;
    n = nidoi_stream_receive(stream, loop, stream->in + stream->in_end,
                             stream->in_room - stream->in_end);
    if (n > 0) stream->in_end += (size_t)n;
    return n;
}

/* There is a buffer. */
static char *input_first(const nido_stream *stream)
{
    return stream->in + stream->in_at;
}

/* ---- Up to an end ---- */

static int input_too_long(const nido_stream *stream, const char *what)
{
    return nido_fail(-EMSGSIZE, "%s: %s is longer than %zu bytes",
                     stream->name ? stream->name : "stream", what, stream->longest);
}

/* The first place of `end` in [from, have), or NULL. */
static char *input_find(char *bytes, size_t from, size_t have, const char *end, size_t n)
{
    char *at = bytes + from, *limit = bytes + have;

    if (n == 1) return from < have ? memchr(at, end[0], have - from) : NULL;
    while (at < limit && (size_t)(limit - at) >= n) {
        at = memchr(at, end[0], (size_t)(limit - at) - (n - 1));
        if (!at || memcmp(at, end, n) == 0) return at;
        at++;
    }
    return NULL;
}

/* Of what has arrived, as much as may be searched: whether it is too long depends on the bytes only,
 * not on how they arrive. */
static size_t input_look(const nido_stream *stream)
{
    size_t have = nidoi_stream_have(stream);

    return have < stream->longest ? have : stream->longest;
}

/* How many bytes there are up to and with the next `end`, of which the first `seen` have none; 0:
 * none is there. */
static inline ssize_t input_search(const nido_stream *stream, size_t seen, const char *end,
                                   size_t n)
{
    size_t look = input_look(stream);
    char *found = seen < look ? input_find(input_first(stream), seen, look, end, n) : NULL;

    return found ? found - input_first(stream) + (ssize_t)n : 0;
}

/* The same with more input, after a search without success. 0: the input ended. */
static NIDOI_RARE ssize_t input_search_on(nido_stream *stream, struct nidoi_loop *loop,
                                          const char *end, size_t n, const char *what)
{
    ssize_t found;

    do {
        size_t look = input_look(stream);
        ssize_t got;

        if (look == stream->longest) return input_too_long(stream, what);
        got = nidoi_stream_fill(stream, loop);
        if (got <= 0) return got;
        found = input_search(stream, look < n ? 0 : look - (n - 1), end, n);
    } while (!found);
    return found;
}

static inline ssize_t input_up_to(nido_stream *stream, struct nidoi_loop *loop, const char *end,
                                  size_t n, const char *what)
{
    ssize_t found = input_search(stream, 0, end, n);

    return found ? found : input_search_on(stream, loop, end, n, what);
}

/* The first n bytes are the caller's until the next call. */
static char *input_give(nido_stream *stream, size_t n)
{
    char *bytes = input_first(stream);

    stream->in_at += n;
    return bytes;
}

static size_t line_without_end(const char *line, size_t length)
{
    if (length && line[length - 1] == '\n')
        length--;
    else
        return length;
    return length && line[length - 1] == '\r' ? length - 1 : length;
}

int nido_stream_line(nido_stream *stream, char **out, size_t *length)
{
    struct nidoi_loop *loop;
    ssize_t n = input_enter(stream, &loop);

    if (!n) n = input_up_to(stream, loop, "\n", 1, "a line");
    if (!n) n = (ssize_t)nidoi_stream_have(stream); /* the last one */
    if (n <= 0) return (int)n;
    *out = input_give(stream, (size_t)n);
    *length = line_without_end(*out, (size_t)n);
    (*out)[*length] = 0;
    return 1;
}

int nido_stream_until(nido_stream *stream, const void *end, size_t n, char **out, size_t *length)
{
    struct nidoi_loop *loop;
    ssize_t found = input_enter(stream, &loop);

    if (!found && !n) found = nido_fail(-EINVAL, "nido_stream_until: an end of no bytes");
    if (!found) found = input_up_to(stream, loop, end, n, "what has an end");
    if (!found && nidoi_stream_have(stream)) found = -EPIPE;
    if (found <= 0) return (int)found;
    *out = input_give(stream, (size_t)found);
    *length = (size_t)found;
    return 1;
}

/* ---- Peeking ---- */

ssize_t nido_stream_peek(nido_stream *stream, size_t want, char **out)
{
    struct nidoi_loop *loop;
    ssize_t n = input_enter(stream, &loop);

    if (!n && want > stream->longest) n = input_too_long(stream, "what is asked for");
    while (!n && nidoi_stream_have(stream) < want) {
        n = nidoi_stream_fill(stream, loop);
        if (!n) break;
        if (n > 0) n = 0;
    }
    if (n < 0) return n;
    *out = stream->in ? input_first(stream) : NULL;
    return (ssize_t)nidoi_stream_have(stream);
}

int nido_stream_take(nido_stream *stream, size_t n)
{
    const struct nidoi_loop *loop = nidoi_loop_self();
    int err = loop ? nidoi_stream_check(stream, loop, NIDOI_STREAM_READING) : -EPERM;

    if (err) return err;
    if (n > nidoi_stream_have(stream))
        return nido_fail(-EINVAL, "nido_stream_take: %zu of %zu bytes", n,
                         nidoi_stream_have(stream));
    stream->in_at += n;
    return 0;
}

/* ---- Bytes ---- */

/* After a step that may have parked, before the next one: the entry may yield. */
NIDOI_IN_CALLER int input_go_on(nido_stream *stream)
{
    struct nidoi_loop *loop;
    int err;

    nidoi_stream_reads(stream, nidoi_loop_self());
    err = nidoi_enter(&loop);
    stream->flags &= ~(uint32_t)NIDOI_STREAM_READING;
    return err;
}

static size_t input_copy(nido_stream *stream, void *buf, size_t len)
{
    size_t have = nidoi_stream_have(stream), n = len < have ? len : have;

    if (n) memcpy(buf, input_give(stream, n), n);
    return n;
}

/* What fills a buffer by itself needs none. */
static ssize_t input_past_buffer(nido_stream *stream, struct nidoi_loop *loop, void *buf,
                                 size_t len)
{
    ssize_t n = input_state(stream);

    if (n <= 0) return n;
    n = input_push(stream, loop);
    return n ? n : nidoi_stream_receive(stream, loop, buf, len);
}

static ssize_t input_some(nido_stream *stream, struct nidoi_loop *loop, void *buf, size_t len)
{
    ssize_t n;

    if (nidoi_stream_have(stream)) return (ssize_t)input_copy(stream, buf, len);
    if (len >= stream->buffer_size) return input_past_buffer(stream, loop, buf, len);
    n = nidoi_stream_fill(stream, loop);
    return n > 0 ? (ssize_t)input_copy(stream, buf, len) : n;
}

ssize_t nido_stream_read(nido_stream *stream, void *buf, size_t len)
{
    struct nidoi_loop *loop;
    ssize_t n = input_enter(stream, &loop);

    if (n || !len) return n;
    return input_some(stream, loop, buf, len);
}

/* Each piece is charged and looks at the scope, like a call of its own. */
int nido_stream_read_full(nido_stream *stream, void *buf, size_t len, size_t *done)
{
    struct nidoi_loop *loop;
    size_t got = 0;
    ssize_t n = input_enter(stream, &loop);

    while (!n && got < len) {
        n = input_some(stream, loop, (char *)buf + got, len - got);
        if (!n) n = -EPIPE;
        if (n < 0) break;
        got += (size_t)n;
        n = got < len ? input_go_on(stream) : 0;
    }
    if (done) *done = got;
    return (int)n;
}

int nido_stream_wait(nido_stream *stream)
{
    struct nidoi_loop *loop;
    ssize_t n = input_enter(stream, &loop);

    if (n) return (int)n;
    if (nidoi_stream_have(stream)) return 1;
    n = input_state(stream);
    if (n > 0)
        n = input_push(stream, loop);
    else
        return (int)n;
    if (n) return (int)n;
    n = stream->flags & NIDOI_STREAM_STOPPED ? nidoi_stream_glance(stream, loop)
                                             : nidoi_stream_await(stream, loop);
    return n > 0 ? 1 : (int)n;
}

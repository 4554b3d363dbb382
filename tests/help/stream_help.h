/* SPDX-License-Identifier: MIT */
/* stream_help.h: a stream over one end of a pair of Unix sockets, the test at the other. */
#ifndef STREAM_HELP_H
#define STREAM_HELP_H

#include <string.h>

#include "io_help.h"

/* The peer's end is fds[1]; the stream's is closed with it. */
struct stream_pair {
    nido_stream stream;
    int peer;
};

static inline void stream_pair_open(struct stream_pair *pair, const nido_stream_options *options)
{
    int fds[2];

    cr_assert(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0));
    cr_assert(eq(int, nido_stream_open(&pair->stream, fds[0], options), 0));
    pair->peer = fds[1];
}

static inline void stream_pair_close(struct stream_pair *pair)
{
    nido_stream_close(&pair->stream);
    if (pair->peer >= 0) nido_close(pair->peer);
}

static inline void stream_pair_say(const struct stream_pair *pair, const char *text)
{
    cr_expect(eq(int, nido_write_all(pair->peer, text, strlen(text), NULL), 0));
}

static inline void stream_pair_hang_up(struct stream_pair *pair)
{
    nido_close(pair->peer);
    pair->peer = -1;
}

/* What the peer has got by now, as a string. */
static inline const char *stream_pair_heard(const struct stream_pair *pair)
{
    static char heard[64 << 10];
    ssize_t n = recv(pair->peer, heard, sizeof heard - 1, MSG_DONTWAIT);

    heard[n > 0 ? n : 0] = 0;
    return heard;
}

/* The next line is `text`. */
static inline bool stream_line_is(nido_stream *stream, const char *text)
{
    size_t length;
    char *line;

    return nido_stream_line(stream, &line, &length) == 1 && length == strlen(text) &&
           !memcmp(line, text, length + 1);
}

#endif

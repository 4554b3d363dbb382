/* SPDX-License-Identifier: MIT */
/* httpp.h: requests of HTTP/1.1 from a stream, parsed by http_parser.
 *
 *     hp_open(&reader, stream);
 *     while ((rc = hp_next(&reader)) > 0) {
 *         ... http_method_str(reader.parser.method), reader.url, hp_header(&reader, "Host") ...
 *         while ((rc = hp_body(&reader, &bytes, &n)) > 0) ... n bytes at `bytes` ...
 *         ... the answer, to the stream ...
 *         if (rc < 0 || !reader.keeps_alive) break;
 *     }
 *
 * It owns nothing: there is nothing to close. */
#ifndef ADAPTER_HTTPP_H
#define ADAPTER_HTTPP_H

#include <http_parser.h>
#include <nido.h>

enum { HP_LONGEST_HEAD = 8192 };

/* Caller's memory. Of the current request: parser.method, url, keeps_alive. */
typedef struct hp_reader {
    http_parser parser;
    nido_stream *stream;
    const char *url;
    bool keeps_alive; /* the connection may be used for another one */

    /* Private. */
    bool begun, has_head, done, too_long;
    int part; /* what is being written to `head` */
    const char *body;
    size_t body_length;
    size_t length;              /* of `head` */
    char head[HP_LONGEST_HEAD]; /* the url, then names and values of headers, a 0 after each */
} hp_reader;

/* Begins with a stream, which stays the caller's. Not a cancellation point. */
void hp_open(hp_reader *reader, nido_stream *stream);

/* Waits for the next request and reads its head; what the one before has left of its body is skipped.
 * Cancellation point. 1; 0: the end of the stream, or it was asked to stop (nido_stream_wait);
 * -EPROTO: this is no HTTP, or the end came in the middle; -EMSGSIZE: the head is longer than
 * HP_LONGEST_HEAD; or as nido_stream_peek. */
int hp_next(hp_reader *reader);

/* The next piece of the body, which stays valid until the next call that reads. Cancellation point. 1;
 * 0: the end of the body; or a failure as of hp_next. */
int hp_body(hp_reader *reader, const char **out, size_t *n);

/* The value of a header of the current request; NULL: it has none. Cannot fail. Not a cancellation
 * point. */
const char *hp_header(const hp_reader *reader, const char *name);

#endif

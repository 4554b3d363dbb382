/* SPDX-License-Identifier: MIT */
/* httpp.c: see httpp.h. http_parser is fed what a stream has, and pauses at what the caller waits for. */
#include "httpp.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- What http_parser calls ---- */

enum { HP_URL, HP_NAME, HP_VALUE };

static int hp_put(hp_reader *reader, const char *bytes, size_t n)
{
    if (n > sizeof reader->head - reader->length) return reader->too_long = true;
    memcpy(reader->head + reader->length, bytes, n);
    reader->length += n;
    return 0;
}

/* Each comes in any number of pieces, and ends where another begins. What stands behind a body is not
 * kept. */
static int hp_put_part(hp_reader *reader, int part, const char *bytes, size_t n)
{
    if (reader->has_head) return 0;
    if (reader->part != part && hp_put(reader, "", 1)) return 1;
    reader->part = part;
    return hp_put(reader, bytes, n);
}

static int on_begin(http_parser *parser)
{
    hp_reader *reader = parser->data;
    reader->begun = true;
    return 0;
}

static int on_url(http_parser *parser, const char *bytes, size_t n)
{
    return hp_put_part(parser->data, HP_URL, bytes, n);
}

static int on_name(http_parser *parser, const char *bytes, size_t n)
{
    return hp_put_part(parser->data, HP_NAME, bytes, n);
}

static int on_value(http_parser *parser, const char *bytes, size_t n)
{
    return hp_put_part(parser->data, HP_VALUE, bytes, n);
}

/* To return 1 would mean that there is no body. */
static int on_head(http_parser *parser)
{
    hp_reader *reader = parser->data;
    if (hp_put(reader, "", 1)) return -1;
    reader->has_head = true;
    reader->keeps_alive = http_should_keep_alive(parser) && !parser->upgrade;
    http_parser_pause(parser, 1);
    return 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t n)
{
    hp_reader *reader = parser->data;
    reader->body = bytes;
    reader->body_length = n;
    http_parser_pause(parser, 1);
    return 0;
}

static int on_end(http_parser *parser)
{
    hp_reader *reader = parser->data;
    reader->done = true;
    http_parser_pause(parser, 1);
    return 0;
}

/* ---- Feeding ---- */

/* Parses up to the next pause, or all that is there. 1; 0: the stream has ended; or a failure. */
static int hp_feed(hp_reader *reader)
{
    static const http_parser_settings settings = {.on_message_begin = on_begin,
                                                  .on_url = on_url,
                                                  .on_header_field = on_name,
                                                  .on_header_value = on_value,
                                                  .on_headers_complete = on_head,
                                                  .on_body = on_body,
                                                  .on_message_complete = on_end};
    char *bytes;
    ssize_t n = nido_stream_peek(reader->stream, 1, &bytes);
    if (n <= 0) return (int)n;
    http_parser_pause(&reader->parser, 0);
    size_t parsed = http_parser_execute(&reader->parser, &settings, bytes, (size_t)n);
    enum http_errno why = HTTP_PARSER_ERRNO(&reader->parser);
    nido_stream_take(reader->stream, parsed);
    if (why == HPE_OK || why == HPE_PAUSED) return 1;
    if (reader->too_long) return -EMSGSIZE;
    return nido_fail(-EPROTO, "HTTP: %s", http_errno_description(why));
}

void hp_open(hp_reader *reader, nido_stream *stream)
{
    memset(reader, 0, offsetof(hp_reader, head));
    http_parser_init(&reader->parser, HTTP_REQUEST);
    reader->parser.data = reader;
    reader->stream = stream;
    reader->done = true;
}

static int hp_end(const hp_reader *reader)
{
    return reader->begun ? nido_fail(-EPROTO, "HTTP: the end in the middle of a request") : 0;
}

int hp_next(hp_reader *reader)
{
    const char *rest;
    size_t n;
    int rc = 1;
    while (!reader->done && rc > 0) rc = hp_body(reader, &rest, &n);
    if (rc < 0) return rc;
    reader->begun = reader->has_head = reader->done = false;
    reader->length = 0;
    reader->part = HP_URL;
    rc = nido_stream_wait(reader->stream);
    while (rc > 0 && !reader->has_head) rc = hp_feed(reader);
    if (rc <= 0) return rc < 0 ? rc : hp_end(reader);
    reader->url = reader->head;
    return 1;
}

int hp_body(hp_reader *reader, const char **out, size_t *n)
{
    int rc = 1;
    reader->body_length = 0;
    while (rc > 0 && !reader->done && reader->body_length == 0) rc = hp_feed(reader);
    if (rc < 0) return rc;
    if (reader->body_length == 0) return reader->done ? 0 : hp_end(reader);
    *out = reader->body;
    *n = reader->body_length;
    return 1;
}

const char *hp_header(const hp_reader *reader, const char *name)
{
    const char *at = reader->head + strlen(reader->head) + 1, *end = reader->head + reader->length;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (value >= end) return NULL;
        if (!strcasecmp(at, name)) return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* swept_httpp: cancels the adapter for http_parser at each of its cancellation points, over a pair of
 * sockets, with requests that come in pieces. What is told of a request is right, and nothing is left. */
#include <nido/test.h>
#include <string.h>
#include <sys/socket.h>

#include "../adapters/httpp.h"

static bool is_broken; /* the last run has lost or doubled something */
static int fds[2];

static int ask(void *unused)
{
    static const char text[] =
        "POST /a HTTP/1.1\r\nHost: x\r\nEmpty:\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: y\r\n\r\n"
        "PUT /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nvwxyz";
    int rc = 0;
    (void)unused;
    for (size_t at = 0; at < sizeof text - 1 && rc >= 0; at += 16) {
        size_t n = sizeof text - 1 - at < 16 ? sizeof text - 1 - at : 16;
        rc = nido_write_all(fds[1], text + at, n, NULL);
        if (rc >= 0) rc = nido_yield();
    }
    shutdown(fds[1], SHUT_WR);
    return rc < 0 ? rc : 0;
}

/* One request. 1; 0: the end. */
static int take(hp_reader *reader, const char *url, const char *body)
{
    char got[16] = "";
    const char *bytes;
    size_t n;
    int rc = hp_next(reader);
    if (rc <= 0) return rc;
    while ((rc = hp_body(reader, &bytes, &n)) > 0) strncat(got, bytes, n);
    if (rc == 0) is_broken |= strcmp(reader->url, url) != 0 || strcmp(got, body) != 0;
    return rc < 0 ? rc : 1;
}

static int serve(nido_stream *stream)
{
    hp_reader reader;
    hp_open(&reader, stream);
    int rc = take(&reader, "/a", "abcde");
    if (rc > 0) {
        const char *empty = hp_header(&reader, "empty"), *host = hp_header(&reader, "Host");
        is_broken |= !empty || *empty || !host || strcmp(host, "x") != 0 || hp_header(&reader, "x");
    }
    if (rc > 0) rc = take(&reader, "/b", "vwxyz");
    if (rc > 0) rc = hp_next(&reader);
    is_broken |= rc > 0;
    return rc;
}

static int talk(void *unused)
{
    nido_stream stream;
    nido_group group;
    (void)unused;
    is_broken = false;
    int rc = nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    if (rc < 0) return rc;
    rc = nido_stream_open(&stream, fds[0], NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, "both");
    if (rc == 0) rc = nido_spawn(&group, ask, NULL);
    if (rc == 0) rc = serve(&stream);
    rc = nido_group_close(&group, rc);
    nido_stream_close(&stream);
    nido_close(fds[1]);
    return rc;
}

static int judge(void *unused, int rc)
{
    (void)unused;
    return is_broken || rc > 0 ? -1 : 0;
}

int main(void)
{
    nido_test_options options;
    nido_test_options_init(&options);
    options.name = "requests by http_parser";
    options.flags = NIDO_TEST_LOOSE;
    options.check = judge;
    int broken = nido_sweep(talk, NULL, &options);
    broken += nido_sweep_memory(talk, NULL, &options);
    broken += nido_sweep_calls(talk, NULL, &options);
    return broken != 0;
}

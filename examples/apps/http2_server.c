/* SPDX-License-Identifier: MIT */
/* http2_server: a small server of HTTP/2 in the clear, for h2load, nghttp and curl.
 *
 * Shows the adapter for nghttp2 (../adapters/nghttp2.h): nido_serve makes a task for each connection,
 * the adapter one for each request, which may wait without delaying the others.
 *
 *     ./app_http2_server PORT
 *     h2load -n 100000 -c 10 -m 100 http://127.0.0.1:8080/
 *
 * /           hello
 * /echo       the body of the request
 * /bytes/N    N bytes
 * /sleep/MS   an answer after so many milliseconds */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../adapters/nghttp2.h"

enum { MOST_BYTES = 64 << 20 };

/* The number behind a prefix; -1: it is another path. */
static long number_behind(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(path, prefix, length) == 0 ? strtol(path + length, NULL, 10) : -1;
}

static int answer_bytes(h2_request *request, size_t length)
{
    char *bytes = length <= MOST_BYTES ? malloc(length + 1) : NULL;
    if (!bytes) return -ENOMEM;
    for (size_t i = 0; i < length; i++) bytes[i] = (char)('a' + i % 26);
    int rc = h2_respond(request, 200, "text/plain", bytes, length);
    free(bytes);
    return rc;
}

static int answer(h2_request *request, void *unused)
{
    const char *path = h2_path(request), *body;
    size_t length;
    long n;
    (void)unused;
    if (strcmp(path, "/") == 0) return h2_respond(request, 200, "text/plain", "hello\n", 6);
    if (strcmp(path, "/echo") == 0) {
        body = h2_body(request, &length);
        return h2_respond(request, 200, "text/plain", body, length);
    }
    if ((n = number_behind(path, "/bytes/")) >= 0) return answer_bytes(request, (size_t)n);
    if ((n = number_behind(path, "/sleep/")) >= 0) {
        int rc = nido_sleep(NIDO_MS(n));
        return rc == 0 ? h2_respond(request, 200, "text/plain", "slept\n", 6) : rc;
    }
    return h2_respond(request, 404, "text/plain", "not found\n", 10);
}

static int serve_client(nido_stream *stream, void *ctx)
{
    return h2_serve(stream, answer, ctx);
}

static int app(void *arg)
{
    int fd = nido_listen("127.0.0.1", arg, NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says which port and why */
    int bound = nido_local_port(fd);
    if (bound < 0) return nido_close(fd), bound;
    printf("listening on port %d\n", bound);
    return nido_serve(
        fd, serve_client, NULL,
        &NIDO_SERVE_OPTIONS(.stream = &NIDO_STREAM_OPTIONS(.write_ns = NIDO_SEC(30))));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    int rc = nido_run(app, argv[1], NULL);
    if (rc > 0) printf("stopped: %d connections were cut\n", rc);
    return nido_exit_status(rc);
}

/* SPDX-License-Identifier: MIT */
/* http_count: a server of HTTP/1.1 that says what it was sent.
 *
 * Shows the adapter for http_parser (../adapters/httpp.h) under nido_serve.
 *
 *     ./app_http_count PORT
 *     curl -d @file http://127.0.0.1:8080/
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "../adapters/httpp.h"

static int answer(nido_stream *client, hp_reader *request)
{
    const char *bytes, *type = hp_header(request, "Content-Type");
    unsigned long long sum = 0, count = 0;
    char text[256];
    size_t n;
    int rc;
    while ((rc = hp_body(request, &bytes, &n)) > 0) {
        count += n;
        for (size_t i = 0; i < n; i++) sum += (unsigned char)bytes[i];
    }
    if (rc < 0) return rc;
    int length = snprintf(text, sizeof text, "%s %.99s, %.40s: %llu bytes, sum %llu\n",
                          http_method_str(request->parser.method), request->url,
                          type ? type : "no type", count, sum);
    if (nido_stream_stopping(client)) request->keeps_alive = false;
    rc = nido_stream_printf(client, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", length,
                            request->keeps_alive ? "" : "Connection: close\r\n", text);
    return rc < 0 ? rc : request->keeps_alive;
}

static int serve_client(nido_stream *client, void *unused)
{
    hp_reader request;
    int rc;
    (void)unused;
    hp_open(&request, client);
    while ((rc = hp_next(&request)) > 0 && (rc = answer(client, &request)) > 0) continue;
    if (rc != -EPROTO && rc != -EMSGSIZE) return rc;
    rc = nido_stream_printf(client, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
                                    "Connection: close\r\n\r\n");
    return rc < 0 ? rc : 0;
}

static int app(void *port)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = nido_listen("127.0.0.1", port, NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says which port and why */
    if (getsockname(fd, (void *)&address, &length) < 0) return nido_close(fd), -errno;
    printf("listening on port %d\n", ntohs(address.sin_port));
    return nido_serve(
        fd, serve_client, NULL,
        &NIDO_SERVE_OPTIONS(.limit = 10000,
                            .stream = &NIDO_STREAM_OPTIONS(.idle_ns = NIDO_SEC(60),
                                                           .read_ns = NIDO_SEC(30),
                                                           .write_ns = NIDO_SEC(30))));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    return nido_exit_status(nido_run(app, argv[1], NULL));
}

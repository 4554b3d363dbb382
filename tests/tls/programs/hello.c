/* SPDX-License-Identifier: MIT */
/* hello CERTIFICATE KEY: an HTTPS server for tests/tls/peers.py, on a port that it prints. Answers every
 * request with "hello\n", and /N with N bytes. */
#include <arpa/inet.h>
#include <nido.h>
#include <nido/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int send_body(nido_stream *client, long size)
{
    static char block[16384];
    int rc = 0;

    memset(block, 'x', sizeof block);
    for (; size > 0 && rc >= 0; size -= (long)sizeof block)
        rc = nido_stream_write(client, block,
                               size < (long)sizeof block ? (size_t)size : sizeof block, NULL);
    return rc;
}

static int answer(nido_stream *client, void *unused)
{
    size_t length;
    char *head;
    int rc;

    (void)unused;
    while ((rc = nido_stream_wait(client)) > 0) {
        long size = 0;

        rc = nido_stream_until(client, "\r\n\r\n", 4, &head, &length);
        if (rc <= 0) return rc;
        if (length > 5) size = strtol(head + 5, NULL, 10);
        rc = nido_stream_printf(client, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n%s",
                                size ? size : 6, size ? "" : "hello\n");
        if (rc > 0 && size) rc = send_body(client, size);
        if (rc < 0) return rc;
    }
    return rc;
}

static int open_tls(nido_stream *client, int fd, const nido_stream_options *options, void *tls)
{
    return nido_tls_accept(client, tls, fd, options);
}

static int app(void *arg)
{
    static const char *const protocols[] = {"http/1.1", NULL};
    char **argv = arg;
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    nido_tls *tls;
    int fd = nido_listen("127.0.0.1", "0", NULL), rc;

    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &length)) return -1;
    rc = nido_tls_new(&NIDO_TLS_OPTIONS(.certificate = argv[1], .key = argv[2], .alpn = protocols,
                                        .truncation_is_end = true),
                      &tls);
    if (rc) return nido_close(fd), rc;
    printf("listening on port %d\n", ntohs(address.sin_port));
    rc = nido_serve(fd, answer, tls, &NIDO_SERVE_OPTIONS(.open = open_tls));
    nido_tls_free(tls);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    return nido_exit_status(nido_run(app, argv, NULL));
}

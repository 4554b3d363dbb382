/* SPDX-License-Identifier: MIT */
/* tls_echo: an echo server over TLS.
 *
 * Shows nido::tls under nido_serve: the handshake of a connection runs in the task of that connection,
 * so that a slow or hostile client delays no other, and what fails there is reported by the server.
 *
 *     ./example_tls_echo PORT CERTIFICATE KEY [CLIENTS_CA]
 *     ./example_tls_echo 7443 cert.pem key.pem
 *     openssl s_client -connect 127.0.0.1:7443 -CAfile cert.pem
 */
#include <errno.h>
#include <nido.h>
#include <nido/tls.h>
#include <stdio.h>

static int echo(nido_stream *client, void *tls)
{
    char buf[4096];
    int rc;
    (void)tls;
    while ((rc = nido_stream_wait(client)) > 0) {
        ssize_t n = nido_stream_read(client, buf, sizeof buf);
        if (n <= 0) return (int)n;
        rc = nido_stream_write(client, buf, (size_t)n, NULL);
        if (rc < 0) break;
    }
    return rc;
}

static int open_tls(nido_stream *client, int fd, const nido_stream_options *options, void *tls)
{
    return nido_tls_accept(client, tls, fd, options);
}

static int serve(nido_tls *tls, const char *port)
{
    nido_stream_options stream;
    nido_serve_options options;
    int fd = nido_listen("127.0.0.1", port, NULL);
    if (fd < 0) return fd;
    int bound = nido_local_port(fd);
    if (bound < 0) return nido_close(fd), bound;
    printf("listening on port %d\n", bound);
    nido_stream_options_init(&stream);
    stream.idle_ns = NIDO_SEC(60);
    nido_serve_options_init(&options);
    options.stream = &stream;
    options.open = open_tls;
    return nido_serve(fd, echo, tls, &options);
}

static int app(void *arg)
{
    char **argv = arg;
    nido_tls_options options;
    nido_tls *tls;
    nido_tls_options_init(&options);
    options.certificate = argv[2];
    options.key = argv[3];
    options.ca = argv[4]; /* NULL without one */
    if (argv[4]) options.verify = NIDO_TLS_VERIFY_REQUIRE;
    int rc = nido_tls_new(&options, &tls); /* its failures have a text */
    if (rc < 0) return rc;
    rc = serve(tls, argv[1]);
    nido_tls_free(tls);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: %s PORT CERTIFICATE KEY [CLIENTS_CA]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    return nido_exit_status(nido_run(app, argv, NULL));
}

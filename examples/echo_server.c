/* SPDX-License-Identifier: MIT */
/* echo_server: one task for each connection.
 *
 * Shows nido_serve: a handler that is a loop over nido_stream_wait, an idle limit for each connection,
 * and an end in good order: at the first SIGTERM or SIGINT no more is accepted, idle connections end,
 * and what is in flight has ten seconds; the second one ends everything at once.
 *
 *     ./example_echo_server PORT [IDLE_MS [CONNECTIONS]]
 *     ./example_echo_server 7000
 *     ./example_echo_server 0 5000 3        (any free port, which is printed; ends after three)
 */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>

struct server {
    const char *port;
    int64_t idle_ns;
    uint32_t connections; /* 0: no end */
};

static int echo(nido_stream *client, void *unused)
{
    char buf[4096];
    int rc;
    (void)unused;
    while ((rc = nido_stream_wait(client)) > 0) {
        ssize_t n = nido_stream_read(client, buf, sizeof buf);
        if (n <= 0) return (int)n;
        rc = nido_stream_write(client, buf, (size_t)n, NULL);
        if (rc < 0) break;
    }
    return rc; /* 0: the client or the server has finished, -ETIMEDOUT: it is silent */
}

static int listen_and_serve(void *arg)
{
    const struct server *server = arg;
    nido_stream_options stream;
    nido_serve_options options;
    int fd = nido_listen("127.0.0.1", server->port, NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says which port and why */
    int bound = nido_local_port(fd);
    if (bound < 0) return nido_close(fd), bound;
    printf("listening on port %d\n", bound);
    nido_stream_options_init(&stream);
    stream.idle_ns = server->idle_ns;
    nido_serve_options_init(&options);
    options.stream = &stream;
    options.accepts = server->connections;
    return nido_serve(fd, echo, NULL, &options);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s PORT [IDLE_MS [CONNECTIONS]]\n", argv[0]);
        return 2;
    }
    struct server server = {.port = argv[1],
                            .idle_ns = argc > 2 ? NIDO_MS(strtol(argv[2], NULL, 10)) : 0,
                            .connections = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    int rc = nido_run(listen_and_serve, &server, NULL);
    if (rc > 0) printf("stopped: %d connections were cut\n", rc);
    if (rc <= 0) printf("stopped: %s\n", rc ? nido_strerror(rc) : "all connections served");
    return nido_exit_status(rc);
}

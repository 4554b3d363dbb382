/* echo_server: one task for each connection.
 *
 * Shows an accept loop as the body of a group whose members do not disturb each other, an idle
 * timeout for each connection, and a clean stop: with options.signals the first SIGTERM or SIGINT
 * cancels the root. Every task finds -ECANCELED at its next wait and returns; the connections are
 * closed before nido_run returns.
 *
 *     ./example_echo_server PORT [IDLE_MS [CONNECTIONS]]
 *     ./example_echo_server 7000
 *     ./example_echo_server 0 5000 3        (any free port, which is printed; ends after three)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>

struct server {
    const char *port;
    int64_t idle_ns;
    long connections; /* 0: no end */
    int fd;
};

struct serve_args {
    int fd;
    int64_t idle_ns;
};

static int echo(int fd, int64_t idle_ns)
{
    char buf[4096];
    for (;;) {
        nido_scope idle;
        nido_timeout_open(&idle, idle_ns);
        int n = nido_scope_close(&idle, (int)nido_read(fd, buf, sizeof buf));
        if (n <= 0) return n; /* 0: the client has finished, -ETIMEDOUT: it is silent */
        int rc = nido_write_all(fd, buf, (size_t)n, NULL);
        if (rc < 0) return rc;
    }
}

/* A lost client is no failure of the server: only a cancellation is passed on. */
static int serve(void *arg)
{
    const struct serve_args *client = arg;
    NIDO_SCOPED_FD fd = client->fd;
    int rc = echo(fd, client->idle_ns);
    if (rc == -ECANCELED) return rc;
    if (rc < 0) fprintf(stderr, "client %d: %s\n", fd, nido_strerror(rc));
    return 0;
}

static int accept_all(nido_group *clients, void *arg)
{
    const struct server *server = arg;
    for (long n = 0; server->connections == 0 || n < server->connections; n++) {
        int fd = nido_accept(server->fd, NULL, NULL);
        if (fd < 0) return fd;
        int rc = NIDO_SPAWN(clients, serve, .fd = fd, .idle_ns = server->idle_ns);
        if (rc < 0) {
            nido_close(fd); /* what could not be handed over is still ours */
            return rc;
        }
    }
    return 0;
}

static int listen_and_serve(void *arg)
{
    struct server *server = arg;
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    NIDO_SCOPED_FD fd = nido_listen("127.0.0.1", server->port, NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says which port and why */
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
    printf("listening on port %d\n", ntohs(address.sin_port));
    server->fd = fd;
    return nido_with_group(NIDO_WAIT_ALL, accept_all, server);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s PORT [IDLE_MS [CONNECTIONS]]\n", argv[0]);
        return 2;
    }
    struct server server = {.port = argv[1],
                            .idle_ns = argc > 2 ? NIDO_MS(strtol(argv[2], NULL, 10)) : NIDO_NEVER,
                            .connections = argc > 3 ? strtol(argv[3], NULL, 10) : 0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    nido_options options;
    nido_options_init(&options);
    options.signals = true;
    int rc = nido_run(listen_and_serve, &server, &options);
    printf("stopped: %s\n", rc < 0 ? nido_strerror(rc) : "all connections served");
    return nido_exit_status(rc); /* after a signal: 128 and its number, as a shell says it */
}

/* echo_server: one task for each connection.
 *
 * Shows an accept loop as the body of a group whose members do not disturb each other, an idle
 * timeout for each connection, and a clean stop from outside: SIGTERM and SIGINT are blocked in all
 * threads and taken by one helper thread, which cancels the root. Every task then finds -ECANCELED
 * at its next wait and goes home; the connections are closed before nido_run returns.
 *
 *     ./example_echo_server PORT [IDLE_MS [CONNECTIONS]]
 *     ./example_echo_server 7000
 *     ./example_echo_server 0 5000 3        (any free port, which is printed; ends after three)
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct server {
    const char *port;
    int64_t idle_ns;
    long connections; /* 0: no end */
    int fd;
    sigset_t stop_signals;
    nido_rt *rt; /* the helper thread's door into the run */
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
        if (n <= 0) return n; /* 0: the client has finished, -ETIMEDOUT: it has gone to sleep */
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

static void *stop_on_signal(void *arg)
{
    struct server *server = arg;
    int number;
    sigwait(&server->stop_signals, &number);
    nido_rt_shutdown(server->rt, number == SIGINT ? "SIGINT" : "SIGTERM");
    return NULL;
}

/* The root task: has the helper thread around it. */
static int app(void *arg)
{
    struct server *server = arg;
    pthread_t helper;
    server->rt = nido_rt_self();
    if (!server->rt) return -ENOMEM;
    int rc = -pthread_create(&helper, NULL, stop_on_signal, server);
    if (rc == 0) {
        rc = listen_and_serve(server);
        pthread_kill(helper, SIGINT); /* If it still waits: a late shutdown does no harm. */
        pthread_join(helper, NULL);
    }
    nido_rt_release(server->rt);
    return rc;
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
    sigemptyset(&server.stop_signals);
    sigaddset(&server.stop_signals, SIGTERM);
    sigaddset(&server.stop_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &server.stop_signals, NULL);
    int rc = nido_run(app, &server, NULL);
    printf("stopped: %s\n", rc < 0 ? nido_strerror(rc) : "all connections served");
    return rc == -EINTR ? 0 : nido_exit_status(rc); /* -EINTR: the stop that was asked for */
}

/* forwarder: listens on one port and passes every connection on to another.
 *
 * Shows two tasks on one pair of sockets, one for each direction, in a fail-fast group: if one
 * direction breaks the other has no purpose, and both sockets are closed. The end of one direction
 * is no failure: it is passed on by shutdown(2), and the other direction goes on.
 *
 *     ./example_forwarder PORT TARGET_HOST TARGET_PORT [CONNECTIONS]
 *     ./example_forwarder 7001 127.0.0.1 7000
 *     ./example_forwarder 0 127.0.0.1 7000 3     (any free port, which is printed; ends after three)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>

struct forwarder {
    const char *port;
    const char *target_host;
    const char *target_port;
    long connections; /* 0: no end */
    int fd;
};

struct relay_args {
    const struct forwarder *forwarder;
    int client;
};

struct copy_args {
    int from;
    int to;
    const char *direction;
};

static int copy(void *arg)
{
    const struct copy_args *me = arg;
    char buf[16384];
    ssize_t n;
    while ((n = nido_read(me->from, buf, sizeof buf)) > 0) {
        int rc = nido_write_all(me->to, buf, (size_t)n, NULL);
        if (rc < 0) return nido_fail(rc, "%s: write", me->direction);
    }
    if (n < 0) return nido_fail((int)n, "%s: read", me->direction);
    if (shutdown(me->to, SHUT_WR) < 0) return nido_fail(-errno, "%s: shutdown", me->direction);
    return 0;
}

static int relay_both(int client, int target)
{
    nido_group both;
    nido_group_open(&both, NIDO_FAIL_FAST, "both directions");
    int rc = NIDO_SPAWN(&both, copy, .from = client, .to = target, .direction = "to the target");
    if (rc == 0)
        rc = NIDO_SPAWN(&both, copy, .from = target, .to = client, .direction = "to the client");
    return nido_group_close(&both, rc);
}

/* A broken connection is reported and is no failure of the forwarder. */
static int relay(void *arg)
{
    const struct relay_args *me = arg;
    const struct forwarder *forwarder = me->forwarder;
    NIDO_SCOPED_FD client = me->client;
    NIDO_SCOPED_FD target = nido_dial(forwarder->target_host, forwarder->target_port, NULL);
    int rc = target < 0 ? target : relay_both(client, target);
    if (rc == -ECANCELED) return rc;
    if (rc < 0) nido_error_print(nido_error_last(), stderr);
    return 0;
}

static int accept_all(nido_group *relays, void *arg)
{
    const struct forwarder *forwarder = arg;
    for (long n = 0; forwarder->connections == 0 || n < forwarder->connections; n++) {
        int client = nido_accept(forwarder->fd, NULL, NULL);
        if (client < 0) return client;
        int rc = NIDO_SPAWN(relays, relay, .forwarder = forwarder, .client = client);
        if (rc < 0) {
            nido_close(client); /* what could not be handed over is still ours */
            return rc;
        }
    }
    return 0;
}

static int app(void *arg)
{
    struct forwarder *forwarder = arg;
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    NIDO_SCOPED_FD fd = nido_listen("127.0.0.1", forwarder->port, NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says which port and why */
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
    printf("listening on port %d\n", ntohs(address.sin_port));
    forwarder->fd = fd;
    return nido_with_group(NIDO_WAIT_ALL, accept_all, forwarder);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: %s PORT TARGET_HOST TARGET_PORT [CONNECTIONS]\n", argv[0]);
        return 2;
    }
    struct forwarder forwarder = {.port = argv[1],
                                  .target_host = argv[2],
                                  .target_port = argv[3],
                                  .connections = argc > 4 ? strtol(argv[4], NULL, 10) : 0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    int rc = nido_run(app, &forwarder, NULL);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}

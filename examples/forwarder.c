/* SPDX-License-Identifier: MIT */
/* forwarder: listens on one port and passes every connection on to another.
 *
 * Shows two tasks on one pair of streams, one for each direction, in a fail-fast group: if one
 * direction breaks the other has no purpose, and both streams are closed. The end of one direction
 * is no failure: it is passed on, and the other direction goes on. What comes thick is copied in the
 * kernel. A broken connection is reported by nido_serve and is no failure of the forwarder.
 *
 *     ./example_forwarder PORT TARGET_HOST TARGET_PORT [CONNECTIONS]
 *     ./example_forwarder 7001 127.0.0.1 7000
 *     ./example_forwarder 0 127.0.0.1 7000 3     (any free port, which is printed; ends after three)
 */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>

struct forwarder {
    const char *port;
    const char *target_host;
    const char *target_port;
    uint32_t connections; /* 0: no end */
};

struct copy_args {
    nido_stream *to, *from;
    const char *direction;
};

static int copy(void *arg)
{
    const struct copy_args *me = arg;
    int rc = nido_stream_copy(me->to, me->from, NIDO_STREAM_ALL, NULL);
    if (rc == 0) rc = nido_stream_shutdown(me->to);
    return rc < 0 ? nido_fail(rc, "%s", me->direction) : 0;
}

static int relay(nido_stream *client, void *arg)
{
    const struct forwarder *forwarder = arg;
    nido_stream target;
    nido_group both;
    int fd = nido_dial(forwarder->target_host, forwarder->target_port, NULL);
    int rc = nido_stream_open(&target, fd, NULL);
    if (rc < 0) return rc;
    nido_group_open(&both, NIDO_FAIL_FAST, "both directions");
    rc = NIDO_SPAWN(&both, copy, .from = client, .to = &target, .direction = "to the target");
    if (rc == 0)
        rc = NIDO_SPAWN(&both, copy, .from = &target, .to = client, .direction = "to the client");
    rc = nido_group_close(&both, rc);
    nido_stream_close(&target);
    return rc;
}

static int app(void *arg)
{
    const struct forwarder *forwarder = arg;
    nido_serve_options options;
    int fd = nido_listen("127.0.0.1", forwarder->port, NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says which port and why */
    int bound = nido_local_port(fd);
    if (bound < 0) return nido_close(fd), bound;
    printf("listening on port %d\n", bound);
    nido_serve_options_init(&options);
    options.accepts = forwarder->connections;
    return nido_serve(fd, relay, arg, &options);
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
                                  .connections =
                                      argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    int rc = nido_run(app, &forwarder, NULL);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}

/* SPDX-License-Identifier: MIT */
/* sharded_echo: an echo server on several threads.
 *
 * Shows one runtime on each of several threads: every shard listens on the same port (SO_REUSEPORT),
 * and the kernel deals connections out among them, so nothing is shared on the way of a byte. They
 * are one all the same: SIGTERM or SIGINT drains every shard, and the failure of one ends all.
 *
 *     ./example_sharded_echo 7000 4
 */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>

struct server {
    const char *port;
    nido_xsem *listening; /* a permit for each shard that is */
    unsigned shards;
};

static int echo(nido_stream *client, void *unused)
{
    char buffer[4096];
    int rc;
    (void)unused;
    while ((rc = nido_stream_wait(client)) > 0) {
        ssize_t n = nido_stream_read(client, buffer, sizeof buffer);
        rc = n > 0 ? nido_stream_write(client, buffer, (size_t)n, NULL) : (int)n;
        if (rc < 0) break;
    }
    return rc;
}

/* The first shard says when all of them listen. */
static int announce(const struct server *server)
{
    for (unsigned i = 0; i < server->shards; i++) {
        int rc = nido_xsem_acquire(server->listening);
        if (rc < 0) return rc;
    }
    printf("%s\n", server->port);
    return fflush(stdout) ? -errno : 0;
}

static int serve(unsigned shard, void *arg)
{
    struct server *server = arg;
    nido_listen_options options;
    nido_listen_options_init(&options);
    options.reuse_port = true;
    int listener = nido_listen("127.0.0.1", server->port, &options);
    if (listener < 0) return listener;
    nido_xsem_release(server->listening, 1);
    int rc = shard == 0 ? announce(server) : 0;
    if (rc == 0) return nido_serve(listener, echo, NULL, NULL);
    nido_close(listener);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s PORT THREADS\n", argv[0]);
        return 2;
    }
    struct server server = {.port = argv[1], .shards = (unsigned)strtoul(argv[2], NULL, 10)};
    if (nido_xsem_new(0, &server.listening) < 0) return 1;
    int rc = nido_shards(server.shards, serve, &server, NULL);
    nido_xsem_free(server.listening);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}

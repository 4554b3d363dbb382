/* SPDX-License-Identifier: MIT */
/* Activities: an echo server and clients that send, lose patience, are cancelled and hang up. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "soak.h"

enum { CLIENTS = 4, EXCHANGES = 4, MOST_BYTES = 6000 };

struct server {
    int listener;
    const char *host;
    char service[8];
    nido_group *connections;
};

struct client {
    struct server *server;
    struct seeded seeded;
};

static int serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    unsigned char bytes[1024];
    ssize_t n = 0;

    while ((n = nido_read(fd, bytes, sizeof bytes)) > 0)
        if (nido_write_all(fd, bytes, (size_t)n, NULL) < 0) break;
    nido_close(fd);
    return n == -ECANCELED ? (int)n : 0; /* a client that hangs up is no failure */
}

static int accept_all(void *arg)
{
    struct server *server = arg;

    for (;;) {
        int fd = nido_accept(server->listener, NULL, NULL), rc;

        if (fd < 0) return fd;
        rc = nido_spawn(server->connections, serve, (void *)(intptr_t)fd);
        if (rc) nido_close(fd);
        if (rc) return rc;
    }
}

/* 0: again; 1: enough, some hang up before they have read. */
static int exchange(int fd, struct seeded *seeded)
{
    unsigned char sent[MOST_BYTES], got[MOST_BYTES];
    size_t n = 1 + seeded_below(seeded, MOST_BYTES);
    int rc;

    for (size_t i = 0; i < n; i++) sent[i] = (unsigned char)seeded_next(seeded);
    rc = nido_write_all(fd, sent, n, NULL);
    if (rc) return rc;
    if (soak_chance(seeded, 10)) return 1;
    rc = nido_read_full(fd, got, n, NULL);
    if (!rc && memcmp(sent, got, n) != 0) rc = soak_complain("an echo of other bytes");
    return rc;
}

static int talk(struct client *client)
{
    int fd = nido_dial(client->server->host, client->server->service, NULL), rc = 0;

    if (fd < 0) return fd;
    for (int i = 0; i < EXCHANGES && rc == 0; i++) rc = exchange(fd, &client->seeded);
    nido_close(fd);
    return rc;
}

/* Patience is short enough that it often ends first. */
static int visit(void *arg)
{
    struct client *client = arg;
    nido_scope scope;
    int rc;

    nido_timeout_open(&scope, soak_chance(&client->seeded, 3) ? soak_moment(&client->seeded, 2000)
                                                              : NIDO_SEC(60));
    rc = nido_scope_close(&scope, talk(client));
    return rc == -ETIMEDOUT || rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

static int visit_all(nido_group *group, struct server *server, struct seeded *seeded)
{
    int rc = 0;

    for (int i = 0; i < CLIENTS && !rc; i++) {
        struct client client = {server, {seeded_next(seeded)}};

        rc = nido_spawn_copy(group, visit, &client, sizeof client);
    }
    if (soak_chance(seeded, 4)) nido_sleep(soak_moment(seeded, 1000));
    if (soak_chance(seeded, 8)) nido_group_cancel(group, 0, "enough");
    return rc;
}

static int open_listeners(struct server *server, struct seeded *seeded)
{
    nido_group connections, clients;
    nido_spawn_options options;
    int rc, left;

    nido_spawn_options_init(&options);
    options.service = true;
    options.name = "accept";
    nido_group_open(&connections, NIDO_WAIT_ALL, "connections");
    server->connections = &connections;
    rc = nido_spawn_with(&connections, accept_all, server, &options, NULL);
    nido_group_open(&clients, NIDO_FAIL_FAST, "clients");
    rc = nido_group_close(&clients, rc ? rc : visit_all(&clients, server, seeded));
    /* Connections of clients that gave up may wait in the backlog, or for bytes: all end now. */
    nido_group_cancel(&connections, 0, "closing time");
    left = nido_group_close(&connections, rc);
    return left < 0 && left != -ESHUTDOWN && left != -ECANCELED ? left : 0;
}

int soak_echo_unix(struct seeded *seeded)
{
    static unsigned servers;
    char path[64];
    struct server server = {.host = path};
    int rc;

    snprintf(path, sizeof path, "unix:/tmp/nido-soak-%d-%u", (int)getpid(), servers++);
    server.listener = nido_listen(path, NULL, NULL);
    if (server.listener < 0) return server.listener;
    rc = open_listeners(&server, seeded);
    nido_close(server.listener);
    unlink(path + 5);
    return rc;
}

/* Each connection keeps a port for a minute after its end: not too many of them. */
int soak_echo_tcp(struct seeded *seeded)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct server server = {.host = "127.0.0.1"};
    socklen_t length = sizeof address;
    int rc;

    server.listener = nido_listen(server.host, "0", NULL);
    if (server.listener < 0) return server.listener;
    if (getsockname(server.listener, (struct sockaddr *)&address, &length)) return -EIO;
    snprintf(server.service, sizeof server.service, "%u", ntohs(address.sin_port));
    rc = open_listeners(&server, seeded);
    nido_close(server.listener);
    nido_sleep(NIDO_MS(50));
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* Step 5: state that all connections share, a limit for silent clients, and a service. */
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <string.h>

struct server {
    const char *port;
    char words[1000][32];
    int counts[1000], words_known, clients;
};

struct client {
    struct server *server;
    int fd;
};

static int count(struct server *server, const char *word) /* parks nowhere: needs no lock */
{
    int i = 0;
    while (i < server->words_known && strcmp(server->words[i], word) != 0) i++;
    if (i == 1000) return -ENOSPC;
    if (i == server->words_known)
        snprintf(server->words[server->words_known++], sizeof *server->words, "%s", word);
    return ++server->counts[i];
}

static int answer(struct server *server, nido_stream *stream)
{
    char *line;
    size_t length;
    int rc;
    while ((rc = nido_stream_line(stream, &line, &length)) > 0) {
        if (length > 31) return -EMSGSIZE;
        int n = count(server, line);
        if (n < 0) return n;
        rc = nido_stream_printf(stream, "%s %d\n", line, n);
        if (rc < 0) break;
    }
    return rc;
}

static int talk(void *arg)
{
    struct client *client = arg;
    nido_stream stream;
    int rc = nido_stream_open(&stream, client->fd, &NIDO_STREAM_OPTIONS(.read_ns = NIDO_SEC(30)));
    if (rc < 0) return nido_close(client->fd), rc;
    client->server->clients++;
    rc = answer(client->server, &stream);
    client->server->clients--;
    nido_stream_close(&stream);
    if (rc < 0 && rc != -ECANCELED) printf("a client failed: %s\n", nido_strerror(rc));
    return rc == -ECANCELED ? rc : 0;
}

static int report(void *arg) /* a service: cancelled when the others are done */
{
    struct server *server = arg;
    nido_ticker ticker;
    int rc = nido_ticker_init(&ticker, NIDO_SEC(10), NIDO_SKIP);
    while (rc >= 0 && (rc = nido_ticker_wait(&ticker)) > 0)
        printf("%d words, %d clients\n", server->words_known, server->clients);
    return rc;
}

static int accept_all(struct server *server, int listener, nido_group *group)
{
    for (;;) {
        struct client client = {server, nido_accept(listener, NULL, NULL)};
        if (client.fd < 0) return client.fd;
        int rc = nido_spawn_copy(group, talk, &client, sizeof client);
        if (rc < 0) return nido_close(client.fd), rc;
    }
}

static int serve(void *arg)
{
    struct server *server = arg;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    nido_group group;
    int listener = nido_listen("127.0.0.1", server->port, NULL);
    if (listener < 0) return listener;
    if (getsockname(listener, (struct sockaddr *)&address, &size) == 0)
        printf("port %d\n", ntohs(address.sin_port));
    nido_group_open(&group, NIDO_FAIL_FAST, "server");
    int rc = nido_spawn_with(&group, report, server, &NIDO_SPAWN_OPTIONS(.service = true), NULL);
    if (rc == 0) rc = accept_all(server, listener, &group);
    nido_close(listener);
    return nido_group_close(&group, rc);
}

int main(int argc, char **argv)
{
    static struct server server;
    server.port = argc > 1 ? argv[1] : "7000";
    setvbuf(stdout, NULL, _IOLBF, 0);
    return nido_exit_status(nido_run(serve, &server, &NIDO_OPTIONS(.signals = true)));
}
/* a session:
 * > apple
 * < apple 1
 * > fig
 * < fig 1
 * > apple
 * < apple 2
 * SIGTERM
 * end of input
 * status 143
 */

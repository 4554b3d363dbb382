/* SPDX-License-Identifier: MIT */
/* serve/connection.c: the task of one connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/address_text.h"
#include "base/assert.h"
#include "coro/scope/error.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"
#include "nido/task.h"
#include "nido/time.h"
#include "serve/serve.h"
#include "stream/stream.h"

enum { NAME = 64 };
#define REFUSAL_NS NIDO_SEC(1)

/* On its task's stack. */
struct connection {
    struct nidoi_link link;
    nido_stream stream;
    bool left; /* by a reset between two requests */
    char peer[NAME];
};

/* What is copied onto that stack. */
struct arrival {
    struct nidoi_server *server;
    int fd;
    bool refused;
    struct sockaddr_storage peer;
};

/* ---- Names and reports ---- */

static void peer_name(const struct sockaddr_storage *peer, char *out)
{
    bool is_unix = peer->ss_family == AF_UNIX;

    if (is_unix || nidoi_address_text((const void *)peer, sizeof *peer, out, NAME) < 0)
        snprintf(out, NAME, "%s", is_unix ? "unix" : "peer");
}

/* What stands before the reason, which names the peer itself where a stream or TLS gives it. */
static const char *report_head(const char *why, const char *peer, char *out)
{
    if (!strncmp(why, peer, strlen(peer))) return " of ";
    if (strstr(why, peer)) return ": ";
    snprintf(out, NAME + 8, " of %s: ", peer);
    return out;
}

/* A client has left between two requests: a line about each would drown the others. */
static bool report_is_needless(const struct nidoi_server *server, bool left)
{
    return left && !server->options->report;
}

void nidoi_server_report(const struct nidoi_server *server, const char *peer, int rc)
{
    const nido_error *error = nido_error_last();
    const char *why = error && nido_error_code(error) == rc ? nido_error_text(error) : "";
    char head[NAME + 8], text[512];

    if (server->options->report) {
        server->options->report(server->ctx, peer, rc);
        return;
    }
    if (*why)
        snprintf(text, sizeof text, "nido: connection%s%s (%s)\n", report_head(why, peer, head),
                 why, nido_strerror(rc));
    else
        snprintf(text, sizeof text, "nido: connection of %s: %s\n", peer, nido_strerror(rc));
    nidoi_loop_report(nidoi_loop_self(), text);
}

/* ---- Serving ---- */

static bool connection_is_open(const struct connection *connection)
{
    return nido_stream_fd(&connection->stream) != -EBADF;
}

static int connection_open(struct nidoi_server *server, struct connection *connection, int fd)
{
    nido_stream_options options = server->stream;
    int rc;

    options.name = connection->peer;
    if (server->options->open)
        rc = server->options->open(&connection->stream, fd, &options, server->ctx);
    else
        rc = nido_stream_open(&connection->stream, fd, &options);
    if (rc >= 0 && !connection_is_open(connection))
        rc = nido_fail(-EINVAL, "nido_serve_options.open has opened no stream");
    if (rc < 0) nido_close(fd);
    return rc;
}

/* The peer may not have read the answer yet: closing a socket with unread input would take it away.
 */
static int connection_linger(nido_stream *stream)
{
    char byte[256];
    ssize_t n = nido_stream_shutdown(stream);

    while (n >= 0 && (n = nido_stream_read(stream, byte, sizeof byte)) > 0) continue;
    return (int)n;
}

static int connection_refuse(struct nidoi_server *server, nido_stream *stream)
{
    nido_scope limit;
    int rc;

    nido_timeout_open(&limit, REFUSAL_NS);
    rc = server->options->busy(stream, server->ctx);
    if (rc >= 0 && nido_stream_fd(stream) != -EBADF) rc = connection_linger(stream);
    rc = nido_scope_close(&limit, rc);
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int connection_handle(struct nidoi_server *server, struct connection *connection)
{
    int rc = server->handler(&connection->stream, server->ctx);

    if (rc >= 0 && connection_is_open(connection)) rc = nido_stream_flush(&connection->stream);
    return rc;
}

/* The task is of another group: it cannot be ended here, and the stream's memory is this stack. */
static void connection_close(nido_stream *stream)
{
    const struct nidoi_task *self = nidoi_loop_self()->sched.current, *user;
    const char *act;

    nido_stream_close(stream);
    if (nido_stream_fd(stream) == -EBADF) return;
    user = nidoi_stream_user(stream, stream->flags, &act);
    nidoi_panic("task #%llu \"%s\" returns from its handler while task #%llu \"%s\" %s the stream, "
                "which ends with the handler",
                (unsigned long long)self->id, self->name ? self->name : "",
                (unsigned long long)user->id, user->name ? user->name : "", act);
}

static int connection_serve(struct nidoi_server *server, struct connection *connection,
                            const struct arrival *arrival)
{
    int rc = connection_open(server, connection, arrival->fd);

    if (rc < 0) return rc;
    nidoi_list_append(&server->connections, &connection->link);
    if (server->stopping) nido_stream_stop(&connection->stream);
    rc = arrival->refused ? connection_refuse(server, &connection->stream)
                          : connection_handle(server, connection);
    connection->left = rc == -ECONNRESET && (connection->stream.flags & NIDOI_STREAM_LEFT);
    nidoi_list_remove(&connection->link);
    if (connection_is_open(connection)) connection_close(&connection->stream);
    return rc;
}

/* A connection's failure is its own; its cancel is that of the server. */
static int connection_main(void *arg)
{
    const struct arrival *arrival = arg;
    struct nidoi_server *server = arrival->server;
    struct connection connection = {.stream = {0}};
    int rc;

    peer_name(&arrival->peer, connection.peer);
    nido_set_name("%s", connection.peer);
    rc = connection_serve(server, &connection, arrival);
    if (arrival->refused)
        server->refusing--;
    else if (server->options->limit)
        nido_sem_release(&server->places);
    if (rc == -ECANCELED && nido_cancelled()) {
        server->cut++;
        return rc;
    }
    if (rc == -ECANCELED) rc = nidoi_error_stray(nidoi_loop_self()->sched.current);
    if (rc < 0 && !report_is_needless(server, connection.left))
        nidoi_server_report(server, connection.peer, rc);
    return 0;
}

int nidoi_connection_spawn(struct nidoi_server *server, int fd, const struct sockaddr_storage *peer,
                           bool refused)
{
    struct arrival arrival = {server, fd, refused, *peer};
    nido_spawn_options options;
    int rc;

    nido_spawn_options_init(&options);
    options.stack_size = server->options->stack_size;
    options.copy = &arrival;
    options.copy_size = sizeof arrival;
    rc = nido_spawn_with(&server->group, connection_main, NULL, &options, NULL);
    if (!rc && refused) server->refusing++;
    return rc;
}

void nidoi_connections_stop(struct nidoi_server *server)
{
    struct nidoi_link *link = server->connections.next;

    for (; link != &server->connections; link = link->next)
        nido_stream_stop(&nidoi_container(link, struct connection, link)->stream);
}

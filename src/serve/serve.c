/* SPDX-License-Identifier: MIT */
/* serve/serve.c: accepting, and the end of it. */
#include "serve/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "base/sys.h"
#include "coro/run/signals.h"
#include "coro/scope/options.h"
#include "coro/scope/park.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"
#include "nido/time.h"
#include "stream/stream.h"

#define DRAIN_NS NIDO_SEC(10)
#define PAUSE_NS NIDO_MS(100)
enum { MOST_REFUSING = 16, MOST_LATE = 4096 };

/* ---- The servers of this thread ---- */

static _Thread_local struct nidoi_server *servers; /* the latest first */
static _Thread_local uint32_t forks;               /* in the process that they belong to */

static struct nidoi_server **servers_first(void)
{
    if (forks != nidoi_forks) servers = NULL;
    forks = nidoi_forks;
    return &servers;
}

static void servers_add(struct nidoi_server *server)
{
    struct nidoi_server **first = servers_first();

    server->next = *first;
    *first = server;
}

static void servers_remove(struct nidoi_server *server)
{
    struct nidoi_server **at = servers_first();

    while (*at && *at != server) at = &(*at)->next;
    if (*at) *at = server->next;
}

/* ---- Stopping ---- */

void nidoi_server_stop(struct nidoi_server *server)
{
    int64_t ns = server->options->drain_ns ? server->options->drain_ns : DRAIN_NS;

    if (server->stopping) return;
    server->stopping = true;
    if (server->is_accepting) nido_scope_cancel(&server->accepting, 0, "the server is to stop");
    nidoi_connections_stop(server);
    nido_scope_move(nido_group_scope(&server->group), nido_after(ns));
}

static int servers_stop(void *unused)
{
    (void)unused;
    for (struct nidoi_server *at = *servers_first(); at; at = at->next) nidoi_server_stop(at);
    return 0;
}

int nido_serve_stop(nido_rt *rt)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    if (!rt && !loop) return -EPERM;
    return !rt || (loop && loop->remote == rt) ? servers_stop(NULL)
                                               : nido_post(rt, servers_stop, NULL);
}

/* ---- Signals ---- */

/* Those that would end the program. */
static bool signals_of_server(sigset_t *set)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    bool some = false;

    sigemptyset(set);
    for (int i = 0; i < 2; i++) {
        if (!nidoi_signal_is_default(numbers[i])) continue;
        sigaddset(set, numbers[i]);
        some = true;
    }
    return some;
}

/* The first drains, the second cancels; then they are the program's again. */
static int signals_serve(void *arg)
{
    struct nidoi_server *server = arg;
    int number = server->late ? 0 : nido_signal_wait(&server->signals);

    if (number < 0) return number;
    nidoi_server_stop(server);
    number = nido_signal_wait(&server->signals);
    if (number < 0) return number;
    nido_group_cancel(&server->group, 0, "a second signal");
    server->receives = false;
    nido_signal_close(&server->signals);
    return 0;
}

/* One that another shard has taken while this one was on its way here: all of them are to drain. It
 * is looked for once the receiver is open, so that none falls between. */
static bool signals_came_before(const sigset_t *set)
{
    return (sigismember(set, SIGTERM) && nidoi_signal_missed(SIGTERM)) ||
           (sigismember(set, SIGINT) && nidoi_signal_missed(SIGINT));
}

static int signals_begin(struct nidoi_server *server)
{
    nido_spawn_options options;
    sigset_t set;
    int rc;

    if (server->options->ignore_signals || !signals_of_server(&set)) return 0;
    rc = nido_signal_open(&server->signals, &set);
    if (rc < 0) return nido_fail(rc, "nido_serve: no receiver of SIGTERM and SIGINT");
    server->receives = true;
    server->late = signals_came_before(&set);
    if (server->late) nidoi_server_stop(server);
    nido_spawn_options_init(&options);
    options.name = "signals of the server";
    options.service = true;
    return nido_spawn_with(&server->group, signals_serve, server, &options, NULL);
}

/* ---- Accepting ---- */

static bool server_has_places(struct nidoi_server *server)
{
    return server->options->limit && !server->options->busy;
}

/* No place: the connection is told so, if that is not too much too. */
static int server_hand_over(struct nidoi_server *server, int fd,
                            const struct sockaddr_storage *peer)
{
    bool refused = server->options->busy && server->options->limit &&
                   nido_sem_try_acquire(&server->places) < 0;
    int rc = refused && server->refusing == MOST_REFUSING
                 ? -EBUSY
                 : nidoi_connection_spawn(server, fd, peer, refused);

    if (rc == 0) return 0;
    nido_close(fd);
    if (!refused && server->options->limit) nido_sem_release(&server->places);
    return rc == -EBUSY ? 0 : rc;
}

static int server_accept(struct nidoi_server *server)
{
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof peer;
    int rc = server_has_places(server) ? nido_sem_acquire(&server->places) : 0, fd;

    if (rc < 0) return rc;
    fd = nido_accept(server->listener, (struct sockaddr *)&peer, &length);
    if (fd >= 0) {
        rc = server_hand_over(server, fd, &peer);
        server->accepted += rc >= 0;
        return rc;
    }
    if (server_has_places(server)) nido_sem_release(&server->places);
    return fd;
}

/* No memory or no room for a task: it may be there later. */
static bool is_shortage(int rc)
{
    return rc == -ENOMEM || rc == -EAGAIN || rc == -ENOSPC;
}

static bool server_accepts_more(const struct nidoi_server *server)
{
    return !server->options->accepts || server->accepted < server->options->accepts;
}

static int server_accept_all(struct nidoi_server *server)
{
    int rc = 0;

    while (rc >= 0 && !server->stopping && server_accepts_more(server)) {
        rc = server_accept(server);
        if (!is_shortage(rc)) continue;
        nidoi_server_report(server, "the next peer", rc);
        rc = nido_sleep(PAUSE_NS);
    }
    return rc;
}

static int server_accept_until_stopped(struct nidoi_server *server)
{
    int rc;

    nido_scope_open(&server->accepting);
    server->is_accepting = true;
    rc = server_accept_all(server);
    server->is_accepting = false;
    return nido_scope_close(&server->accepting, rc);
}

/* Those that the kernel has accepted before the stop: closing the listener would reset them. The
 * limit is for one that is gone again, and for a place that is not there. */
static void server_accept_backlog(struct nidoi_server *server)
{
    struct pollfd ask = {.fd = server->listener, .events = POLLIN};
    nido_scope scope;
    int rc = 0;

    for (int i = 0; i < MOST_LATE && rc >= 0 && server_accepts_more(server); i++) {
        if (nidoi_sys.poll(&ask, 1, 0) <= 0) return;
        nido_timeout_open(&scope, NIDO_MS(1));
        rc = server_accept(server);
        nido_scope_close(&scope, rc < 0 ? rc : 0);
    }
}

/* ---- The whole ---- */

static int server_run(struct nidoi_server *server)
{
    int rc = signals_begin(server);

    if (rc == 0) rc = server_accept_until_stopped(server);
    if (rc >= 0 && server->stopping) server_accept_backlog(server);
    nido_close(server->listener);
    rc = nido_group_close(&server->group, rc);
    if (server->receives) nido_signal_close(&server->signals);
    servers_remove(server);
    if (rc == -ETIMEDOUT && server->stopping) rc = 0; /* the end of the drain */
    return rc < 0 ? rc : server->cut;
}

/* The streams' options are copied, for each stream gets a name of its own. */
static int server_read_options(struct nidoi_server *server, const nido_serve_options *options)
{
    nido_stream_options room;
    const nido_stream_options *stream;
    int rc;

    if (!options) return -EINVAL; /* which has a text */
    server->options = options;
    if (options->drain_ns < 0)
        return nido_fail(-EINVAL, "nido_serve_options.drain_ns is out of range");
    stream = NIDOI_OPTIONS(nido_stream_options, options->stream, &room);
    if (!stream) return -EINVAL;
    rc = nidoi_stream_check_options(stream);
    if (rc) return rc;
    if (stream->keep_open)
        return nido_fail(-EINVAL, "nido_serve_options.stream: keep_open would leave every "
                                  "connection open");
    server->stream = *stream;
    return 0;
}

static void server_begin(struct nidoi_server *server)
{
    nido_group_options group;

    servers_add(server);
    nidoi_list_init(&server->connections);
    if (server->options->limit)
        nido_sem_init(&server->places, server->options->limit, server->options->limit,
                      "places of the server");
    nido_group_options_init(&group);
    group.policy = NIDO_WAIT_ALL;
    group.name = server->options->name ? server->options->name : "connections";
    nido_group_open_with(&server->group, &group);
}

int nido_serve(int listener, nido_serve_fn *handler, void *ctx, const nido_serve_options *options)
{
    nido_serve_options room;
    struct nidoi_server server = {.handler = handler, .ctx = ctx, .listener = listener};
    struct nidoi_loop *loop;
    int rc;

    if (listener < 0) return listener;
    rc = nidoi_enter(&loop);
    if (!rc && !handler) rc = nido_fail(-EINVAL, "nido_serve: no handler");
    if (!rc) rc = server_read_options(&server, NIDOI_OPTIONS(nido_serve_options, options, &room));
    if (rc) {
        nido_close(listener);
        return rc;
    }
    server_begin(&server);
    return server_run(&server);
}

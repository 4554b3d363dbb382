/* SPDX-License-Identifier: MIT */
/* serve/serve.h: a server: the state of one call of nido_serve, on its caller's stack.
 *
 * 1. The connections are tasks of its group, so the call cannot return before they have ended.
 * 2. `stopping` is set once, by nidoi_server_stop: it ends the accepting scope with code 0, asks
 * every stream to stop, and sets the group's deadline. Streams that are opened later are asked by
 * their tasks.
 * 3. A place of the limit is taken before a connection is accepted, so the others wait in the
 * kernel; with `busy` it is taken afterwards, if there is one. */
#ifndef NIDOI_SERVE_H
#define NIDOI_SERVE_H

#include <sys/socket.h>

#include "base/list.h"
#include "coro/runtime/loop.h"
#include "nido/group.h"
#include "nido/sem.h"
#include "nido/serve.h"
#include "nido/signal.h"

struct nidoi_server {
    struct nidoi_server *next;     /* among the servers of its thread */
    struct nidoi_link connections; /* struct connection */
    const nido_serve_options *options;
    nido_stream_options stream;
    nido_serve_fn *handler;
    void *ctx;
    int listener;
    nido_group group;
    nido_scope accepting;
    bool is_accepting; /* that scope is open */
    bool stopping;
    nido_sem places; /* with a limit */
    nido_signal signals;
    bool receives; /* signals is open */
    bool late;     /* the first signal came before it was */
    uint32_t accepted;
    unsigned refusing; /* tasks that run `busy` */
    int cut;           /* connections that were cancelled */
};

/* ---- serve/serve.c ---- */

void nidoi_server_stop(struct nidoi_server *server);

/* ---- serve/connection.c ---- */

/* Spawns the task of a connection; `refused`: for `busy`. 0, and fd is the task's; or a failure of
 * nido_spawn. */
int nidoi_connection_spawn(struct nidoi_server *server, int fd, const struct sockaddr_storage *peer,
                           bool refused);
void nidoi_connections_stop(struct nidoi_server *server);
/* One line about a connection, or about the listener (peer NULL). */
void nidoi_server_report(const struct nidoi_server *server, const char *peer, int rc);

#endif

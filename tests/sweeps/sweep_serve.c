/* SPDX-License-Identifier: MIT */
/* A server, swept: whatever is cancelled or fails, every connection and the listener are closed, and an
 * answer is what was asked. */
#include <string.h>

#include "io_help.h"
#undef TOGETHER
#include "sweep_help.h"

enum { CLIENTS = 3 };
static int clients_left;

static int answer(nido_stream *stream, void *unused)
{
    size_t length;
    char *line;
    int rc;

    (void)unused;
    while ((rc = nido_stream_wait(stream)) > 0) {
        rc = nido_stream_line(stream, &line, &length);
        if (rc > 0) rc = nido_stream_printf(stream, "<%s>\n", line);
        if (rc <= 0) break;
    }
    return rc;
}

static int busy(nido_stream *stream, void *unused)
{
    (void)unused;
    return nido_stream_printf(stream, "busy\n");
}

static void no_report(void *ctx, const char *peer, int rc)
{
    (void)ctx, (void)peer, (void)rc;
}

static int serve(int listener, bool says_busy)
{
    nido_serve_options options;
    nido_scope scope;
    int rc;

    nido_serve_options_init(&options);
    options.limit = 1;
    options.busy = says_busy ? busy : NULL;
    options.report = no_report;
    options.drain_ns = NIDO_SEC(1);
    ALONE(scope, rc, nido_serve(listener, answer, NULL, &options));
    return rc < 0 ? unless_struck(rc) : 0;
}

/* Whatever goes wrong with a client is not what is asked. */
static int ask(void *unused)
{
    nido_stream stream;
    nido_scope scope;
    size_t length;
    char *line;
    int rc;

    (void)unused;
    ALONE(scope, rc, nido_stream_open(&stream, nido_dial(io_place(), NULL, NULL), NULL));
    if (rc == 0) {
        nido_timeout_open(&scope, NIDO_SEC(30));
        nido_stream_printf(&stream, "x\n");
        rc = nido_stream_line(&stream, &line, &length);
        if (rc == 1) LAW(!strcmp(line, "<x>") || !strcmp(line, "busy"));
        nido_stream_close(&stream);
        rc = nido_scope_close(&scope, rc < 0 ? rc : 0);
    }
    if (--clients_left == 0) nido_serve_stop(NULL);
    return rc == -ECANCELED ? rc : 0;
}

static int serve_places(void *listener)
{
    return serve(*(int *)listener, false);
}

static int serve_or_refuse(void *listener)
{
    return serve(*(int *)listener, true);
}

static int run_server(nido_fn *server)
{
    int listener, rc;

    unlink(io_place() + 5);
    listener = nido_listen(io_place(), NULL, NULL);

    if (listener < 0) return listener;
    clients_left = CLIENTS;
    rc = TOGETHER(&listener, server, ask, ask, ask);
    unlink(io_place() + 5);
    return rc;
}

static int limited_server(void *unused)
{
    (void)unused;
    return run_server(serve_places);
}
SWEPT(a_server_leaves_no_connection, limited_server)

static int refusing_server(void *unused)
{
    (void)unused;
    return run_server(serve_or_refuse);
}
SWEPT(a_server_that_refuses_leaves_no_connection, refusing_server)

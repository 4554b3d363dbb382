/* SPDX-License-Identifier: MIT */
/* tls.c: TLS: whole handshakes, and requests with keep-alive under wrk. In https_hello nido's server is
 * examples/apps/https_server.c, a program of its own, which sends a file; in the others a task a
 * connection answers each request with the same bytes as in http.c. */
#include "cases.h"
#include "harness/http.h"
#include "harness/load.h"
#include "harness/peers.h"

static struct load_plan tls_plan(const struct bench_ask *ask, enum load_kind kind)
{
    return (struct load_plan){
        .kind = kind, .connections = ask->count, .seconds = ask->seconds, .name = ask->name};
}

#if BENCH_TLS
#include <errno.h>
#include <nido/tls.h>

#define CERTIFICATE BENCH_APPS "/tls/certificate.pem"
#define KEY         BENCH_APPS "/tls/key.pem"

/* 1; 0: the end. */
static int read_head(nido_stream *client)
{
    char *line;
    size_t length;
    int rc;
    while ((rc = nido_stream_line(client, &line, &length)) > 0 && length > 0) continue;
    return rc;
}

static int answer(nido_stream *client, void *unused)
{
    size_t length;
    int rc;
    (void)unused;
    while ((rc = nido_stream_wait(client)) > 0 && (rc = read_head(client)) > 0) {
        const char *hello = http_hello(&length);
        rc = nido_stream_write(client, hello, length, NULL);
        if (rc < 0) return rc;
    }
    return rc;
}

static int open_tls(nido_stream *client, int fd, const nido_stream_options *options, void *ctx)
{
    return nido_tls_accept(client, ctx, fd, options);
}

/* Clients leave as they like. */
static void be_silent(void *ctx, const char *peer, int rc)
{
    (void)ctx;
    (void)peer;
    (void)rc;
}

static int serve(void *port_fd)
{
    nido_tls *tls;
    int rc = nido_tls_new(&NIDO_TLS_OPTIONS(.certificate = CERTIFICATE, .key = KEY), &tls);
    int listener = rc < 0 ? rc : load_listen(*(int *)port_fd);
    if (listener < 0) return listener;
    rc = nido_serve(listener, answer, tls,
                    &NIDO_SERVE_OPTIONS(.open = open_tls, .report = be_silent));
    nido_tls_free(tls);
    return rc;
}

static int tls_server(const struct load_plan *plan, int port_fd)
{
    (void)plan;
    return nido_run(serve, &port_fd, NULL);
}

static int floor_server(const struct load_plan *plan, int port_fd)
{
    (void)plan;
    return floor_tls_start(CERTIFICATE, KEY) ? floor_serve(port_fd, floor_tls_hello) : -EPROTO;
}

static void measure_kind(const struct bench_ask *ask, enum load_kind kind, load_server *server,
                         struct bench_sample *out)
{
    struct load_plan plan = tls_plan(ask, kind);
    load_measure(&plan, server, out);
}

static void measure_handshakes(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_kind(ask, LOAD_HANDSHAKES, tls_server, out);
}

static void measure_floor_handshakes(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_kind(ask, LOAD_HANDSHAKES, floor_server, out);
}

static void measure_hello(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_kind(ask, LOAD_HTTPS, tls_server, out);
}

static void measure_floor_hello(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_kind(ask, LOAD_HTTPS, floor_server, out);
}

static void measure_file(const struct bench_ask *ask, struct bench_sample *out)
{
    char *const program[] = {BENCH_APPS "/bench-https-server", "0", CERTIFICATE, KEY,
                             BENCH_APPS "/tls/public",         NULL};
    struct load_plan plan = tls_plan(ask, LOAD_HTTPS);
    plan.program = program;
    load_measure(&plan, load_program, out);
}
#else
static void measure_nothing(const struct bench_ask *ask, struct bench_sample *out)
{
    (void)ask;
    bench_skip(out, "libssl-dev or openssl was not installed when this was built");
}
#define measure_handshakes       measure_nothing
#define measure_floor_handshakes measure_nothing
#define measure_hello            measure_nothing
#define measure_floor_hello      measure_nothing
#define measure_file             measure_nothing
#endif

static void measure_peer_handshakes(const struct peer *peer, const struct bench_ask *ask,
                                    struct bench_sample *out)
{
    struct load_plan plan = tls_plan(ask, LOAD_HANDSHAKES);
    plan.peer = peer;
    load_measure(&plan, peer_server, out);
}

static void measure_peer_requests(const struct peer *peer, const struct bench_ask *ask,
                                  struct bench_sample *out)
{
    struct load_plan plan = tls_plan(ask, LOAD_HTTPS);
    plan.peer = peer;
    load_measure(&plan, peer_server, out);
}

const struct bench_case case_tls_handshakes = {
    .name = "tls_handshakes",
    .what = "TLS 1.3, a whole handshake, one client after the other: the server's CPU for each",
    .weight = BENCH_HEAVY,
    .count = 1,
    .rounds = 1,
    .nido = measure_handshakes,
    .floor = measure_floor_handshakes,
    .peer = measure_peer_handshakes,
    .metrics = {[LOAD_CPU_US] = {.unit = "us CPU/hs"},
                [LOAD_REQUESTS] = {.name = "rate", .unit = "hs/s", .more_is_better = true},
                [LOAD_P50_US] = {.name = "p50", .unit = "us"},
                [LOAD_P99_US] = {.name = "p99", .unit = "us"},
                [LOAD_P999_US] = {.name = "p999", .unit = "us"}},
};

#define REQUEST_METRICS                                                              \
    {                                                                                \
        [LOAD_CPU_US] = {.unit = "us CPU/req"},                                      \
        [LOAD_REQUESTS] = {.name = "rate", .unit = "req/s", .more_is_better = true}, \
        [LOAD_P50_US] = {.name = "p50", .unit = "us"},                               \
        [LOAD_P99_US] = {.name = "p99", .unit = "us"}, [LOAD_P999_US] = {            \
            .name = "p999",                                                          \
            .unit = "us"                                                             \
        }                                                                            \
    }

const struct bench_case case_tls_hello = {
    .name = "tls_hello",
    .what =
        "http_hello over TLS: a fixed answer, 100 connections of wrk: the server's CPU per request",
    .weight = BENCH_HEAVY,
    .count = 100,
    .rounds = 1,
    .nido = measure_hello,
    .floor = measure_floor_hello,
    .peer = measure_peer_requests,
    .metrics = REQUEST_METRICS,
};

const struct bench_case case_https_hello = {
    .name = "https_hello",
    .what = "a small file over TLS, 100 connections of wrk: CPU of examples/apps/https_server",
    .weight = BENCH_HEAVY,
    .count = 100,
    .rounds = 1,
    .nido = measure_file,
    .peer = measure_peer_requests,
    .metrics = REQUEST_METRICS,
};

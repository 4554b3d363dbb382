/* SPDX-License-Identifier: MIT */
/* http.c: HTTP/1.1 with keep-alive, under wrk: a task a connection, which reads, has a parser look
 * at what came, and answers each request that is complete. */
#include "harness/http.h"
#include "cases.h"
#include "harness/load.h"
#include "harness/peers.h"

static struct load_plan http_plan(const struct bench_ask *ask)
{
    return (struct load_plan){.kind = LOAD_HTTP, .connections = ask->count, .name = ask->name};
}

#if BENCH_HTTP_PARSER
#include <http_parser.h>

/* What a read has brought. */
struct asked {
    long requests;
    bool last; /* the client wants no more on this connection */
};

static int on_request(http_parser *parser)
{
    struct asked *asked = parser->data;
    asked->requests++;
    asked->last = !http_should_keep_alive(parser);
    return 0;
}

/* False if that is no HTTP, or the connection is over. */
static bool answer(int fd, http_parser *parser, const char *bytes, size_t n)
{
    static const http_parser_settings settings = {.on_message_complete = on_request};
    struct asked *asked = parser->data;
    size_t length;
    const char *hello = http_hello(&length);
    *asked = (struct asked){0};
    bool good = http_parser_execute(parser, &settings, bytes, n) == n;
    for (long i = 0; i < asked->requests && good; i++)
        good = !nido_write_all(fd, hello, length, NULL);
    return good && !asked->last;
}

static int serve(void *arg)
{
    enum { REQUEST_MOST = 4096 };
    int fd = (int)(intptr_t)arg;
    char bytes[REQUEST_MOST];
    struct asked asked;
    http_parser parser = {.data = &asked};
    http_parser_init(&parser, HTTP_REQUEST);
    ssize_t n = nido_read(fd, bytes, sizeof bytes);
    while (n > 0 && answer(fd, &parser, bytes, (size_t)n)) n = nido_read(fd, bytes, sizeof bytes);
    return nido_close(fd);
}

static int http_server(const struct load_plan *plan, int port_fd)
{
    return load_serve_tasks(plan, port_fd, serve);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan plan = http_plan(ask);
    load_measure(&plan, http_server, out);
}
#else
static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    (void)ask;
    bench_skip(out, "libhttp-parser-dev was not installed when this was built");
}
#endif

static int floor_server(const struct load_plan *plan, int port_fd)
{
    (void)plan;
    return floor_serve(port_fd, floor_hello);
}

static void measure_floor(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan plan = http_plan(ask);
    load_measure(&plan, floor_server, out);
}

static void measure_peer(const struct peer *peer, const struct bench_ask *ask,
                         struct bench_sample *out)
{
    struct load_plan plan = http_plan(ask);
    plan.peer = peer;
    load_measure(&plan, peer_server, out);
}

const struct bench_case case_http_hello = {
    .name = "http_hello",
    .what = "HTTP/1.1 with keep-alive, 100 connections of wrk: the server's CPU per request",
    .weight = BENCH_HEAVY,
    .count = 100,
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = measure_peer,
    .metrics = {[LOAD_CPU_US] = {.unit = "us CPU/req"},
                [LOAD_REQUESTS] = {.name = "rate", .unit = "req/s", .more_is_better = true},
                [LOAD_P50_US] = {.name = "p50", .unit = "us"},
                [LOAD_P99_US] = {.name = "p99", .unit = "us"},
                [LOAD_P999_US] = {.name = "p999", .unit = "us"}},
};

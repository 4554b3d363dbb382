/* SPDX-License-Identifier: MIT */
/* echo.c: a TCP echo server of nido's, a task a connection, under the load of load.c. */
#include "cases.h"
#include "harness/load.h"
#include "harness/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

struct server {
    const struct load_plan *plan;
    int port_fd;
    nido_fn *serve;
};

/* However the connection ends, the server goes on. */
static int echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[LOAD_SERVER_BUFFER];
    ssize_t n = nido_read(fd, buffer, sizeof buffer);
    while (n > 0 && !nido_write_all(fd, buffer, (size_t)n, NULL))
        n = nido_read(fd, buffer, sizeof buffer);
    return nido_close(fd);
}

static int accept_one(nido_group *group, int listener, nido_fn *serve_one)
{
    int on = 1;
    int fd = nido_accept(listener, NULL, NULL);
    if (fd < 0) return fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int rc = nido_spawn(group, serve_one, (void *)(intptr_t)fd);
    if (rc) nido_close(fd);
    return rc;
}

static int tell_port(int listener, int port_fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &length)) return -errno;
    return load_tell_port(port_fd, ntohs(address.sin_port));
}

static int listen_and_serve(void *arg)
{
    struct server *server = arg;
    nido_group group;
    int listener = nido_listen("127.0.0.1", "0", NULL);
    if (listener < 0) return listener;
    nido_group_open(&group, NIDO_FAIL_FAST, "connections");
    int rc = tell_port(listener, server->port_fd);
    bool endless = server->plan->kind != LOAD_ECHO;
    for (long i = 0; (endless || i < server->plan->connections) && !rc; i++)
        rc = accept_one(&group, listener, server->serve);
    nido_close(listener);
    return nido_group_close(&group, rc);
}

int load_serve_tasks(const struct load_plan *plan, int port_fd, nido_fn *serve)
{
    struct server server = {.plan = plan, .port_fd = port_fd, .serve = serve};
    nido_options options;
    nido_options_init(&options);
    options.spin_ns = plan->spin ? NIDO_US(50) : 0;
    return nido_run(listen_and_serve, &server, &options);
}

int nido_echo_server(const struct load_plan *plan, int port_fd)
{
    return load_serve_tasks(plan, port_fd, echo);
}

static struct load_plan plan(const struct bench_ask *ask)
{
    return (struct load_plan){
        .connections = ask->count, .seconds = ask->seconds, .name = ask->name};
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan sleeping = plan(ask);
    load_measure(&sleeping, nido_echo_server, out);
}

static void measure_floor(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan sleeping = plan(ask);
    load_measure(&sleeping, floor_echo_server, out);
}

static void measure_peer(const struct peer *peer, const struct bench_ask *ask,
                         struct bench_sample *out)
{
    struct load_plan sleeping = plan(ask);
    sleeping.peer = peer;
    load_measure(&sleeping, peer_server, out);
}

static void measure_spinning(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan spinning = plan(ask);
    spinning.spin = true;
    load_measure(&spinning, nido_echo_server, out);
}

static void measure_spinning_floor(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan spinning = plan(ask);
    spinning.spin = true;
    load_measure(&spinning, floor_echo_server, out);
}

static void count_calls(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan traced = plan(ask);
    traced.trace = true;
    load_measure(&traced, nido_echo_server, out);
}

static void count_floor_calls(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan traced = plan(ask);
    traced.trace = true;
    load_measure(&traced, floor_echo_server, out);
}

#define LATENCIES                                                                                 \
    [LOAD_P50_US] = {.name = "p50", .unit = "us"}, [LOAD_P99_US] = {.name = "p99", .unit = "us"}, \
    [LOAD_P999_US] = {.name = "p999", .unit = "us"}

#define MANY_CONNECTIONS                                                                       \
    {                                                                                          \
        [LOAD_CPU_US] = {.unit = "us CPU/req", .target_ratio = 1.05},                          \
        [LOAD_REQUESTS] = {.name = "rate", .unit = "req/s", .more_is_better = true}, LATENCIES \
    }

const struct bench_case case_echo_1 = {
    .name = "echo_1",
    .what = "TCP echo of 64 bytes, 1 connection, the server sleeps when idle: its CPU per request",
    .count = 1,
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = measure_peer,
    .metrics = {[LOAD_CPU_US] = {.unit = "us CPU/req"},
                [LOAD_REQUESTS] = {.name = "rate", .unit = "req/s", .more_is_better = true},
                LATENCIES},
};

const struct bench_case case_echo_1_spin = {
    .name = "echo_1_spin",
    .what = "the same with a spin of 50 us before sleeping; the floor never sleeps",
    .count = 1,
    .rounds = 1,
    .nido = measure_spinning,
    .floor = measure_spinning_floor,
    .metrics = {[LOAD_CPU_US] = {.unit = "us CPU/req"},
                [LOAD_REQUESTS] = {.name = "rate",
                                   .unit = "req/s",
                                   .target = 20000,
                                   .target_ratio = 0.8,
                                   .more_is_better = true},
                LATENCIES},
};

const struct bench_case case_echo_100 = {
    .name = "echo_100",
    .what = "TCP echo, 100 connections, a task each",
    .count = 100,
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = measure_peer,
    .metrics = MANY_CONNECTIONS,
};

const struct bench_case case_echo_1000 = {
    .name = "echo_1000",
    .what = "TCP echo, 1 000 connections, a task each",
    .count = 1000,
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = measure_peer,
    .metrics = MANY_CONNECTIONS,
};

const struct bench_case case_echo_5000 = {
    .name = "echo_5000",
    .what = "TCP echo, 5 000 connections, a task each",
    .weight = BENCH_HEAVY,
    .count = 5000,
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = measure_peer,
    .metrics = MANY_CONNECTIONS,
};

const struct bench_case case_echo_calls = {
    .name = "echo_calls",
    .what = "TCP echo, 100 connections: system calls of the server, by ptrace, and its polls",
    .count = 100,
    .rounds = 1,
    .nido = count_calls,
    .floor = count_floor_calls,
    /* Two, give or take the requests that the ends of the measured time cut. */
    .metrics = {[LOAD_CALLS] = {.unit = "calls/req", .target = 2.01, .target_ratio = 1.01},
                [LOAD_POLLS] = {.name = "polls", .unit = "polls/req"}},
};

/* SPDX-License-Identifier: MIT */
/* churn.c: connections that are taken, answered once and closed, under the load of load.c. */
#include "cases.h"
#include "harness/load.h"
#include "harness/peers.h"

static struct load_plan plan(const struct bench_ask *ask)
{
    return (struct load_plan){
        .kind = LOAD_CHURN, .connections = ask->count, .seconds = ask->seconds, .name = ask->name};
}

static int floor_server(const struct load_plan *plan, int port_fd)
{
    (void)plan;
    return floor_serve(port_fd, floor_echo);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan churn = plan(ask);
    load_measure(&churn, nido_echo_server, out);
}

static void measure_floor(const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan churn = plan(ask);
    load_measure(&churn, floor_server, out);
}

static void measure_peer(const struct peer *peer, const struct bench_ask *ask,
                         struct bench_sample *out)
{
    struct load_plan churn = plan(ask);
    churn.peer = peer;
    load_measure(&churn, peer_server, out);
}

const struct bench_case case_churn = {
    .name = "churn",
    .what = "TCP connections of one echo each, 64 at a time: the server's CPU per connection",
    .count = 64,
    .rounds = 1,
    .nido = measure,
    .floor = measure_floor,
    .peer = measure_peer,
    .metrics = {[LOAD_CPU_US] = {.unit = "us CPU/conn"},
                [LOAD_REQUESTS] = {.name = "rate",
                                   .unit = "conn/s",
                                   .target_ratio = 0.97,
                                   .more_is_better = true},
                [LOAD_P50_US] = {.name = "p50", .unit = "us"},
                [LOAD_P99_US] = {.name = "p99", .unit = "us"},
                [LOAD_P999_US] = {.name = "p999", .unit = "us"}},
};

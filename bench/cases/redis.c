/* SPDX-License-Identifier: MIT */
/* redis.c: SET and GET of Redis, under redis-benchmark. nido's server is examples/apps/redis_server.c,
 * a program of its own like the peer. */
#include "cases.h"
#include "harness/load.h"
#include "harness/peers.h"

static char *const server[] = {BENCH_APPS "/bench-redis-server", "0", NULL};

static struct load_plan redis_plan(const struct bench_ask *ask, long pipeline)
{
    return (struct load_plan){.kind = LOAD_REDIS,
                              .connections = ask->count,
                              .pipeline = pipeline,
                              .seconds = ask->seconds,
                              .program = server,
                              .name = ask->name};
}

static void measure_at(const struct bench_ask *ask, long pipeline, const struct peer *peer,
                       struct bench_sample *out)
{
    struct load_plan plan = redis_plan(ask, pipeline);
    plan.peer = peer;
    load_measure(&plan, peer ? peer_server : load_program, out);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_at(ask, 1, NULL, out);
}

static void measure_peer(const struct peer *peer, const struct bench_ask *ask,
                         struct bench_sample *out)
{
    measure_at(ask, 1, peer, out);
}

enum { PIPELINE = 16 };

static void measure_pipelined(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_at(ask, PIPELINE, NULL, out);
}

static void measure_peer_pipelined(const struct peer *peer, const struct bench_ask *ask,
                                   struct bench_sample *out)
{
    measure_at(ask, PIPELINE, peer, out);
}

#define METRICS                                                                      \
    {                                                                                \
        [LOAD_CPU_US] = {.unit = "us CPU/req"},                                      \
        [LOAD_REQUESTS] = {.name = "rate", .unit = "req/s", .more_is_better = true}, \
        [LOAD_P50_US] = {.name = "p50", .unit = "us"},                               \
        [LOAD_P99_US] = {.name = "p99", .unit = "us"},                               \
    }

const struct bench_case case_redis_set_get = {
    .name = "redis_set_get",
    .what = "SET and GET, 50 connections of redis-benchmark: CPU of examples/apps/redis_server",
    .weight = BENCH_HEAVY,
    .count = 50,
    .rounds = 1,
    .nido = measure,
    .peer = measure_peer,
    .metrics = METRICS,
};

const struct bench_case case_redis_pipelined = {
    .name = "redis_pipelined",
    .what = "the same with 16 requests at once on each connection",
    .weight = BENCH_HEAVY,
    .count = 50,
    .rounds = 1,
    .nido = measure_pipelined,
    .peer = measure_peer_pipelined,
    .metrics = METRICS,
};

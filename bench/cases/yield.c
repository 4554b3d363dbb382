/* SPDX-License-Identifier: MIT */
/* yield.c: tasks that do nothing but give way to each other: the cost of a switch, alone in the
 * cache and with many stacks to walk through. */
#include "baselines/floors.h"
#include "cases.h"

/* One function for all, as the tasks of a server park in one: a switch between tasks that yield in
 * different functions returns to another place than the processor expects and costs some 10 ns
 * more. */
static __attribute__((noinline)) int give_way(long times)
{
    int rc = 0;
    for (long i = 0; i < times && !rc; i++) rc = nido_yield();
    return rc;
}

static int follower(void *arg)
{
    const struct bench_run *run = arg;
    return give_way(bench_warm_up(run->ask) + run->ask->rounds);
}

/* One of its turns is a turn of every task. */
static int leader(void *arg)
{
    const struct bench_run *run = arg;
    int rc = give_way(bench_warm_up(run->ask));
    int64_t start = bench_now();
    if (!rc) rc = give_way(run->ask->rounds);
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds * run->ask->count);
    return rc;
}

static int ring(void *arg)
{
    const struct bench_run *run = arg;
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "ring");
    int rc = nido_spawn(&group, leader, arg);
    if (!rc) rc = bench_spawn_many(&group, run->ask->count - 1, follower, arg);
    return nido_group_close(&group, rc);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(ring, ask, out);
}

const struct bench_case case_switch = {
    .name = "switch",
    .what = "two tasks that yield to each other, per switch",
    .count = 2,
    .nido = measure,
    .floor = floor_ping_pong,
    /* 1.25 of the switch of a smallest scheduler, which is 1.1 of the bare one. */
    .metrics = {{.unit = "ns/switch", .target = 10, .target_ratio = 1.39}},
};

const struct bench_case case_yield_1000 = {
    .name = "yield_1000",
    .what = "1 000 tasks that yield in turn, per yield",
    .count = 1000,
    .nido = measure,
    .floor = floor_ring,
    .metrics = {{.unit = "ns/yield", .target = 15, .target_ratio = 1.1}},
};

const struct bench_case case_yield_100000 = {
    .name = "yield_100000",
    .what = "100 000 tasks that yield in turn, per yield",
    .weight = BENCH_HEAVY,
    .count = 100000,
    .rounds = 10,
    .nido = measure,
    .floor = floor_ring,
    .metrics = {{.unit = "ns/yield", .target = 55, .target_ratio = 1.2}},
};

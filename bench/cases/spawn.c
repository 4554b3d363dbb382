/* SPDX-License-Identifier: MIT */
/* spawn.c: tasks made, run and joined by closing their group. */
#include "baselines/floors.h"
#include "cases.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Spawning is no switch: all `count` are alive when the close parks and lets them run. */
static int spawn_and_join(long count)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    int rc = bench_spawn_many(&group, count, nothing, NULL);
    return nido_group_close(&group, rc);
}

static int warm(void *arg)
{
    const struct bench_run *run = arg;
    long count = run->ask->count;
    int rc = spawn_and_join(count);
    int64_t start = bench_now();
    for (long i = 0; i < run->ask->rounds && !rc; i++) rc = spawn_and_join(count);
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds * count);
    return rc;
}

static int cold(void *arg)
{
    const struct bench_run *run = arg;
    int64_t start = bench_now();
    int rc = spawn_and_join(run->ask->count);
    bench_per_operation(run->out, bench_now() - start, run->ask->count);
    return rc;
}

static void measure_warm(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(warm, ask, out);
}

static void measure_cold(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(cold, ask, out);
}

const struct bench_case case_spawn_join = {
    .name = "spawn_join",
    .what = "a group opened, one task spawned on a warm stack, the group closed, per task",
    .count = 1,
    .nido = measure_warm,
    .floor = floor_spawn_join,
    .metrics = {{.unit = "ns/task", .target = 40, .target_ratio = 2}},
};

const struct bench_case case_spawn_10000 = {
    .name = "spawn_10000",
    .what = "10 000 tasks on warm stacks, all alive, then joined by one close, per task",
    .count = 10000,
    .nido = measure_warm,
    .floor = floor_spawn_many,
    .metrics = {{.unit = "ns/task", .target = 70, .target_ratio = 1.9}},
};

const struct bench_case case_spawn_cold = {
    .name = "spawn_cold",
    .what = "20 000 tasks on stacks never used before, guards included, joined, per task",
    .count = 20000,
    .rounds = 1,
    .nido = measure_cold,
    .floor = floor_pages_time,
    .metrics = {{.unit = "ns/task", .target = 3600, .target_ratio = 1.4}},
};

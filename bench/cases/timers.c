/* SPDX-License-Identifier: MIT */
/* timers.c: many sleepers, each for a random time within a second: what it costs to put them to
 * bed and to wake them, once they exist. */
#include "baselines/floors.h"
#include "cases.h"

#include <stdlib.h>

static int sleeper(void *arg)
{
    unsigned short *seed = arg;
    return nido_sleep(NIDO_MS(1 + nrand48(seed) % 1000));
}

static int timers(void *arg)
{
    const struct bench_run *run = arg;
    unsigned short seed[3] = {1, 2, 3};
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "sleepers");
    int rc = bench_spawn_many(&group, run->ask->count, sleeper, seed);
    int64_t cpu = bench_cpu_now();
    int64_t start = bench_now();
    rc = nido_group_close(&group, rc);
    bench_per_operation(run->out, bench_cpu_now() - cpu, NIDO_MS(1));
    run->out->values[1] = (double)(bench_now() - start) / (double)NIDO_MS(1);
    return rc;
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(timers, ask, out);
}

static void measure_slack(const struct bench_ask *ask, struct bench_sample *out)
{
    nido_options options;
    nido_options_init(&options);
    options.timer_slack_ns = NIDO_MS(1);
    bench_nido_with(&options, timers, ask, out);
}

const struct bench_case case_timers = {
    .name = "timers",
    .what = "100 000 tasks sleep 1 to 1 000 ms: CPU time after they were spawned",
    .weight = BENCH_HEAVY,
    .count = 100000,
    .rounds = 1,
    .nido = measure,
    .floor = floor_timers,
    .metrics = {{.unit = "ms CPU", .target = 80, .target_ratio = 4},
                {.name = "wall", .unit = "ms"}},
};

const struct bench_case case_timers_slack = {
    .name = "timers_slack",
    .what = "the same where all may be a millisecond late (nido_options.timer_slack_ns)",
    .weight = BENCH_HEAVY,
    .count = 100000,
    .rounds = 1,
    .nido = measure_slack,
    .floor = floor_timers,
    .metrics = {{.unit = "ms CPU", .target = 80, .target_ratio = 4},
                {.name = "wall", .unit = "ms"}},
};

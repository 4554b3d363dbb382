/* SPDX-License-Identifier: MIT */
/* offload.c: calls on worker threads: how long one takes there and back, and how many go through.
 *
 * The loop is on the first CPU, the workers on the second. */
#include <semaphore.h>

#include "baselines/floors.h"
#include "cases.h"

struct office {
    const struct bench_run *run;
    long rounds; /* of each caller */
    long workers;
    long present; /* atomic */
    sem_t all_begun;
};

static ssize_t nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* Returns when every worker is in it. */
static ssize_t meet(void *arg)
{
    struct office *office = arg;
    if (__atomic_add_fetch(&office->present, 1, __ATOMIC_RELAXED) == office->workers)
        for (long i = 0; i < office->workers; i++) sem_post(&office->all_begun);
    return sem_wait(&office->all_begun);
}

static int come(void *office)
{
    return (int)nido_offload(meet, office);
}

/* A thread begins on the CPU of its starter: the loop's, or a worker's. */
static int hire(struct office *office)
{
    nido_group group;
    bench_pin(1);
    nido_group_open(&group, NIDO_FAIL_FAST, "workers");
    int rc = bench_spawn_many(&group, office->workers, come, office);
    rc = nido_group_close(&group, rc);
    bench_pin(0);
    return rc;
}

static int caller(void *arg)
{
    const struct office *office = arg;
    ssize_t rc = 0;
    for (long i = 0; i < office->rounds && !rc; i++) rc = nido_offload(nothing, NULL);
    return (int)rc;
}

static int call_all(struct office *office, long rounds)
{
    nido_group group;
    office->rounds = rounds;
    nido_group_open(&group, NIDO_FAIL_FAST, "callers");
    int rc = bench_spawn_many(&group, office->run->ask->count, caller, office);
    return nido_group_close(&group, rc);
}

static int offload(void *arg)
{
    struct office office = {.run = arg};
    const struct bench_ask *ask = office.run->ask;
    office.workers = ask->count > 1 ? BENCH_WORKERS : 1;
    sem_init(&office.all_begun, 0, 0);
    int rc = hire(&office);
    if (!rc) rc = call_all(&office, bench_warm_up(ask));
    int64_t start = bench_now();
    if (!rc) rc = call_all(&office, ask->rounds);
    bench_per_operation(office.run->out, bench_now() - start, ask->rounds * ask->count);
    return rc;
}

static void measure_with(const struct bench_ask *ask, struct bench_sample *out, int64_t spin_ns)
{
    nido_options options;
    nido_options_init(&options);
    options.pool_threads = ask->count > 1 ? BENCH_WORKERS : 1;
    options.spin_ns = spin_ns;
    bench_nido_with(&options, offload, ask, out);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_with(ask, out, 0);
}

static void measure_spinning(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_with(ask, out, NIDO_US(50));
}

const struct bench_case case_offload_1 = {
    .name = "offload_1",
    .what = "a call on a worker thread and back, both sides sleep when idle",
    .count = 1,
    .nido = measure,
    .floor = floor_offload,
    .metrics = {{.unit = "ns/call", .target_ratio = 1.1}},
};

const struct bench_case case_offload_1_spin = {
    .name = "offload_1_spin",
    .what = "the same with a spin of 50 us before sleeping; the floor never sleeps",
    .count = 1,
    .nido = measure_spinning,
    .floor = floor_offload_spin,
    .metrics = {{.unit = "ns/call", .target = 3000}},
};

const struct bench_case case_offload_64 = {
    .name = "offload_64",
    .what = "64 tasks that call 4 workers, per call",
    .count = 64,
    .nido = measure,
    .floor = floor_offload,
    .metrics = {{.unit = "ns/call", .target = 600, .target_ratio = 2.3}},
};

const struct bench_case case_offload_1024 = {
    .name = "offload_1024",
    .what = "1 024 tasks that call 4 workers, per call",
    .count = 1024,
    .nido = measure,
    .floor = floor_offload,
    .metrics = {{.unit = "ns/call"}},
};

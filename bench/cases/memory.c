/* SPDX-License-Identifier: MIT */
/* memory.c: what a parked task occupies. The process is forked for the sample, so what the runtime
 * itself needs is there before the first reading, and nothing else moves. */
#include "baselines/floors.h"
#include "cases.h"
#include "harness/footprint.h"
#include "harness/peers.h"

static int wait_at_gate(void *arg)
{
    return nido_event_wait(arg);
}

static int parked(void *arg)
{
    const struct bench_run *run = arg;
    struct footprint before = footprint_now();
    nido_event gate;
    nido_group group;
    nido_event_init(&gate, "gate");
    nido_group_open(&group, NIDO_FAIL_FAST, "parked");
    int rc = bench_spawn_many(&group, run->ask->count, wait_at_gate, &gate);
    if (!rc) rc = nido_yield();
    struct footprint after = footprint_now();
    if (!rc) footprint_sample(&before, &after, run->ask->count, run->out);
    nido_event_set(&gate);
    rc = nido_group_close(&group, rc);
    nido_event_deinit(&gate);
    return rc;
}

static bool has_room(const struct bench_ask *ask, struct bench_sample *out)
{
    enum { BYTES_ABOUT = 5000 };
    return footprint_room((int64_t)ask->count * BYTES_ABOUT, out);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    if (has_room(ask, out)) bench_nido(parked, ask, out);
}

static void measure_peer(const struct peer *peer, const struct bench_ask *ask,
                         struct bench_sample *out)
{
    if (has_room(ask, out)) peer_memory(peer, ask, out);
}

const struct bench_case case_memory_10000 = {
    .name = "memory_10000",
    .what = "pages and page tables of 10 000 parked tasks, per task; mappings of the process",
    .weight = BENCH_HEAVY,
    .count = 10000,
    .rounds = 1,
    .nido = measure,
    .floor = floor_pages_memory,
    .peer = measure_peer,
    .metrics = {{.unit = "bytes/task"}, {.name = "mappings", .unit = "mappings"}},
};

const struct bench_case case_memory_100000 = {
    .name = "memory_100000",
    .what = "the same for 100 000",
    .weight = BENCH_HEAVY,
    .count = 100000,
    .rounds = 1,
    .nido = measure,
    .floor = floor_pages_memory,
    .peer = measure_peer,
    .metrics = {{.unit = "bytes/task"}, {.name = "mappings", .unit = "mappings"}},
};

const struct bench_case case_memory_1000000 = {
    .name = "memory_1000000",
    .what = "the same for 1 000 000",
    .weight = BENCH_HUGE,
    .count = 1000000,
    .rounds = 1,
    .nido = measure,
    .floor = floor_pages_memory,
    .peer = measure_peer,
    .metrics = {{.unit = "bytes/task", .target = 4300, .target_ratio = 1.02},
                {.name = "mappings", .unit = "mappings", .target = 100}},
};

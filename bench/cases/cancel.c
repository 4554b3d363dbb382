/* SPDX-License-Identifier: MIT */
/* cancel.c: a group of parked tasks cancelled and joined. */
#include "baselines/floors.h"
#include "cases.h"

static int wait_in_vain(void *arg)
{
    return nido_event_wait(arg);
}

/* One yield lets all of them run until they park. */
static int cancel_parked(long count, nido_event *never, int64_t *ns)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "parked");
    int rc = bench_spawn_many(&group, count, wait_in_vain, never);
    if (!rc) rc = nido_yield();
    int64_t start = bench_now();
    nido_group_cancel(&group, 0, "the measured part");
    rc = nido_group_close(&group, rc);
    *ns += bench_now() - start;
    return rc;
}

static int cancel(void *arg)
{
    const struct bench_run *run = arg;
    long count = run->ask->count;
    int64_t warm_up = 0, ns = 0;
    nido_event never;
    nido_event_init(&never, "never");
    int rc = cancel_parked(count, &never, &warm_up);
    for (long i = 0; i < run->ask->rounds && !rc; i++) rc = cancel_parked(count, &never, &ns);
    bench_per_operation(run->out, ns, run->ask->rounds * count);
    nido_event_deinit(&never);
    return rc;
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(cancel, ask, out);
}

const struct bench_case case_cancel_1000 = {
    .name = "cancel_1000",
    .what = "1 000 parked tasks cancelled and joined, per task",
    .count = 1000,
    .nido = measure,
    .floor = floor_cancel,
    .metrics = {{.unit = "ns/task", .target = 60, .target_ratio = 2}},
};

const struct bench_case case_cancel_100000 = {
    .name = "cancel_100000",
    .what = "100 000 parked tasks cancelled and joined, per task",
    .weight = BENCH_HEAVY,
    .count = 100000,
    .rounds = 3,
    .nido = measure,
    .floor = floor_cancel,
    .metrics = {{.unit = "ns/task", .target = 250, .target_ratio = 1.25}},
};

/* SPDX-License-Identifier: MIT */
/* scope.c: scopes and groups opened and closed around work that never parks, and a wait that does
 * not have to. */
#include "baselines/floors.h"
#include "cases.h"

static int group(void *arg)
{
    const struct bench_run *run = arg;
    int rc = 0;
    int64_t start = bench_now();
    for (long i = 0; i < run->ask->rounds && !rc; i++) {
        nido_group one;
        nido_group_open(&one, NIDO_FAIL_FAST, NULL);
        rc = nido_group_close(&one, 0);
    }
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds);
    return rc;
}

static int deadline(void *arg)
{
    const struct bench_run *run = arg;
    int rc = 0;
    int64_t far = nido_after(NIDO_SEC(3600));
    int64_t start = bench_now();
    for (long i = 0; i < run->ask->rounds && !rc; i++) {
        nido_scope one;
        nido_deadline_open(&one, far + i);
        rc = nido_scope_close(&one, 0);
    }
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds);
    return rc;
}

static int timeout(void *arg)
{
    const struct bench_run *run = arg;
    int rc = 0;
    int64_t start = bench_now();
    for (long i = 0; i < run->ask->rounds && !rc; i++) {
        nido_scope one;
        nido_timeout_open(&one, NIDO_SEC(3600));
        rc = nido_scope_close(&one, 0);
    }
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds);
    return rc;
}

static int ready_event(void *arg)
{
    const struct bench_run *run = arg;
    nido_event event;
    nido_event_init(&event, NULL);
    int rc = nido_event_set(&event);
    int64_t start = bench_now();
    for (long i = 0; i < run->ask->rounds && !rc; i++) rc = nido_event_wait(&event);
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds);
    nido_event_deinit(&event);
    return rc;
}

static int wait_once(void *arg)
{
    return nido_event_wait(arg);
}

static int with_timeout(void *arg)
{
    const struct bench_run *run = arg;
    nido_event event;
    nido_event_init(&event, NULL);
    int rc = nido_event_set(&event);
    int64_t start = bench_now();
    for (long i = 0; i < run->ask->rounds && !rc; i++)
        rc = nido_with_timeout(NIDO_SEC(3600), wait_once, &event);
    bench_per_operation(run->out, bench_now() - start, run->ask->rounds);
    nido_event_deinit(&event);
    return rc;
}

static void measure_group(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(group, ask, out);
}

static void measure_deadline(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(deadline, ask, out);
}

static void measure_timeout(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(timeout, ask, out);
}

static void measure_event(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(ready_event, ask, out);
}

static void measure_with_timeout(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(with_timeout, ask, out);
}

const struct bench_case case_group = {
    .name = "group",
    .what = "an empty group opened and closed",
    .nido = measure_group,
    .floor = floor_scope,
    .metrics = {{.unit = "ns/group"}},
};

const struct bench_case case_scope_deadline = {
    .name = "scope_deadline",
    .what = "a scope with an absolute deadline opened and closed, nothing parks",
    .nido = measure_deadline,
    .floor = floor_scope,
    .metrics = {{.unit = "ns/scope", .target = 10, .target_ratio = 2}},
};

const struct bench_case case_scope_timeout = {
    .name = "scope_timeout",
    .what = "a scope with a relative timeout opened and closed, nothing parks",
    .nido = measure_timeout,
    .floor = floor_scope,
    .metrics = {{.unit = "ns/scope"}},
};

const struct bench_case case_with_timeout_ready = {
    .name = "with_timeout_ready",
    .what = "nido_with_timeout around a wait for an event that is set",
    .nido = measure_with_timeout,
    .floor = floor_with_timeout,
    .metrics = {{.unit = "ns/call"}},
};

const struct bench_case case_event_wait = {
    .name = "event_wait",
    .what = "a wait for an event that is set",
    .nido = measure_event,
    .metrics = {{.unit = "ns/wait"}},
};

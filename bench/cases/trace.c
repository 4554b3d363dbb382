/* SPDX-License-Identifier: MIT */
/* trace.c: what the recorder costs an event: two tasks that yield to each other, recorded and not, again and again
 * in one process. A switch is two events: a task stops, and the next one goes on. */
#include <nido/trace.h>

#include "baselines/floors.h"
#include "cases.h"

enum { TIMES = 5, EVENTS_A_SWITCH = 2, WARM_UP = 20000 /* each cell of the ring is touched */ };

struct pair {
    long switches;
    int64_t ns;
};

static int give_way(long times)
{
    int rc = 0;
    for (long i = 0; i < times && !rc; i++) rc = nido_yield();
    return rc;
}

static int follower(void *arg)
{
    const struct pair *pair = arg;
    return give_way(WARM_UP + pair->switches / 2);
}

static int leader(void *arg)
{
    struct pair *pair = arg;
    int rc = give_way(WARM_UP);
    int64_t start = bench_now();
    if (!rc) rc = give_way(pair->switches / 2);
    pair->ns = bench_now() - start;
    return rc;
}

static int pair_run(struct pair *pair)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "pair");
    int rc = nido_spawn(&group, leader, pair);
    if (!rc) rc = nido_spawn(&group, follower, pair);
    return nido_group_close(&group, rc);
}

static int pair_run_recorded(struct pair *pair)
{
    int rc = nido_trace_start(NULL);
    if (!rc) rc = pair_run(pair);
    nido_trace_stop();
    return rc;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int play(void *arg)
{
    const struct bench_run *run = arg;
    struct pair pair = {.switches = run->ask->rounds};
    int64_t off = INT64_MAX, on = INT64_MAX;
    int rc = 0;
    for (int i = 0; i < TIMES && !rc; i++) {
        rc = pair_run(&pair);
        off = least(off, pair.ns);
        if (!rc) rc = pair_run_recorded(&pair);
        on = least(on, pair.ns);
    }
    bench_per_operation(run->out, on - off, pair.switches * EVENTS_A_SWITCH);
    run->out->ns = on;
    return rc;
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(play, ask, out);
}

const struct bench_case case_trace_event = {
    .name = "trace_event",
    .what = "two tasks that yield to each other: what recording costs, per event",
    .nido = measure,
    .floor = floor_trace,
    .metrics = {{.unit = "ns/event", .target = 15}},
};

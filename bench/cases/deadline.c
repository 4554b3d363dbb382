/* SPDX-License-Identifier: MIT */
/* deadline.c: what a deadline adds to a wait that really parks: opened, armed by the park, woken in
 * time, closed. The same wait without a deadline is measured in the same sample, in alternating
 * slices, and subtracted. Others wait under deadlines of their own, later ones, all the while. */
#include "baselines/floors.h"
#include "cases.h"

struct table {
    const struct bench_run *run;
    nido_event bell; /* the waker sets it, the waiter resets it: one round */
    nido_event gate; /* what the others wait for */
    bool over;
};

static int other(void *arg)
{
    struct table *table = arg;
    nido_scope scope;
    nido_timeout_open(&scope, NIDO_SEC(7200));
    int rc = nido_event_wait(&table->gate);
    return nido_scope_close(&scope, rc);
}

static int waker(void *arg)
{
    struct table *table = arg;
    int rc = 0;
    while (!table->over && !rc) {
        rc = nido_event_set(&table->bell);
        if (!rc) rc = nido_yield();
    }
    return rc;
}

static int wait_for_bell(struct table *table)
{
    int rc = nido_event_wait(&table->bell);
    return rc ? rc : nido_event_reset(&table->bell);
}

static int wait_plainly(struct table *table, long rounds)
{
    int rc = 0;
    for (long i = 0; i < rounds && !rc; i++) rc = wait_for_bell(table);
    return rc;
}

/* Each deadline is a little later than the one before, as those of a busy server are. */
static int wait_in_time(struct table *table, long rounds)
{
    int rc = 0;
    int64_t far = nido_after(NIDO_SEC(3600));
    for (long i = 0; i < rounds && !rc; i++) {
        nido_scope scope;
        nido_deadline_open(&scope, far + i);
        rc = wait_for_bell(table);
        rc = nido_scope_close(&scope, rc);
    }
    return rc;
}

static int waiter(void *arg)
{
    enum { SLICES = 16 };
    struct table *table = arg;
    long rounds = table->run->ask->rounds / SLICES + 1;
    int64_t plain = 0, timed = 0;
    int rc = wait_in_time(table, rounds);
    for (int i = 0; i < SLICES && !rc; i++) {
        int64_t start = bench_now();
        rc = wait_plainly(table, rounds);
        int64_t middle = bench_now();
        if (!rc) rc = wait_in_time(table, rounds);
        plain += middle - start;
        timed += bench_now() - middle;
    }
    bench_per_operation(table->run->out, timed, rounds * SLICES);
    table->run->out->values[1] = table->run->out->values[0];
    table->run->out->values[0] -= (double)plain / (double)(rounds * SLICES);
    table->over = true;
    return rc;
}

static int play(struct table *table)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "bell");
    int rc = nido_spawn(&group, waiter, table);
    if (!rc) rc = nido_spawn(&group, waker, table);
    return nido_group_close(&group, rc);
}

static int deadline_parked(void *arg)
{
    struct table table = {.run = arg};
    nido_group others;
    nido_event_init(&table.bell, "bell");
    nido_event_init(&table.gate, "gate");
    nido_group_open(&others, NIDO_FAIL_FAST, "others");
    int rc = bench_spawn_many(&others, table.run->ask->count, other, &table);
    if (!rc) rc = nido_yield();
    if (!rc) rc = play(&table);
    nido_event_set(&table.gate);
    rc = nido_group_close(&others, rc);
    nido_event_deinit(&table.gate);
    nido_event_deinit(&table.bell);
    return rc;
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(deadline_parked, ask, out);
}

const struct bench_case case_deadline_parked_0 = {
    .name = "deadline_parked_0",
    .what = "what a deadline adds to a wait that parks, no other deadline pending",
    .count = 0,
    .nido = measure,
    .floor = floor_wheel,
    .metrics = {{.unit = "ns/deadline", .target = 15, .target_ratio = 1.6},
                {.name = "whole round", .unit = "ns/round"}},
};

const struct bench_case case_deadline_parked_100000 = {
    .name = "deadline_parked_100000",
    .what = "the same with 100 000 others pending",
    .weight = BENCH_HEAVY,
    .count = 100000,
    .rounds = 1000000,
    .nido = measure,
    .floor = floor_wheel,
    .metrics = {{.unit = "ns/deadline", .target = 15, .target_ratio = 1.6},
                {.name = "whole round", .unit = "ns/round"}},
};

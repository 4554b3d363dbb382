/* SPDX-License-Identifier: MIT */
/* chan.c: messages through channels: from hand to hand and back, and through a buffer from one or
 * many to one. */
#include "baselines/floors.h"
#include "cases.h"

enum { CAPACITY = 128 };

struct wire {
    const struct bench_run *run;
    nido_chan *there, *back;
};

static int answer(void *arg)
{
    struct wire *wire = arg;
    long item, n = bench_warm_up(wire->run->ask) + wire->run->ask->rounds;
    int rc = 0;
    for (long i = 0; i < n && !rc; i++) {
        rc = nido_chan_recv(wire->there, &item);
        if (!rc) rc = nido_chan_send(wire->back, &item);
    }
    return rc;
}

static int ask_and_hear(struct wire *wire, long n)
{
    long item;
    int rc = 0;
    for (long i = 0; i < n && !rc; i++) {
        rc = nido_chan_send(wire->there, &i);
        if (!rc) rc = nido_chan_recv(wire->back, &item);
    }
    return rc;
}

static int question(void *arg)
{
    struct wire *wire = arg;
    const struct bench_ask *ask = wire->run->ask;
    int rc = ask_and_hear(wire, bench_warm_up(ask));
    int64_t start = bench_now();
    if (!rc) rc = ask_and_hear(wire, ask->rounds);
    bench_per_operation(wire->run->out, bench_now() - start, ask->rounds * 2);
    return rc;
}

static int talk(struct wire *wire)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "talk");
    int rc = nido_spawn(&group, question, wire);
    if (!rc) rc = nido_spawn(&group, answer, wire);
    return nido_group_close(&group, rc);
}

static int pingpong(void *arg)
{
    struct wire wire = {.run = arg};
    int rc = nido_chan_new(sizeof(long), 0, NULL, NULL, &wire.there);
    if (!rc) rc = nido_chan_new(sizeof(long), 0, NULL, NULL, &wire.back);
    if (!rc) rc = talk(&wire);
    nido_chan_free(wire.back);
    nido_chan_free(wire.there);
    return rc;
}

static int produce(void *arg)
{
    struct wire *wire = arg;
    long n = bench_warm_up(wire->run->ask) + wire->run->ask->rounds;
    int rc = 0;
    for (long i = 0; i < n && !rc; i++) rc = nido_chan_send(wire->there, &i);
    return rc;
}

static int receive(struct wire *wire, long n)
{
    long item;
    int rc = 0;
    for (long i = 0; i < n && !rc; i++) rc = nido_chan_recv(wire->there, &item);
    return rc;
}

static int consume(void *arg)
{
    struct wire *wire = arg;
    const struct bench_ask *ask = wire->run->ask;
    int rc = receive(wire, bench_warm_up(ask) * ask->count);
    int64_t start = bench_now();
    if (!rc) rc = receive(wire, ask->rounds * ask->count);
    bench_per_operation(wire->run->out, bench_now() - start, ask->rounds * ask->count);
    return rc;
}

static int flow(struct wire *wire)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "flow");
    int rc = nido_spawn(&group, consume, wire);
    if (!rc) rc = bench_spawn_many(&group, wire->run->ask->count, produce, wire);
    return nido_group_close(&group, rc);
}

static int stream(void *arg)
{
    struct wire wire = {.run = arg};
    int rc = nido_chan_new(sizeof(long), CAPACITY, NULL, NULL, &wire.there);
    if (!rc) rc = flow(&wire);
    nido_chan_free(wire.there);
    return rc;
}

static void measure_pingpong(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(pingpong, ask, out);
}

static void measure_stream(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(stream, ask, out);
}

const struct bench_case case_chan_pingpong = {
    .name = "chan_pingpong",
    .what = "two tasks that send and answer over channels without a buffer, per message",
    .nido = measure_pingpong,
    .floor = floor_rendezvous,
    .metrics = {{.unit = "ns/message", .target = 20, .target_ratio = 2}},
};

const struct bench_case case_chan_stream = {
    .name = "chan_stream",
    .what = "one producer and one consumer over a buffer of 128, per message",
    .count = 1,
    .nido = measure_stream,
    .floor = floor_stream,
    .metrics = {{.unit = "ns/message", .target = 10, .target_ratio = 3}},
};

const struct bench_case case_chan_many = {
    .name = "chan_many",
    .what = "64 producers and one consumer over a buffer of 128, per message",
    .count = 64,
    .nido = measure_stream,
    .floor = floor_stream,
    .metrics = {{.unit = "ns/message"}},
};

/* SPDX-License-Identifier: MIT */
/* runner.h: takes the samples of a case. */
#ifndef NIDO_BENCH_RUNNER_H
#define NIDO_BENCH_RUNNER_H

#include "peers.h"

enum { RUNNER_REPEATS_MOST = 99 };

struct runner_options {
    long repeats; /* 0: by the weight of the case */
    bool quick;
    bool named; /* the cases were asked for by name */
    const struct peer *peers;
    int peer_count; /* 0: nido and floor alone */
};

/* One metric on one side. */
struct series {
    double values[RUNNER_REPEATS_MOST]; /* in order of taking; NAN: none */
    double sorted[RUNNER_REPEATS_MOST];
    size_t n; /* of sorted */
};

struct peer_result {
    const struct peer *peer;
    bool has; /* the case; else nothing below means anything */
    enum bench_outcome outcome;
    char why[BENCH_WHY_SIZE];
    struct series values[BENCH_METRICS_MOST];
    struct series ratio[BENCH_METRICS_MOST]; /* peer to nido, pair by pair */
};

struct result {
    const struct bench_case *test;
    enum bench_outcome outcome;
    char why[BENCH_WHY_SIZE];
    long repeats;
    struct series nido[BENCH_METRICS_MOST];
    struct series floor[BENCH_METRICS_MOST];
    struct series ratio[BENCH_METRICS_MOST]; /* nido to floor, pair by pair */
    struct peer_result peers[PEERS_MOST];
    int peer_count; /* 0: no peer has the case */
};

double series_median(const struct series *series);

/* (p90 - p10) / median; NAN for fewer than 3 samples. */
double series_spread(const struct series *series);

/* True if `value` is as good as `target`, for a metric that has one. */
bool metric_met(const struct bench_metric *metric, double value, double target);

/* Takes all samples of a case, floor, nido and the peers in turn. Says on `on_sample` before each
 * which one it is. A peer that fails or is skipped takes nothing from the others. */
void runner_run(const struct bench_case *test, const struct runner_options *options,
                void (*on_sample)(const char *side, long i, long repeats), struct result *out);

#endif

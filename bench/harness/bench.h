/* SPDX-License-Identifier: MIT */
/* bench.h: what a case is, and what the runner asks of it.
 *
 * A case measures nido and, where there is one, a floor: the least that hardware and kernel allow
 * for the same work, hand-written and without any safety. The runner knows cases only as entries
 * of `bench_cases`; a case knows of the runner only the two structs it is called with.
 *
 * 1. Every sample is taken in a process of its own, forked for it: samples share no warm state, and
 *    a crash or a hang costs one row of the table.
 * 2. So a case that means warm stacks warms them itself, before its clock starts.
 * 3. Samples of floor and nido alternate, so that drift of the machine hits both.
 *
 * Times are int64_t nanoseconds of CLOCK_MONOTONIC. */
#ifndef NIDO_BENCH_H
#define NIDO_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <nido.h>

enum { BENCH_METRICS_MOST = 5, BENCH_WHY_SIZE = 200 };

/* What one call of a bench_fn has to do. */
struct bench_ask {
    const char *name; /* of the case */
    long count;       /* of the case: how many tasks or connections */
    long rounds;      /* how often the work is done; chosen by the runner, or fixed by the case */
    double seconds;   /* how long a load runs, for cases that run by time */
};

enum bench_outcome {
    BENCH_FAILED = 0, /* broken: a crash, a hang, an error that should not be */
    BENCH_SKIPPED,    /* this machine cannot run it */
    BENCH_MEASURED
};

struct bench_sample {
    enum bench_outcome outcome;
    int64_t ns; /* length of the measured part; the runner sizes rounds by it */
    double values[BENCH_METRICS_MOST]; /* one for each metric of the case; NAN: none */
    char why[BENCH_WHY_SIZE];          /* why there are no values */
};

/* Takes one sample, in a process of its own, pinned to the first CPU. */
typedef void bench_fn(const struct bench_ask *ask, struct bench_sample *out);

/* The same of a peer: peers.h. */
struct peer;
typedef void bench_peer_fn(const struct peer *peer, const struct bench_ask *ask,
                           struct bench_sample *out);

/* One number that a case gives: one row of the table. */
struct bench_metric {
    const char *name; /* added to the case's name; NULL for its first */
    const char *unit;
    double target;       /* the value that nido should reach; 0: none was set */
    double target_ratio; /* the same as a multiple of the floor; 0: none was set */
    bool more_is_better;
};

enum bench_weight {
    BENCH_LIGHT = 0, /* a sample takes a fraction of a second */
    BENCH_HEAVY,     /* about a second: one sample under --quick */
    BENCH_HUGE       /* several: one sample, and none under --quick unless the case is named */
};

struct bench_case {
    const char *name;
    const char *what; /* one line: what is counted */
    enum bench_weight weight;
    long count;
    long rounds; /* 0: the runner finds how many make a sample long enough */
    bench_fn *nido;
    bench_fn *floor;                                 /* NULL: there is none */
    bench_peer_fn *peer;                             /* NULL: peer_measure */
    struct bench_metric metrics[BENCH_METRICS_MOST]; /* up to the first without a unit */
};

/* All cases in the order of the table; NULL ends it. */
extern const struct bench_case *const bench_cases[];

static inline int64_t bench_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

/* Rounds before the measured ones: the first turns of the tasks touch the stacks. */
static inline long bench_warm_up(const struct bench_ask *ask)
{
    return ask->rounds / 8 + 1;
}

/* CPU time that this process has used, in ns. */
int64_t bench_cpu_now(void);

/* The sample is `ns` nanoseconds for `operations`: its first value is ns per operation. */
void bench_per_operation(struct bench_sample *out, int64_t ns, int64_t operations);

/* There is no number, because this machine cannot run the case, or because something is broken. */
void bench_skip(struct bench_sample *out, const char *format, ...) NIDO_PRINTF(2, 3);
void bench_fail(struct bench_sample *out, const char *format, ...) NIDO_PRINTF(2, 3);

/* What bench_nido hands to the root task. */
struct bench_run {
    const struct bench_ask *ask;
    struct bench_sample *out;
};

/* Runs fn as the root task of a fresh runtime; its argument is a struct bench_run. A negative
 * result makes the sample one without a number and says why. */
void bench_nido(nido_fn *fn, const struct bench_ask *ask, struct bench_sample *out);

/* The same with options; what its failures say goes to the sample. */
void bench_nido_with(nido_options *options, nido_fn *fn, const struct bench_ask *ask,
                     struct bench_sample *out);

/* Spawns `count` tasks that run fn(arg). 0, or what nido_spawn said. */
int bench_spawn_many(nido_group *group, long count, nido_fn *fn, void *arg);

/* Lets this process have `count` descriptors beside its own few. True if it may; else the sample
 * says why not. */
bool bench_want_fds(long count, struct bench_sample *out);

/* How many CPUs this process was allowed when it started. */
int bench_cpus(void);

/* Pins this process to one of them, counted from 0 and round again. False: the kernel refused. */
bool bench_pin(int which);

#endif

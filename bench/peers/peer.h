/* SPDX-License-Identifier: MIT */
/* peer.h: what the peers in C and C++ share: the command line and the one line they answer with.
 * bench/harness/peers.h says both. Static, so that each peer stays one file. */
#ifndef NIDO_BENCH_PEER_H
#define NIDO_BENCH_PEER_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct ask {
    const char *name; /* of the case */
    long rounds, count;
    long warm_up; /* rounds before the measured ones */
};

/* Does the work of a case and prints its answer. */
typedef void peer_fn(const struct ask *ask);

struct peer_case {
    const char *name;
    peer_fn *run;
};

static inline int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static inline int64_t cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline void say_per_operation(int64_t ns, int64_t operations)
{
    printf("{\"ns\": %" PRId64 ", \"values\": [%.6g]}\n", ns, (double)ns / (double)operations);
}

/* Of the timers: CPU and wall, in ms. */
static inline void say_cpu_and_wall(int64_t cpu, int64_t wall)
{
    printf("{\"ns\": %" PRId64 ", \"values\": [%.6g, %.6g]}\n", wall, (double)cpu / 1e6,
           (double)wall / 1e6);
}

/* Where an echo server listens. */
static inline void say_port(uint16_t port)
{
    printf("{\"port\": %u}\n", port);
    fflush(stdout);
}

/* All tasks of a memory case are parked; the rest is up to the killer of this process. */
static inline void say_parked(const struct ask *ask)
{
    printf("{\"parked\": %ld}\n", ask->count);
    fflush(stdout);
    for (;;) pause();
}

/* Of the wakes: in us, in order of coming, with room for all that come. */
enum { WAKES_MOST = 1 << 16, WAKE_STAMPS = 64, WAKE_WORK_NS = 1000, WAKE_WARM_UP_SHARE = 5 };

struct wakes {
    double us[WAKES_MOST];
    size_t count;
};

static inline void wake_work(void)
{
    int64_t end = now_ns() + WAKE_WORK_NS;
    while (now_ns() < end) {
    }
}

static inline void wake_note(struct wakes *wakes, const int64_t *stamps, ssize_t bytes)
{
    int64_t now = now_ns();
    size_t n = (size_t)bytes / sizeof *stamps;
    for (size_t i = 0; i < n && wakes->count < WAKES_MOST; i++)
        wakes->us[wakes->count++] = (double)(now - stamps[i]) / 1000;
}

static inline int compare_us(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return (one > two) - (one < two);
}

static inline double wake_percentile(const double *us, size_t n, double percent)
{
    return us[(size_t)(percent / 100 * (double)(n - 1))];
}

static inline void say_wakes(struct wakes *wakes)
{
    size_t skip = wakes->count / WAKE_WARM_UP_SHARE, n = wakes->count - skip;
    double *us = wakes->us + skip;
    if (!n) die("nothing was woken");
    qsort(us, n, sizeof *us, compare_us);
    printf("{\"ns\": 0, \"values\": [%.6g, %.6g, %.6g]}\n", wake_percentile(us, n, 50),
           wake_percentile(us, n, 99), wake_percentile(us, n, 99.9));
}

static inline void say_about(const char *version, const struct peer_case *cases)
{
    printf("{\"version\": \"%s\", \"cases\": [", version);
    for (int i = 0; cases[i].name; i++) printf("%s\"%s\"", i ? ", " : "", cases[i].name);
    puts("]}");
}

static inline int peer_main(int argc, char **argv, const char *version,
                            const struct peer_case *cases)
{
    if (argc >= 2 && !strcmp(argv[1], "--about")) {
        say_about(version, cases);
        return 0;
    }
    for (int i = 0; argc == 4 && cases[i].name; i++) {
        if (strcmp(argv[1], cases[i].name) != 0) continue;
        struct ask ask = {argv[1], atol(argv[2]), atol(argv[3]), atol(argv[2]) / 8 + 1};
        cases[i].run(&ask);
        return 0;
    }
    fprintf(stderr, "usage: %s --about | CASE ROUNDS COUNT\n", argv[0]);
    return 2;
}

#endif

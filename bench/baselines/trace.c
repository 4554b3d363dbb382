/* SPDX-License-Identifier: MIT */
/* trace.c: the least that two events of a switch take: one reading of the processor's clock, and two records of 32
 * bytes in a ring of 1 MiB. Without a switch, and without a task that is told of. */
#include "baselines/floors.h"

#include <stdlib.h>
#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

enum { RECORDS = 32768 };

struct record {
    int64_t when;
    uint64_t words[3];
};

static int64_t ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return (int64_t)__rdtsc();
#elif defined(__aarch64__)
    int64_t now;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
    return now;
#else
    return bench_now();
#endif
}

static void write_pairs(struct record *ring, long pairs)
{
    uint64_t written = 0;
    for (long i = 0; i < pairs; i++) {
        int64_t now = ticks();
        for (int k = 0; k < 2; k++, written++)
            ring[written % RECORDS] = (struct record){now, {written, (uint64_t)i, (uint64_t)k}};
        __asm__ volatile("" ::"r"(ring) : "memory");
    }
}

void floor_trace(const struct bench_ask *ask, struct bench_sample *out)
{
    struct record *ring = calloc(RECORDS, sizeof *ring);
    if (!ring) {
        bench_fail(out, "no memory");
        return;
    }
    write_pairs(ring, RECORDS / 2);
    int64_t start = bench_now();
    write_pairs(ring, ask->rounds);
    bench_per_operation(out, bench_now() - start, 2 * ask->rounds);
    free(ring);
}

/* SPDX-License-Identifier: MIT */
/* footprint.h: the memory that a process occupies. */
#ifndef NIDO_BENCH_FOOTPRINT_H
#define NIDO_BENCH_FOOTPRINT_H

#include <sys/types.h>

#include "bench.h"

struct footprint {
    int64_t resident;    /* bytes of pages */
    int64_t page_tables; /* bytes of page tables */
    long mappings;
};

/* Reads it from /proc: this process's, or that of a child. */
struct footprint footprint_now(void);
struct footprint footprint_of(pid_t pid);

/* True if the machine has room for `bytes` more; else the sample says what is missing. */
bool footprint_room(int64_t bytes, struct bench_sample *out);

/* The sample: bytes for each of the `count` that made the difference, and the mappings of the whole
 * process. */
void footprint_sample(const struct footprint *before, const struct footprint *after, long count,
                      struct bench_sample *out);

#endif

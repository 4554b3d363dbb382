/* footprint.h: the memory that this process occupies. */
#ifndef NIDO_BENCH_FOOTPRINT_H
#define NIDO_BENCH_FOOTPRINT_H

#include "bench.h"

struct footprint {
    int64_t resident;    /* bytes of pages */
    int64_t page_tables; /* bytes of page tables */
    long mappings;
};

/* Reads it from /proc. */
struct footprint footprint_now(void);

/* True if the machine has room for `bytes` more; else the sample says what is missing. */
bool footprint_room(int64_t bytes, struct bench_sample *out);

/* The sample: bytes for each of `count`, and the mappings of the whole process. */
void footprint_sample(const struct footprint *before, long count, struct bench_sample *out);

#endif

/* SPDX-License-Identifier: MIT */
/* seeded.h: random numbers for model tests: the same seed gives the same run, on every machine. */
#ifndef SEEDED_H
#define SEEDED_H

#include <stdint.h>

struct seeded {
    uint64_t state;
};

/* splitmix64 (G. Steele, D. Lea, C. Flood, 2014). */
static inline uint64_t seeded_next(struct seeded *seeded)
{
    uint64_t z = seeded->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 <= result < n. */
static inline unsigned seeded_below(struct seeded *seeded, unsigned n)
{
    return (unsigned)(seeded_next(seeded) >> 33) % n;
}

#endif

/* SPDX-License-Identifier: MIT */
/* base/random.h: numbers that look random, the same on every machine for the same start. */
#ifndef NIDOI_RANDOM_H
#define NIDOI_RANDOM_H

#include <stdint.h>

/* splitmix64 (G. Steele, D. Lea, C. Flood, 2014): any state is allowed, 0 too. */
static inline uint64_t nidoi_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif

/* SPDX-License-Identifier: MIT */
/* base/ticks.h: the cheapest clock of the processor that goes at one rate: half the price of the kernel's. */
#ifndef NIDOI_TICKS_H
#define NIDOI_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

/* Has this processor one? */
bool nidoi_ticks_known(void);

/* Its reading; 0 where there is none. */
static inline int64_t nidoi_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return (int64_t)__rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return (int64_t)ticks;
#else
    return 0;
#endif
}

#endif

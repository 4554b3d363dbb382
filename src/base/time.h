/* SPDX-License-Identifier: MIT */
/* base/time.h: adding to instants. */
#ifndef NIDOI_TIME_H
#define NIDOI_TIME_H

#include <stdint.h>

/* when + ns without overflow: INT64_MAX, which means never, if it would be more. */
static inline int64_t nidoi_time_add(int64_t when, int64_t ns)
{
    int64_t sum;

    if (__builtin_add_overflow(when, ns, &sum)) return ns < 0 ? INT64_MIN + 1 : INT64_MAX;
    return sum;
}

#endif

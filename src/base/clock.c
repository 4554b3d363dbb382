/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#include "base/assert.h"
#include "base/sys.h"
#include "base/time.h"

enum { MOST_LATE = 50000000 }; /* ns */

void nidoi_clock_init(struct nidoi_clock *clock, bool is_virtual)
{
    clock->is_virtual = is_virtual;
    clock->now = INT64_C(1000000000);
}

int64_t nidoi_clock_read(const struct nidoi_clock *clock)
{
    return clock->is_virtual ? clock->now : nidoi_sys_now();
}

/* The time of the kernel's last tick costs a fifth. It is late by one tick, 10 ms at most; five are
 * allowed for. */
bool nidoi_clock_has_passed(const struct nidoi_clock *clock, int64_t when)
{
    if (!clock->is_virtual && nidoi_sys_now_coarse() < nidoi_time_add(when, -MOST_LATE))
        return false;
    return when <= nidoi_clock_read(clock);
}

void nidoi_clock_jump(struct nidoi_clock *clock, int64_t when)
{
    nidoi_assert(clock->is_virtual && when >= clock->now);
    clock->now = when;
}

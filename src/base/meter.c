/* SPDX-License-Identifier: MIT */
#include "base/meter.h"

enum { LONG_ENOUGH = 1000000 }; /* ns, to tell the rate by two readings */

void nidoi_meter_init(struct nidoi_meter *meter, const struct nidoi_clock *clock)
{
    *meter = (struct nidoi_meter){.clock = clock};
    meter->has_ticks = !clock->is_virtual && nidoi_ticks_known();
    meter->origin_ns = nidoi_clock_read(clock);
    meter->origin_ticks = nidoi_ticks();
}

void nidoi_meter_set(struct nidoi_meter *meter)
{
    int64_t ns, ticks;

    if (!meter->has_ticks) return;
    ns = meter->anchor_ns = nidoi_clock_read(meter->clock);
    ticks = meter->anchor_ticks = nidoi_ticks();
    if (ns - meter->origin_ns < LONG_ENOUGH || ticks <= meter->origin_ticks) return;
    meter->ns = (double)(ns - meter->origin_ns) / (double)(ticks - meter->origin_ticks);
    meter->rate_known = true;
}

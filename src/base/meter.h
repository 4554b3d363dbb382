/* SPDX-License-Identifier: MIT */
/* base/meter.h: what the time is, for lengths of time that are measured often: by the cheapest clock of the processor
 * (base/ticks.h) once its rate is known, by the run's clock until then and where there is none, or the clock is
 * virtual. */
#ifndef NIDOI_METER_H
#define NIDOI_METER_H

#include "base/clock.h"
#include "base/ticks.h"

struct nidoi_meter {
    const struct nidoi_clock *clock;
    bool has_ticks, rate_known;
    double ns;                       /* of a tick */
    int64_t origin_ticks, origin_ns; /* one instant, at the beginning */
    int64_t anchor_ticks, anchor_ns; /* one instant, not long ago */
};

void nidoi_meter_init(struct nidoi_meter *meter, const struct nidoi_clock *clock);

/* Compares both clocks: now and then, and after a sleep, so that an error of the rate does not add up. */
void nidoi_meter_set(struct nidoi_meter *meter);

/* ns of the run's clock, give or take some hundred. May go back as far. */
static inline int64_t nidoi_meter_read(const struct nidoi_meter *meter)
{
    if (!meter->rate_known) return nidoi_clock_read(meter->clock);
    return meter->anchor_ns + (int64_t)((double)(nidoi_ticks() - meter->anchor_ticks) * meter->ns);
}

#endif

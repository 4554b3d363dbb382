/* SPDX-License-Identifier: MIT */
#include "base/events.h"

#include <errno.h>

#include "base/sys.h"

enum { LEAST = 16384 };

/* Cells are a power of two, and what a reader needs lies behind them. */
int nidoi_events_init(struct nidoi_events *events, size_t size, const struct nidoi_clock *clock)
{
    size_t bytes = LEAST;
    void *memory;
    int err;

    while (bytes <= size / 2) bytes *= 2;
    err = nidoi_sys.map(2 * bytes, &memory);
    if (err) return -ENOMEM;
    *events = (struct nidoi_events){.cells = memory, .mask = bytes / sizeof *events->cells - 1};
    events->clock = clock;
    events->ticks = !clock->is_virtual && nidoi_ticks_known();
    events->first_ns = nidoi_clock_read(clock);
    events->first_ticks = nidoi_events_now(events);
    return 0;
}

void nidoi_events_deinit(struct nidoi_events *events)
{
    if (events->cells)
        nidoi_sys.unmap(events->cells, 2 * ((size_t)events->mask + 1) * sizeof *events->cells);
    events->cells = NULL;
}

void *nidoi_events_scratch(const struct nidoi_events *events, size_t *size)
{
    *size = ((size_t)events->mask + 1) * sizeof *events->cells;
    return events->cells + events->mask + 1;
}

struct nidoi_event_scale nidoi_events_scale(const struct nidoi_events *events)
{
    struct nidoi_event_scale scale = {events->first_ticks, events->first_ns, 1.0};
    int64_t ns = nidoi_clock_read(events->clock), ticks = nidoi_events_now(events);

    if (events->ticks && ticks > scale.first_ticks)
        scale.ns = (double)(ns - scale.first_ns) / (double)(ticks - scale.first_ticks);
    return scale;
}

int64_t nidoi_events_ns(const struct nidoi_event_scale *scale, int64_t when)
{
    return scale->first_ns + (int64_t)((double)(when - scale->first_ticks) * scale->ns);
}

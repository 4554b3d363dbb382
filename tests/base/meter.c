/* SPDX-License-Identifier: MIT */
#include "base/meter.h"

#include "base/sys.h"
#include "nido_test.h"

static int64_t apart(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

/* The least of several looks: the thread may be stopped between two readings. */
static int64_t difference(struct nidoi_meter *meter, int64_t ns)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 20; i++) {
        int64_t end, found;

        nidoi_meter_set(meter);
        for (end = nidoi_sys_now() + ns; nidoi_sys_now() < end;) continue;
        found = apart(nidoi_meter_read(meter), nidoi_clock_read(meter->clock));
        if (found < least) least = found;
    }
    return least;
}

NIDO_TEST(meter, it_agrees_with_the_clock)
{
    struct nidoi_clock clock;
    struct nidoi_meter meter;

    nidoi_clock_init(&clock, false);
    nidoi_meter_init(&meter, &clock);
    cr_expect(le(i64, difference(&meter, 0), 10000));
    cr_expect(le(i64, difference(&meter, 2000000), 10000));
    cr_expect(eq(int, meter.rate_known, nidoi_ticks_known()));
}

NIDO_TEST(meter, a_virtual_clock_is_read_itself)
{
    struct nidoi_clock clock;
    struct nidoi_meter meter;

    nidoi_clock_init(&clock, true);
    nidoi_meter_init(&meter, &clock);
    nidoi_clock_jump(&clock, clock.now + 5);
    nidoi_meter_set(&meter);
    cr_expect(eq(i64, nidoi_meter_read(&meter), clock.now));
}

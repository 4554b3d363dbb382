/* SPDX-License-Identifier: MIT */
/* Clocks: the real one is the monotonic one, the virtual one stands still. */
#include <time.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/time.h"
#include "nido_test.h"

static int64_t monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NIDO_SEC(1) + now.tv_nsec;
}

/* S152: nobody can set this clock back, so no timer depends on the one that can be set. */
NIDO_TEST(clock, the_real_clock_is_the_one_that_nobody_sets)
{
    struct nidoi_clock clock;
    int64_t before = monotonic(), read;

    nidoi_clock_init(&clock, false);
    read = nidoi_clock_read(&clock);
    cr_expect(ge(i64, read, before));
    cr_expect(le(i64, read, monotonic()));
}

NIDO_TEST(clock, a_virtual_clock_stands_until_it_jumps)
{
    struct nidoi_clock clock;

    nidoi_clock_init(&clock, true);
    cr_expect(eq(i64, nidoi_clock_read(&clock), NIDO_SEC(1)));
    cr_expect(eq(i64, nidoi_clock_read(&clock), NIDO_SEC(1)));
    nidoi_clock_jump(&clock, NIDO_SEC(5));
    cr_expect(eq(i64, nidoi_clock_read(&clock), NIDO_SEC(5)));
}

NIDO_TEST(clock, sums_of_time_do_not_wrap)
{
    cr_expect(eq(i64, nidoi_time_add(NIDO_NEVER, 1), NIDO_NEVER));
    cr_expect(eq(i64, nidoi_time_add(1, NIDO_NEVER), NIDO_NEVER));
    cr_expect(eq(i64, nidoi_time_add(-5, INT64_MIN), INT64_MIN + 1));
    cr_expect(eq(i64, nidoi_time_add(5, 6), 11));
}

NIDO_TEST(clock, an_instant_has_passed_when_the_clock_says_so_and_not_before)
{
    struct nidoi_clock real, still;
    int64_t now;

    nidoi_clock_init(&real, false);
    nidoi_clock_init(&still, true);
    now = nidoi_sys_now();
    cr_expect(nidoi_clock_has_passed(&real, now));
    cr_expect(nidoi_clock_has_passed(&real, INT64_MIN + 1));
    cr_expect(not(nidoi_clock_has_passed(&real, now + NIDO_SEC(60))));
    cr_expect(not(nidoi_clock_has_passed(&real, INT64_MAX)));
    for (int i = 0; i < 1000; i++) /* the kernel's tick lies far behind: the clock is asked */
        cr_expect(nidoi_clock_has_passed(&real, nidoi_sys_now()));
    cr_expect(nidoi_clock_has_passed(&still, still.now));
    cr_expect(not(nidoi_clock_has_passed(&still, still.now + 1)));
}

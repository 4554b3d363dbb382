/* SPDX-License-Identifier: MIT */
/* NIDO_TIMEOUT: a timeout for one call. */
#include <errno.h>
#include <stdint.h>

#include "nido/sugar.h"
#include "nido_test.h"

static int sleep_too_long(void *unused)
{
    int64_t start = nido_now();

    (void)unused;
    cr_expect(eq(int, NIDO_TIMEOUT(NIDO_MS(20), nido_sleep(NIDO_SEC(1))), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now() - start, NIDO_MS(20)));
    return nido_check();
}

NIDO_TEST(timeout, a_call_that_takes_too_long_ends_with_a_timeout_of_its_own)
{
    cr_expect(zero(int, nido_test_run(sleep_too_long, NULL)));
}

static ssize_t many_bytes(void)
{
    return (ssize_t)(SIZE_MAX >> 2);
}

static int succeed_in_time(void *unused)
{
    (void)unused;
    cr_expect(zero(int, NIDO_TIMEOUT(NIDO_MS(20), nido_sleep(NIDO_MS(10)))));
    cr_expect(NIDO_TIMEOUT(NIDO_MS(20), many_bytes()) == many_bytes());
    cr_expect(eq(int, NIDO_TIMEOUT(NIDO_MS(20), -EIO), -EIO));
    return 0;
}

NIDO_TEST(timeout, a_result_in_time_is_the_calls_own_in_its_whole_width)
{
    cr_expect(zero(int, nido_test_run(succeed_in_time, NULL)));
}

static int inner_result(void *out)
{
    *(int *)out = NIDO_TIMEOUT(NIDO_SEC(1), nido_sleep(NIDO_SEC(2)));
    return *(int *)out;
}

static int cancelled_around(void *unused)
{
    int inner = 0;

    (void)unused;
    cr_expect(eq(int, nido_with_timeout(NIDO_MS(5), inner_result, &inner), -ETIMEDOUT));
    cr_expect(eq(int, inner, -ECANCELED), "the outer scope's cancel is not the call's timeout");
    return 0;
}

NIDO_TEST(timeout, a_cancel_from_outside_passes_through)
{
    cr_expect(zero(int, nido_test_run(cancelled_around, NULL)));
}

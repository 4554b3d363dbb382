/* SPDX-License-Identifier: MIT */
/* Tickers: no drift, and what becomes of ticks that were missed. */
#include "coro/runtime/loop.h"
#include "inside_help.h"

/* Lets time pass while the task runs. */
static void work(int64_t ns)
{
    struct nidoi_clock *clock = &nidoi_loop_self()->clock;

    nidoi_clock_jump(clock, clock->now + ns);
}

INSIDE(ticker, it_ticks_at_multiples_of_its_period)
{
    nido_ticker ticker;
    int64_t start = nido_now();

    cr_expect(eq(int, nido_ticker_init(&ticker, NIDO_MS(10), NIDO_SKIP), 0));
    for (int i = 1; i <= 100; i++) {
        cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
        cr_expect(eq(i64, nido_now(), start + i * NIDO_MS(10)));
        nido_sleep(NIDO_MS(i % 10));
    }
}

/* S151 */
INSIDE(ticker, skipping_drops_what_was_missed_and_does_not_drift)
{
    nido_ticker ticker;
    int64_t start = nido_now();

    nido_ticker_init(&ticker, NIDO_MS(10), NIDO_SKIP);
    cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
    work(NIDO_MS(35)); /* it is 45: the ticks of 20, 30 and 40 have passed */
    cr_expect(eq(int, nido_ticker_wait(&ticker), 3));
    cr_expect(eq(i64, nido_now(), start + NIDO_MS(45)));
    cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
    cr_expect(eq(i64, nido_now(), start + NIDO_MS(50)));
}

/* S151 */
INSIDE(ticker, a_burst_makes_up_for_what_was_missed)
{
    nido_ticker ticker;
    int64_t start = nido_now();

    nido_ticker_init(&ticker, NIDO_MS(10), NIDO_BURST);
    cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
    work(NIDO_MS(35));
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
        cr_expect(eq(i64, nido_now(), start + NIDO_MS(45)));
    }
    cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
    cr_expect(eq(i64, nido_now(), start + NIDO_MS(50)));
}

INSIDE(ticker, one_that_is_exactly_late_by_a_period_counts_both_ticks)
{
    nido_ticker ticker;

    nido_ticker_init(&ticker, NIDO_MS(10), NIDO_SKIP);
    work(NIDO_MS(20));
    cr_expect(eq(int, nido_ticker_wait(&ticker), 2));
    cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(1) + NIDO_MS(30)));
}

INSIDE(ticker, a_cancelled_wait_does_not_use_the_tick_up)
{
    nido_ticker ticker;
    nido_scope scope;
    int64_t start = nido_now();

    nido_ticker_init(&ticker, 10, NIDO_SKIP);
    nido_timeout_open(&scope, 5);
    cr_expect(eq(int, nido_scope_close(&scope, nido_ticker_wait(&ticker)), -ETIMEDOUT));
    cr_expect(eq(int, nido_ticker_wait(&ticker), 1));
    cr_expect(eq(i64, nido_now(), start + 10));
}

INSIDE(ticker, a_long_absence_counts_as_many_ticks_as_an_int_holds)
{
    nido_ticker ticker;

    nido_ticker_init(&ticker, 1, NIDO_SKIP);
    work(NIDO_SEC(10));
    cr_expect(eq(int, nido_ticker_wait(&ticker), INT32_MAX));
    cr_expect(eq(int, nido_ticker_wait(&ticker), INT32_MAX));
}

INSIDE(ticker, an_endless_period_does_not_wrap)
{
    nido_ticker ticker;
    nido_scope scope;

    cr_expect(eq(int, nido_ticker_init(&ticker, NIDO_NEVER, NIDO_SKIP), 0));
    nido_timeout_open(&scope, NIDO_SEC(3600));
    cr_expect(eq(int, nido_scope_close(&scope, nido_ticker_wait(&ticker)), -ETIMEDOUT));
}

NIDO_TEST(ticker, a_bad_period_or_policy_is_refused)
{
    nido_ticker ticker = {.next = 5, .period = 6, .missed = NIDO_BURST};

    cr_expect(eq(int, nido_ticker_init(&ticker, 0, NIDO_SKIP), -EINVAL));
    cr_expect(eq(int, nido_ticker_init(&ticker, -1, NIDO_SKIP), -EINVAL));
    cr_expect(eq(int, nido_ticker_init(&ticker, 1, (enum nido_missed)2), -EINVAL));
    cr_expect(eq(int, nido_ticker_init(&ticker, 1, (enum nido_missed) - 1), -EINVAL));
    cr_expect(eq(i64, ticker.next, 5));
    cr_expect(eq(i64, ticker.period, 6));
    cr_expect(eq(int, ticker.missed, NIDO_BURST));
}

NIDO_TEST(ticker, a_thread_without_a_runtime_cannot_wait)
{
    nido_ticker ticker;

    cr_expect(eq(int, nido_ticker_init(&ticker, 1, NIDO_BURST), 0));
    cr_expect(eq(int, nido_ticker_wait(&ticker), -EPERM));
}

/* SPDX-License-Identifier: MIT */
/* nido/time.h: clocks and sleeping. All times are int64_t nanoseconds. */
#ifndef NIDO_TIME_H
#define NIDO_TIME_H

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NIDO_NEVER INT64_MAX
#ifdef __cplusplus
#define NIDOI_NS(n) static_cast<int64_t>(n)
#else
#define NIDOI_NS(n) ((int64_t)(n))
#endif
#define NIDO_US(n)  (NIDOI_NS(n) * INT64_C(1000))
#define NIDO_MS(n)  (NIDOI_NS(n) * INT64_C(1000000))
#define NIDO_SEC(n) (NIDOI_NS(n) * INT64_C(1000000000))

/* The instant now, in ns, on the runtime's clock (real or virtual); on a thread without a runtime
 * the real monotonic clock. Cannot fail. Not a cancellation point. */
NIDO_API int64_t nido_now(void);

/* now + ns, saturating: NIDO_NEVER stays NIDO_NEVER. Cannot fail. Not a cancellation point. */
NIDO_API int64_t nido_after(int64_t ns);

/* Parks the task for at least `ns` nanoseconds. ns <= 0 yields once and then tests for a cancel.
 * Cancellation point. 0, or -ECANCELED. */
NIDO_API int nido_sleep(int64_t ns);

/* Parks the task until the instant `when`, never shorter; a past instant yields once and then tests
 * for a cancel. Cancellation point. A sleep that ends at the same instant as a deadline returns 0.
 * 0, or -ECANCELED. */
NIDO_API int nido_sleep_until(int64_t when);

/* Lets every task that is ready now run first, then tests for a cancel. Cancellation point. 0, or
 * -ECANCELED. */
NIDO_API int nido_yield(void);

/* Reads the clock and tests whether the caller is cancelled. Never parks and never yields, so it is
 * not a cancellation point in the strict sense; meant for loops that only compute. 0, or -ECANCELED
 * (also when a deadline has just passed); -EPERM outside a task. */
NIDO_API int nido_check(void);

/* What a ticker does about ticks that passed while its task was busy. */
enum nido_missed {
    NIDO_SKIP = 0, /* they are dropped; the next tick is the next multiple of the period */
    NIDO_BURST = 1 /* each is delivered late, one after the other */
};

/* A ticker: the instants start + period, start + 2 period, ..., without drift. Caller's memory,
 * fields private. */
typedef struct nido_ticker {
    int64_t next;
    int64_t period;
    enum nido_missed missed;
    uint32_t spare;
} nido_ticker;

/* Starts a ticker whose first tick is one period (ns) from now. Not a cancellation point.
 * 0, or -EINVAL: period_ns <= 0 or an unknown `missed`. */
NIDO_API int nido_ticker_init(nido_ticker *ticker, int64_t period_ns, enum nido_missed missed);

/* Waits for the next tick. Cancellation point: a cancelled wait does not consume the tick. The
 * number of ticks (1, or under NIDO_SKIP 1 plus those that were dropped), or -ECANCELED. */
NIDO_API int nido_ticker_wait(nido_ticker *ticker);

#ifdef __cplusplus
}
#endif

#endif

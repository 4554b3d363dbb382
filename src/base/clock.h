/* base/clock.h: time as an object: CLOCK_MONOTONIC, or a virtual clock that stands still until it
 * is moved. Nanoseconds everywhere. */
#ifndef NIDOI_CLOCK_H
#define NIDOI_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct nidoi_clock {
    bool is_virtual;
    int64_t now; /* virtual: the instant; real: unused */
};

void nidoi_clock_init(struct nidoi_clock *clock, bool is_virtual);

/* The instant now. */
int64_t nidoi_clock_read(const struct nidoi_clock *clock);

/* Has this instant come? Cheaper than to read the clock while it is far away. */
bool nidoi_clock_has_passed(const struct nidoi_clock *clock, int64_t when);

/* A virtual clock jumps forward to `when`; never back. */
void nidoi_clock_jump(struct nidoi_clock *clock, int64_t when);

/* a + ns without overflow: what would pass INT64_MAX is INT64_MAX, "never". */
static inline int64_t nidoi_time_add(int64_t when, int64_t ns)
{
    int64_t sum;

    if (__builtin_add_overflow(when, ns, &sum)) return ns < 0 ? INT64_MIN + 1 : INT64_MAX;
    return sum;
}

#endif

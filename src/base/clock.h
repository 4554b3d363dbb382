/* SPDX-License-Identifier: MIT */
/* base/clock.h: CLOCK_MONOTONIC, or a virtual clock, whose time changes only when it is set.
 * Nanoseconds everywhere. */
#ifndef NIDOI_CLOCK_H
#define NIDOI_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct nidoi_clock {
    bool is_virtual;
    int64_t now; /* of a virtual clock */
};

void nidoi_clock_init(struct nidoi_clock *clock, bool is_virtual);

/* The instant now. */
int64_t nidoi_clock_read(const struct nidoi_clock *clock);

/* True: this instant has come. Cheaper than reading the clock while it is far away. */
bool nidoi_clock_has_passed(const struct nidoi_clock *clock, int64_t when);

/* Sets a virtual clock to `when`, which is not before its present time. */
void nidoi_clock_jump(struct nidoi_clock *clock, int64_t when);

#endif

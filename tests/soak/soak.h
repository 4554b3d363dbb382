/* SPDX-License-Identifier: MIT */
/* soak.h: what an activity is, and what it may use.
 *
 * An activity does one round of something, for a few hundred milliseconds at most, with as much
 * chance in it as it likes, and leaves nothing behind: it closes what it opened and ends whom it
 * spawned. Several workers run rounds of each at the same time, in one run. A new one is a function
 * here and a line in the table of soak.c. */
#ifndef SOAK_H
#define SOAK_H

#include <stdbool.h>

#include "nido.h"
#include "seeded.h"

/* 0, or < 0: something has gone wrong, after a soak_complain. Cancels are the activity's own
 * affair: nobody else cancels a round. */
typedef int soak_round(struct seeded *seeded);

soak_round soak_echo_unix, soak_echo_tcp, soak_groups, soak_channels, soak_locks, soak_pipes,
    soak_posts, soak_jobs, soak_children;

/* Says what is wrong and returns -EPROTO. */
int soak_complain(const char *format, ...) NIDO_PRINTF(1, 2);

/* True once in n. */
static inline bool soak_chance(struct seeded *seeded, unsigned n)
{
    return seeded_below(seeded, n) == 0;
}

/* 0 to `most` microseconds, in ns. */
static inline int64_t soak_moment(struct seeded *seeded, unsigned most)
{
    return NIDO_US(seeded_below(seeded, most + 1));
}

#endif

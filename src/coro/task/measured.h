/* SPDX-License-Identifier: MIT */
/* coro/task/measured.h: numbers of a measured run (coro/task/measure.h): lengths of time in buckets, and what the tasks
 * of each name did for how long. */
#ifndef NIDOI_MEASURED_H
#define NIDOI_MEASURED_H

#include "nido/stats.h"

/* Of one histogram. */
struct nidoi_lengths {
    uint64_t count, sum_ns, most_ns;
    uint64_t of[NIDO_HISTOGRAM_BUCKETS];
};

/* Of one name. `sum` is right as of `settled`, and grows by the tasks that are in each state now. */
struct nidoi_times {
    nido_times sum;
    uint32_t running, ready, waiting;
    int64_t settled;
};

struct nidoi_measured {
    struct nidoi_lengths lengths[NIDO_HISTOGRAMS];
    uint32_t used, latest; /* of the table: names, and the one that was asked for last */
    struct nidoi_times times[NIDO_TIMES_MOST];
};

void nidoi_lengths_add(struct nidoi_lengths *lengths, int64_t ns);

/* The entry of a name (NULL: ""), made if need be, or that of all names that there is no room for. */
struct nidoi_times *nidoi_measured_times(struct nidoi_measured *measured, const char *name);

/* Brings the sums of an entry, or of all, up to this instant. */
void nidoi_times_settle(struct nidoi_times *times, int64_t now);
void nidoi_measured_settle(struct nidoi_measured *measured, int64_t now);

/* Adds the sums of another run. */
void nidoi_measured_add(struct nidoi_measured *to, const struct nidoi_measured *from);

#endif

/* SPDX-License-Identifier: MIT */
/* stats.h: order statistics of exact samples. */
#ifndef NIDO_BENCH_STATS_H
#define NIDO_BENCH_STATS_H

#include <stddef.h>

/* Ascending. */
void stats_sort(double *values, size_t n);

/* Of sorted values, between neighbours by straight line; NAN for none. */
double stats_percentile(const double *sorted, size_t n, double percent);

#endif

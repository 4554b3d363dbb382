/* SPDX-License-Identifier: MIT */
/* stats.c: order statistics. */
#include "stats.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return (one > two) - (one < two);
}

void stats_sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
}

double stats_percentile(const double *sorted, size_t n, double percent)
{
    if (n == 0) return NAN;
    double place = percent / 100 * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n) return sorted[n - 1];
    double share = place - (double)below;
    return sorted[below] + (sorted[below + 1] - sorted[below]) * share;
}

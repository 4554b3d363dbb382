/* SPDX-License-Identifier: MIT */
/* pages.c: floors of stacks never used before: one page touched for each, 256 KiB apart, in one
 * mapping without guards. It shows the page fault and the page tables, and leaves out everything
 * that a task is. */
#include "floors.h"
#include "harness/footprint.h"
#include "mini.h"

static void touch_all(struct mini *mini)
{
    for (long i = 0; i < mini->count; i++) *(volatile char *)mini_at(mini, i) = 1;
}

void floor_pages_time(const struct bench_ask *ask, struct bench_sample *out)
{
    struct mini mini;
    int64_t start = bench_now();
    if (!mini_init(&mini, ask->count, NULL, out)) return;
    touch_all(&mini);
    bench_per_operation(out, bench_now() - start, ask->count);
}

void floor_pages_memory(const struct bench_ask *ask, struct bench_sample *out)
{
    struct mini mini;
    struct footprint before = footprint_now();
    if (!mini_init(&mini, ask->count, NULL, out)) return;
    touch_all(&mini);
    struct footprint after = footprint_now();
    footprint_sample(&before, &after, ask->count, out);
}

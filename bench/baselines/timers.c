/* SPDX-License-Identifier: MIT */
/* timers.c: floor of sleeping: the times are sorted beforehand, so there is no timer structure at
 * all; the loop sleeps a millisecond at a time and switches to each task that is due. It leaves out
 * arming, exact order of arrival, and waking earlier than the next millisecond. */
#include "floors.h"
#include "mini.h"

#include <stdlib.h>

static void sleeper(struct mini_task *self)
{
    mini_park(self);
}

static int compare(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;
    return (one > two) - (one < two);
}

static void draw_times(int64_t *times, long count)
{
    unsigned short seed[3] = {1, 2, 3};
    for (long i = 0; i < count; i++) times[i] = NIDO_MS(1 + nrand48(seed) % 1000);
    qsort(times, (size_t)count, sizeof *times, compare);
}

/* The i-th task has the i-th time. */
static void wake_all(struct mini *mini, const int64_t *times)
{
    struct timespec tick = {.tv_nsec = 1000000};
    int64_t start = bench_now();
    for (long i = 0; i < mini->count;) {
        nanosleep(&tick, NULL);
        int64_t now = bench_now() - start;
        while (i < mini->count && times[i] <= now) mini_append(mini, mini_at(mini, i++));
        if (mini->first) mini_drive(mini);
    }
}

static void measure(struct mini *mini, const int64_t *times, struct bench_sample *out)
{
    mini_spawn_all(mini, sleeper);
    int64_t cpu = bench_cpu_now();
    int64_t start = bench_now();
    mini_drive(mini);
    wake_all(mini, times);
    bench_per_operation(out, bench_cpu_now() - cpu, NIDO_MS(1));
    out->values[1] = (double)(bench_now() - start) / (double)NIDO_MS(1);
}

void floor_timers(const struct bench_ask *ask, struct bench_sample *out)
{
    struct mini mini;
    int64_t *times = calloc((size_t)ask->count, sizeof *times);
    if (!times) {
        bench_skip(out, "no memory");
        return;
    }
    draw_times(times, ask->count);
    if (mini_init(&mini, ask->count, NULL, out)) measure(&mini, times, out);
    free(times);
}

/* SPDX-License-Identifier: MIT */
#include "coro/task/measured.h"

#include <stdio.h>
#include <string.h>

#define OTHER "other"

/* ---- Lengths ---- */

/* Bucket i: at most 2^i ns, and more than half as much. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned bucket = ns > 1 ? 64 - (unsigned)__builtin_clzll(ns - 1) : 0;

    return bucket < NIDO_HISTOGRAM_BUCKETS ? bucket : NIDO_HISTOGRAM_BUCKETS - 1;
}

void nidoi_lengths_add(struct nidoi_lengths *lengths, int64_t ns)
{
    uint64_t length = ns > 0 ? (uint64_t)ns : 0;

    lengths->count++;
    lengths->sum_ns += length;
    if (length > lengths->most_ns) lengths->most_ns = length;
    lengths->of[bucket_of(length)]++;
}

static void lengths_sum(struct nidoi_lengths *to, const struct nidoi_lengths *from)
{
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    if (from->most_ns > to->most_ns) to->most_ns = from->most_ns;
    for (int i = 0; i < NIDO_HISTOGRAM_BUCKETS; i++) to->of[i] += from->of[i];
}

/* ---- Times by name ---- */

static bool is_called(const struct nidoi_times *times, const char *name)
{
    return !strncmp(times->sum.name, name, sizeof times->sum.name - 1);
}

/* The last place is for all that come too late. */
static struct nidoi_times *times_new(struct nidoi_measured *measured, const char *name)
{
    struct nidoi_times *times;

    if (measured->used == NIDO_TIMES_MOST) return &measured->times[NIDO_TIMES_MOST - 1];
    if (measured->used == NIDO_TIMES_MOST - 1) name = OTHER;
    times = &measured->times[measured->used++];
    memset(times, 0, sizeof *times);
    snprintf(times->sum.name, sizeof times->sum.name, "%s", name);
    return times;
}

struct nidoi_times *nidoi_measured_times(struct nidoi_measured *measured, const char *name)
{
    if (!name) name = "";
    if (measured->latest < measured->used && is_called(&measured->times[measured->latest], name))
        return &measured->times[measured->latest];
    for (uint32_t i = 0; i < measured->used; i++) {
        if (!is_called(&measured->times[i], name)) continue;
        measured->latest = i;
        return &measured->times[i];
    }
    return times_new(measured, name);
}

void nidoi_times_settle(struct nidoi_times *times, int64_t now)
{
    uint64_t ns = now > times->settled ? (uint64_t)(now - times->settled) : 0;

    times->sum.running_ns += times->running * ns;
    times->sum.ready_ns += times->ready * ns;
    times->sum.waiting_ns += times->waiting * ns;
    if (ns) times->settled = now;
}

void nidoi_measured_settle(struct nidoi_measured *measured, int64_t now)
{
    for (uint32_t i = 0; i < measured->used; i++) nidoi_times_settle(&measured->times[i], now);
}

static void times_sum(nido_times *to, const nido_times *from)
{
    to->tasks += from->tasks;
    to->running_ns += from->running_ns;
    to->ready_ns += from->ready_ns;
    to->waiting_ns += from->waiting_ns;
    to->cpu_ns += from->cpu_ns;
}

void nidoi_measured_add(struct nidoi_measured *to, const struct nidoi_measured *from)
{
    for (int i = 0; i < NIDO_HISTOGRAMS; i++) lengths_sum(&to->lengths[i], &from->lengths[i]);
    for (uint32_t i = 0; i < from->used; i++)
        times_sum(&nidoi_measured_times(to, from->times[i].sum.name)->sum, &from->times[i].sum);
}

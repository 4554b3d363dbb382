/* SPDX-License-Identifier: MIT */
#include "coro/run/stats.h"

#include <errno.h>
#include <stddef.h>

#include "base/options.h"
#include "coro/run/remotes.h"
#include "coro/runtime/counts.h"
#include "coro/scope/options.h"
#include "nido/stats.h"

/* Of runtimes that are over; under the lock of the runtimes. Counts that are not "ever" stay 0. */
static struct nidoi_counts past;

static bool is_ever(int i)
{
    return i == NIDOI_COUNT_SPAWNED || i == NIDOI_COUNT_RESUMES || i == NIDOI_COUNT_TURNS ||
           i == NIDOI_COUNT_POLLS || i == NIDOI_COUNT_REPORTS || i == NIDOI_COUNT_CANCELS ||
           i == NIDOI_COUNT_JOBS;
}

void nidoi_stats_run_over(struct nidoi_loop *loop)
{
    struct nidoi_counts last;

    nidoi_counts_read(loop, &last);
    nidoi_remotes_lock();
    for (int i = 0; i < NIDOI_COUNTS && nidoi_linked(&loop->remote->link); i++) { /* else counted */
        if (!is_ever(i)) continue;
        past.of[i] += last.of[i];
        __atomic_store_n(&loop->remote->counts.of[i], 0, __ATOMIC_RELAXED);
    }
    nidoi_remotes_unlock();
}

/* The fields have the order of the counts. */
static int stats_fill(nido_stats *out, uint64_t runtimes, const struct nidoi_counts *counts)
{
    enum { FIRST = offsetof(nido_stats, tasks_spawned) };
    size_t size = out ? out->size : 0, known = FIRST + sizeof counts->of;
    char *bytes = (char *)out;

    if (size < FIRST || size > NIDOI_OPTIONS_MOST || size % sizeof(uint64_t)) return -EINVAL;
    out->runtimes = runtimes;
    memcpy(bytes + FIRST, counts->of, (size < known ? size : known) - FIRST);
    if (size > known) memset(bytes + known, 0, size - known);
    return 0;
}

int nido_stats_get(nido_stats *out)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_counts counts;

    if (!loop) return -EPERM;
    nidoi_counts_read(loop, &counts);
    return stats_fill(out, 1, &counts);
}

struct sum {
    uint64_t runtimes;
    struct nidoi_counts counts;
};

static void add_runtime(nido_rt *remote, void *arg)
{
    struct sum *sum = arg;
    struct nidoi_counts told;

    sum->runtimes++;
    nidoi_counts_told(remote, &told);
    for (int i = 0; i < NIDOI_COUNTS; i++) sum->counts.of[i] += told.of[i];
}

int nido_stats_process(nido_stats *out)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct sum sum = {0};

    if (loop) nidoi_counts_tell(loop);
    nidoi_remotes_lock();
    sum.counts = past;
    nidoi_remotes_each(add_runtime, &sum);
    nidoi_remotes_unlock();
    return stats_fill(out, sum.runtimes, &sum.counts);
}

/* SPDX-License-Identifier: MIT */
#include "coro/run/histogram.h"

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/options.h"
#include "coro/run/remotes.h"
#include "coro/runtime/counts.h"
#include "coro/runtime/measuring.h"

/* Of runtimes that are over; under the lock of the runtimes. */
static struct nidoi_measured past;

void nidoi_histogram_run_over(struct nidoi_loop *loop)
{
    if (!loop->measuring) return;
    nidoi_measuring_turn(loop);
    nidoi_counts_tell(loop);
    nidoi_remotes_lock();
    if (nidoi_linked(&loop->remote->link)) { /* else it is counted */
        nidoi_measuring_add_told(loop, &past);
        nidoi_measuring_forget(loop);
    }
    nidoi_remotes_unlock();
}

/* ---- The sum ---- */

static void add_runtime(nido_rt *remote, void *sum)
{
    nidoi_measuring_add_told(remote->loop, sum);
}

/* The caller frees it; NULL: no memory. */
static struct nidoi_measured *measured_sum(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_measured *sum = nidoi_mem_zeroed(sizeof *sum);

    if (!sum) return NULL;
    if (loop) nidoi_counts_tell(loop);
    nidoi_remotes_lock();
    nidoi_measured_add(sum, &past);
    nidoi_remotes_each(add_runtime, sum);
    nidoi_remotes_unlock();
    return sum;
}

/* What the calling thread's runtime has measured, or why there is nothing. */
static int measured_own(const struct nidoi_measured **out)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    *out = nidoi_measuring_read(loop);
    return *out ? 0 : -ENODATA;
}

/* ---- Histograms ---- */

/* The fields have the order of nidoi_lengths. */
enum { FIRST = offsetof(nido_histogram, count) };

static bool is_askable(enum nido_histogram_kind kind, const nido_histogram *out)
{
    size_t size = out ? out->size : 0;

    return (unsigned)kind < NIDO_HISTOGRAMS && size >= FIRST && size <= NIDOI_OPTIONS_MOST &&
           (size - FIRST) % sizeof(uint64_t) == 0;
}

static void histogram_fill(nido_histogram *out, const struct nidoi_lengths *lengths)
{
    size_t size = out->size, known = FIRST + sizeof *lengths;
    char *bytes = (char *)out;

    memcpy(bytes + FIRST, lengths, (size < known ? size : known) - FIRST);
    if (size > known) memset(bytes + known, 0, size - known);
}

int nido_histogram_get(enum nido_histogram_kind kind, nido_histogram *out)
{
    const struct nidoi_measured *measured;
    int err = is_askable(kind, out) ? measured_own(&measured) : -EINVAL;

    if (!err) histogram_fill(out, &measured->lengths[kind]);
    return err;
}

int nido_histogram_process(enum nido_histogram_kind kind, nido_histogram *out)
{
    struct nidoi_measured *sum;

    if (!is_askable(kind, out)) return -EINVAL;
    sum = measured_sum();
    if (!sum) return -ENOMEM;
    histogram_fill(out, &sum->lengths[kind]);
    nidoi_mem.release(sum);
    return 0;
}

/* ---- Times by name ---- */

static int times_fill(nido_times *out, size_t n, const struct nidoi_measured *measured)
{
    for (size_t i = 0; i < n && i < measured->used; i++) out[i] = measured->times[i].sum;
    return (int)measured->used;
}

int nido_times_get(nido_times *out, size_t n)
{
    const struct nidoi_measured *measured;
    int err = out || !n ? measured_own(&measured) : -EINVAL;

    return err ? err : times_fill(out, n, measured);
}

int nido_times_process(nido_times *out, size_t n)
{
    struct nidoi_measured *sum;
    int used;

    if (!out && n) return -EINVAL;
    sum = measured_sum();
    if (!sum) return -ENOMEM;
    used = times_fill(out, n, sum);
    nidoi_mem.release(sum);
    return used;
}

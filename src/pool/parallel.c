/* SPDX-License-Identifier: MIT */
/* pool/parallel.c: many indices on the workers.
 *
 * 1. A group of tasks, one for each job that may be out: each takes the next piece of the indices,
 *    offloads it and comes back. Pieces are taken on the loop's thread, so the count needs no lock.
 * 2. The group cancels its tasks at the first failure, and so their jobs; a job looks for that before
 *    each index.
 * 3. A task that is cancelled alone, which a function of nido_call_in_loop could do, is no failure for
 *    the group, but its piece is not done.
 * 4. With fewer tasks than wanted, because one could not be made, the rest does all the work. */
#include "nido/parallel.h"
#include "coro/scope/options.h"
#include "coro/scope/park.h"

#include <stdint.h>

#include "base/sys.h"
#include "nido/error.h"
#include "nido/group.h"
#include "nido/offload.h"

enum { PIECES_PER_WORKER = 8 };

/* One call of nido_parallel_for. Read by the workers, written by the loop's thread only. */
struct nidoi_parallel {
    nido_index_fn *fn;
    void *ctx;
    size_t n;
    size_t next; /* the first index that no piece has */
    size_t piece;
    size_t failed; /* the first to fail; n: none has */
    bool cut;      /* a task was cancelled before it had done its pieces */
    nido_offload_options offload;
};

/* Consecutive indices, the argument of a job. On the stack of the task that waits for it. */
struct nidoi_piece {
    const struct nidoi_parallel *parallel;
    size_t at, end;
    bool failed; /* fn has, at `at`, and not because of a cancel */
};

/* ---- On a worker ---- */

static ssize_t piece_run(void *arg)
{
    struct nidoi_piece *piece = arg;
    const struct nidoi_parallel *parallel = piece->parallel;

    for (; piece->at < piece->end; piece->at++) {
        int rc;

        if (nido_job_cancelled()) return -ECANCELED;
        rc = parallel->fn(parallel->ctx, piece->at);
        if (rc >= 0) continue;
        piece->failed = rc != -ECANCELED || !nido_job_cancelled();
        return rc;
    }
    return 0;
}

/* ---- On the loop's thread ---- */

static struct nidoi_piece piece_take(struct nidoi_parallel *parallel)
{
    size_t left = parallel->n - parallel->next;
    struct nidoi_piece piece = {.parallel = parallel, .at = parallel->next};

    parallel->next += left < parallel->piece ? left : parallel->piece;
    piece.end = parallel->next;
    return piece;
}

/* The first failure is the first to come here: the group thinks the same. */
static int piece_failed(struct nidoi_parallel *parallel, const struct nidoi_piece *piece, int code)
{
    if (!piece->failed) parallel->cut |= code == -ECANCELED;
    if (!piece->failed) return code;
    if (parallel->failed == parallel->n) parallel->failed = piece->at;
    return code == -ECANCELED ? code : nido_fail(code, "index %zu of %zu", piece->at, parallel->n);
}

static int parallel_task(void *arg)
{
    struct nidoi_parallel *parallel = arg;

    while (parallel->next < parallel->n) {
        struct nidoi_piece piece = piece_take(parallel);
        int rc = (int)nido_offload_with(piece_run, &piece, &parallel->offload);

        if (rc) return piece_failed(parallel, &piece, rc);
    }
    return 0;
}

static size_t parallel_workers(const struct nidoi_loop *loop, size_t wanted)
{
    if (!wanted) wanted = nidoi_sys_processors();
    return wanted < loop->options.pool_threads ? wanted : loop->options.pool_threads;
}

/* How many pieces there are; sums that could overflow are avoided. */
static size_t parallel_pieces(const struct nidoi_parallel *parallel)
{
    return parallel->n / parallel->piece + (parallel->n % parallel->piece != 0);
}

/* Tasks that cannot be made are done without, if there is one. */
static int parallel_spawn(nido_group *group, struct nidoi_parallel *parallel, size_t workers)
{
    size_t pieces = parallel_pieces(parallel);

    for (size_t i = 0; i < workers && i < pieces; i++) {
        int rc = nido_spawn(group, parallel_task, parallel);

        if (rc) return i && (rc == -EAGAIN || rc == -ENOMEM) ? 0 : rc;
    }
    return 0;
}

static int parallel_perform(const struct nidoi_loop *loop, struct nidoi_parallel *parallel,
                            const nido_parallel_options *options)
{
    size_t workers = parallel_workers(loop, options->workers);
    nido_group group;
    int rc;

    parallel->piece = options->piece;
    if (!parallel->piece) parallel->piece = parallel->n / PIECES_PER_WORKER / workers;
    if (!parallel->piece) parallel->piece = 1;
    nido_offload_options_init(&parallel->offload);
    parallel->offload.name = options->name;
    parallel->offload.limiter = options->limiter;
    nido_group_open(&group, NIDO_FAIL_FAST, options->name ? options->name : "parallel");
    rc = nido_group_close(&group, parallel_spawn(&group, parallel, workers));
    return !rc && parallel->cut ? -EINTR : rc;
}

/* Public callers have checked the frames. */
static int parallel_call(struct nidoi_parallel *parallel, const nido_parallel_options *options)
{
    nido_parallel_options room;
    struct nidoi_loop *loop;
    int rc;

    options = NIDOI_OPTIONS(nido_parallel_options, options, &room);
    if (!options || !parallel->fn) return -EINVAL;
    parallel->failed = parallel->n;
    rc = nidoi_enter(&loop);
    if (!rc) rc = parallel_perform(loop, parallel, options);
    if (options->failed) *options->failed = parallel->failed;
    return rc;
}

int nido_parallel_for(size_t n, nido_index_fn *fn, void *ctx, const nido_parallel_options *options)
{
    struct nidoi_parallel parallel = {.fn = fn, .ctx = ctx, .n = n};

    nidoi_check_frames();
    return parallel_call(&parallel, options);
}

/* ---- Items and results ---- */

/* One call of nido_map. */
struct nidoi_map {
    nido_map_fn *fn;
    void *ctx;
    const char *items;
    char *results;
    size_t item_size, result_size;
};

/* NULL + 0 is not defined. */
static int map_index(void *arg, size_t i)
{
    const struct nidoi_map *map = arg;

    return map->fn(map->ctx, map->item_size ? map->items + i * map->item_size : map->items,
                   map->result_size ? map->results + i * map->result_size : map->results);
}

static int array_check(const void *array, size_t n, size_t size)
{
    if (!n || !size) return 0;
    if (size > PTRDIFF_MAX / n) return -EOVERFLOW;
    return array ? 0 : -EINVAL;
}

int nido_map(const void *items, size_t item_size, void *results, size_t result_size, size_t n,
             nido_map_fn *fn, void *ctx, const nido_parallel_options *options)
{
    struct nidoi_map map = {fn, ctx, items, results, item_size, result_size};
    struct nidoi_parallel parallel = {.fn = map_index, .ctx = &map, .n = n};
    int err = array_check(items, n, item_size);

    nidoi_check_frames();
    if (!err) err = array_check(results, n, result_size);
    if (!fn) err = -EINVAL;
    return err ? err : parallel_call(&parallel, options);
}

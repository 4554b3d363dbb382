/* SPDX-License-Identifier: MIT */
/* nido/parallel.h: one function for many indices or items, on the workers of nido/offload.h.
 *
 *     static int shrink(void *ctx, size_t i) { ... picture i, on a worker thread ... }
 *
 *     rc = nido_parallel_for(n, shrink, &pictures, NULL);
 *
 * The indices are done in pieces of consecutive ones, each piece by one job, and a task of the
 * caller's for each worker submits one job after the other: memory for the workers is needed, none
 * for the indices. Other jobs have their turn between two pieces.
 *
 * The first failure (the first in time that the run's thread learns of, as in a group) cancels the
 * rest. After it, or after a cancel or deadline of the caller, no index is begun any more, and those
 * that run are waited for: a long one asks nido_job_cancelled() now and then. So what fn uses may lie
 * on the caller's stack. */
#ifndef NIDO_PARALLEL_H
#define NIDO_PARALLEL_H

#include <string.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nido_limiter;

/* Does one index, on a worker thread, at the same time as others. Negative: it failed. As in every
 * job: no waiting call of nido (-EPERM), but nido_call_in_loop and nido_job_cancelled. */
typedef int nido_index_fn(void *ctx, size_t index);
/* Makes one result, which nothing else writes, of one item. Otherwise the same. */
typedef int nido_map_fn(void *ctx, const void *item, void *result);

typedef struct nido_parallel_options {
    size_t size;      /* sizeof(nido_parallel_options); nido_parallel_options_init sets it */
    const char *name; /* of the jobs, for reports; outlives the call; NULL: none */
    uint32_t workers; /* most indices at once; 0: as many as this process may use processors. Never
                         more than nido_options.pool_threads */
    size_t piece;     /* most indices in one job; 0: such that each worker gets about eight jobs */
    struct nido_limiter *limiter; /* each job needs a place in it; NULL: none */
    size_t *failed; /* set to the index whose failure is returned; n: there is none; may be NULL */
} nido_parallel_options;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_parallel_options_init(nido_parallel_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_PARALLEL_OPTIONS(.field = value). In C. */
#define NIDO_PARALLEL_OPTIONS(...) NIDOI_SIZED(nido_parallel_options, __VA_ARGS__)

/* Calls fn(ctx, i) once for each i from 0 to n - 1 and waits for all; n may be 0. `options` may be
 * NULL. Cancellation point. 0: all are done, and what they wrote can be read; the first failure, with
 * its index in the text of nido_error_last(); -ECANCELED: the caller is cancelled, some are not done;
 * -EINTR: so it is because a function of nido_call_in_loop has cancelled its task; -EPROTO: fn has
 * returned -ECANCELED without a cancel; -EAGAIN: there is no worker, or no task, and none can be
 * made; -ENOMEM; of the limiter, as nido_limiter_acquire; -EINVAL: fn is NULL, or a bad option. */
NIDO_API int nido_parallel_for(size_t n, nido_index_fn *fn, void *ctx,
                               const nido_parallel_options *options);

/* Calls fn(ctx, item, result) for each of n items of item_size bytes, with the place for its result
 * in an array of n results of result_size bytes: results have the order of their items. Without a
 * failure all have been made. A size may be 0: all get the same address. Cancellation point. As
 * nido_parallel_for; -EOVERFLOW: no array is so large; -EINVAL also if an array is NULL. */
NIDO_API int nido_map(const void *items, size_t item_size, void *results, size_t result_size,
                      size_t n, nido_map_fn *fn, void *ctx, const nido_parallel_options *options);

#ifdef __cplusplus
}
#endif

#endif

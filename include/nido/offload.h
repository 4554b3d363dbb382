/* SPDX-License-Identifier: MIT */
/* nido/offload.h: calls that block, on worker threads of the runtime, while its tasks go on.
 *
 *     static ssize_t load(void *arg) { ... read a file, query a database ... }
 *
 *     ssize_t n = nido_offload(load, &request);
 *
 * Workers (nido_options.pool_threads) are started on demand, serve jobs in their order, and end
 * after ten idle seconds. Signals are blocked in workers, and in programs that a job executes
 * unless it unblocks them. A cancel takes a job out that waits for a worker. A job that runs cannot
 * be stopped from outside, so the caller chooses what a cancel means then:
 *
 *     NIDO_OFFLOAD_WAIT       wait for the real result; arguments may lie on the caller's stack
 *     NIDO_OFFLOAD_ABANDON    return at once; `arg` now belongs to the job, and drop() takes it
 *     NIDO_OFFLOAD_INTERRUPT  as WAIT, and the job's system call is interrupted (EINTR)
 *
 * A job must not end its thread (pthread_exit), and workers cannot be cancelled by pthread_cancel.
 * A run ends after its workers. It waits nido_options.pool_grace_ns for abandoned jobs; those that
 * still run then are reported, and end on their own. */
#ifndef NIDO_OFFLOAD_H
#define NIDO_OFFLOAD_H

#include <string.h>
#include <sys/types.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nido_limiter;

/* What a job runs, on a worker thread. A negative result is an errno. It must not make nido's
 * waiting calls, which return -EPERM there; it may make nido_call_in_loop, nido_post and the other
 * calls for any thread. */
typedef ssize_t nido_job_fn(void *arg);

enum nido_offload_mode {
    NIDO_OFFLOAD_WAIT = 0,
    NIDO_OFFLOAD_ABANDON = 1,
    NIDO_OFFLOAD_INTERRUPT = 2
};

typedef struct nido_offload_options {
    size_t size; /* sizeof(nido_offload_options); nido_offload_options_init sets it */
    enum nido_offload_mode mode;
    const char *name;             /* for reports, outlives the job; NULL: the function's */
    struct nido_limiter *limiter; /* a place in it is held until fn has returned, also of an
                                     abandoned job; outlives the run then. One that outlives
                                     the run keeps it for ever. May be NULL */
    nido_drop_fn *drop;           /* ABANDON: must be set */
    void *ctx;                    /* for drop */
    bool *ran;                    /* set to whether fn was called, or will be; may be NULL */
} nido_offload_options;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_offload_options_init(nido_offload_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_OFFLOAD_OPTIONS(.field = value). In C. */
#define NIDO_OFFLOAD_OPTIONS(...) NIDOI_SIZED(nido_offload_options, __VA_ARGS__)

/* Runs fn(arg) on a worker and waits for its result. Cancellation point until it runs: a cancel
 * before that takes it out (-ECANCELED, fn is not called); after that the result is waited for, and
 * the next cancellation point reports the cancel. fn's result; or an error, and fn was not called:
 * -ECANCELED; -EAGAIN: there is no worker and none can be started; -ENOMEM; -EINVAL: fn is NULL. */
NIDO_API ssize_t nido_offload(nido_job_fn *fn, void *arg);

/* The same, but a cancel (or deadline) returns -ECANCELED at once even while fn runs. `arg` is
 * handed over: if the result is negative, drop(ctx, arg, result) has been called with the error, or
 * will be called on the worker when fn returns, with fn's result (as an int, INT_MAX if it is
 * larger). If the result is >= 0, `arg` is the caller's again. Cancellation point. As nido_offload;
 * -EINVAL also if drop is NULL (and nothing is dropped). */
NIDO_API ssize_t nido_offload_abandon(nido_job_fn *fn, void *arg, nido_drop_fn *drop, void *ctx);

/* With options (NULL: none). Cancellation point as the mode says. As nido_offload or
 * nido_offload_abandon; -EINVAL also for a bad option (and nothing is dropped); the errors of
 * nido_limiter_acquire. INTERRUPT: from the cancel on, SIGURG is sent to the worker every 10 ms
 * until fn returns. From the first such job to the end of the run nido has a handler for SIGURG,
 * which does nothing. -EBUSY: the program handles SIGURG itself. */
NIDO_API ssize_t nido_offload_with(nido_job_fn *fn, void *arg, const nido_offload_options *options);

/* In a job: true if its caller has been cancelled. False elsewhere. Cannot fail. Not a cancellation
 * point. */
NIDO_API bool nido_job_cancelled(void);

/* In a job: runs fn(arg) in the task that waits for the job, in its scopes, and waits for it; fn
 * may do whatever a task may. Blocks the worker (an offload in fn needs another one). Not a
 * cancellation point. fn's result; -ECANCELED: the task has been cancelled, and fn was not called;
 * -ESHUTDOWN: the run is over; -EPERM: this is no job; -EINVAL: fn is NULL. */
NIDO_API int nido_call_in_loop(nido_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif

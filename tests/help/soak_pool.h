/* SPDX-License-Identifier: MIT */
/* soak_pool.h: very many jobs of all kinds, cancelled at random times, as one function that any
 * long test may run as a task. */
#ifndef SOAK_POOL_H
#define SOAK_POOL_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "nido.h"
#include "seeded.h"

struct soak_pool {
    struct seeded seed;
    long rounds; /* to do, of SOAK_AT_ONCE jobs each */
    nido_limiter limiter;
    int silent[2]; /* a pipe into which nobody writes */
    long calls;
    long results;  /* of calls that gave one */
    long refusals; /* of calls that were cancelled instead */
    long handed;   /* arguments that went to the pool for good */
    long dropped;  /* atomic: and how many of them were dropped */
    long broken;   /* promises */
};

enum { SOAK_AT_ONCE = 20, SOAK_LIMIT = 5 };

/* ---- Jobs ---- */

static inline ssize_t soak_return(void *unused)
{
    (void)unused;
    return 1;
}

static inline ssize_t soak_linger(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100 && !nido_job_cancelled(); i++) sched_yield();
    return 1;
}

static inline int soak_yield(void *unused)
{
    (void)unused;
    return nido_yield();
}

static inline ssize_t soak_call(void *unused)
{
    int rc = nido_call_in_loop(soak_yield, unused);

    return rc == 0 || rc == -ECANCELED;
}

/* Ends by a signal only. */
static inline ssize_t soak_read(void *arg)
{
    struct soak_pool *soak = arg;
    char byte;

    return read(soak->silent[0], &byte, 1) < 0 && errno == EINTR;
}

static inline void soak_drop(void *ctx, void *arg, int result)
{
    struct soak_pool *soak = ctx;

    (void)result;
    free(arg);
    __atomic_add_fetch(&soak->dropped, 1, __ATOMIC_RELAXED);
}

/* ---- One call ---- */

static inline nido_offload_options soak_options(struct soak_pool *soak)
{
    nido_offload_options options;

    nido_offload_options_init(&options);
    options.mode = (enum nido_offload_mode)seeded_below(&soak->seed, 3);
    options.drop = soak_drop;
    options.ctx = soak;
    if (seeded_below(&soak->seed, 2)) options.limiter = &soak->limiter;
    return options;
}

/* What is handed over is freed by the drop, or here. */
static inline ssize_t soak_handed(struct soak_pool *soak, nido_job_fn *fn,
                                  const nido_offload_options *options)
{
    void *thing = malloc(16);
    ssize_t rc = nido_offload_with(fn, thing, options);

    if (rc >= 0)
        free(thing);
    else
        soak->handed++;
    return rc;
}

static inline int soak_one(void *arg)
{
    static nido_job_fn *const jobs[] = {soak_return, soak_linger, soak_call};
    struct soak_pool *soak = arg;
    nido_offload_options options = soak_options(soak);
    nido_job_fn *fn = jobs[seeded_below(&soak->seed, 3)];
    bool ran = false;
    ssize_t rc;

    soak->calls++;
    options.ran = &ran;
    if (options.mode == NIDO_OFFLOAD_ABANDON)
        rc = soak_handed(soak, fn, &options);
    else
        rc = nido_offload_with(fn, soak, &options);
    soak->results += rc == 1;
    soak->refusals += rc == -ECANCELED;
    soak->broken += (rc != 1 && rc != -ECANCELED) || (rc == 1 && !ran);
    return 0;
}

/* Its deadline comes while it reads, or before. */
static inline int soak_interrupted(void *arg)
{
    struct soak_pool *soak = arg;
    nido_offload_options options;
    nido_scope scope;
    ssize_t rc;

    soak->calls++;
    nido_offload_options_init(&options);
    options.mode = NIDO_OFFLOAD_INTERRUPT;
    nido_timeout_open(&scope, NIDO_US(seeded_below(&soak->seed, 300)));
    rc = nido_offload_with(soak_read, soak, &options);
    nido_scope_close(&scope, nido_check());
    soak->results += rc == 1;
    soak->refusals += rc == -ECANCELED;
    soak->broken += rc != 1 && rc != -ECANCELED;
    return 0;
}

/* ---- Rounds ---- */

/* Half of them with a deadline that may come at any time, half of the others with a cancel. */
static inline void soak_pool_round(struct soak_pool *soak)
{
    nido_scope scope;
    nido_group group;
    int rc = 0;

    nido_timeout_open(&scope, seeded_below(&soak->seed, 2) ? NIDO_US(seeded_below(&soak->seed, 500))
                                                           : NIDO_NEVER);
    nido_group_open(&group, NIDO_WAIT_ALL, "soak");
    for (int i = 1; i < SOAK_AT_ONCE && rc == 0; i++) rc = nido_spawn(&group, soak_one, soak);
    if (rc == 0) rc = nido_spawn(&group, soak_interrupted, soak);
    for (unsigned n = seeded_below(&soak->seed, 20); n > 0 && rc == 0; n--) rc = nido_yield();
    if (seeded_below(&soak->seed, 2)) nido_group_cancel(&group, 0, "soak");
    nido_scope_close(&scope, nido_group_close(&group, rc));
}

/* The task. 0: every promise was kept; abandoned jobs may still be out. */
static inline int soak_pool(void *arg)
{
    struct soak_pool *soak = arg;

    if (nido_limiter_init(&soak->limiter, SOAK_LIMIT, "soak") || pipe(soak->silent)) return -EMFILE;
    for (long i = 0; i < soak->rounds; i++) soak_pool_round(soak);
    for (int i = 0; i < 2; i++) close(soak->silent[i]);
    return soak->broken ? -EPROTO : 0;
}

#endif

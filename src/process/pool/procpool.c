/* SPDX-License-Identifier: MIT */
/* process/pool/procpool.c: which call gets a worker, and what happens to the worker afterwards.
 *
 * 1. A call holds a place (a permit of `places`) from before it takes a worker until that worker is
 * idle again or has ended; so there are never more workers than places, and calls are served in the
 * order of their arrival.
 * 2. A worker is in the idle list or belongs to one call. The one that became idle last is taken
 * first.
 * 3. The end of a worker with a job is the result of its call; a worker that ends without one is
 * replaced.
 * 4. The pool is freed after its last call has ended, even if nido_procpool_free could not wait for
 * it. */
#include "process/pool/procpool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/scope/error.h"
#include "coro/scope/options.h"
#include "coro/scope/park.h"
#include "io/fd.h"
#include "nido/event.h"
#include "nido/scope.h"
#include "nido/sem.h"
#include "nido/time.h"
#include "process/pool/forkserver.h"
#include "sync/sync.h"

enum { MOST_FAILED_STARTS = 3, MOST_WORKERS = 65536, MAX_FRAME = 64 << 20 };
#define KILL_GRACE    NIDO_SEC(5)
#define START_PAUSE   NIDO_MS(50)
#define LONG_SHORTAGE NIDO_SEC(2)

/* ---- Making and ending pools ---- */

static bool pool_options_valid(const nido_procpool_options *options)
{
    return options->workers <= MOST_WORKERS && options->kill_grace_ns >= 0 &&
           options->max_frame < SIZE_MAX / 4;
}

static void pool_init(nido_procpool *pool, const nido_procpool_options *options)
{
    nido_procpool_options *ours = &pool->options;

    *ours = *options;
    snprintf(pool->name, sizeof pool->name, "%s", options->name ? options->name : "procpool");
    ours->name = pool->name;
    if (!ours->workers) ours->workers = nidoi_sys_processors();
    if (!ours->max_frame) ours->max_frame = MAX_FRAME;
    if (!ours->kill_grace_ns) ours->kill_grace_ns = KILL_GRACE;
    nido_sem_init(&pool->places, ours->workers, ours->workers, pool->name);
    nido_event_init(&pool->no_calls, pool->name);
    nidoi_list_init(&pool->idle);
    nidoi_list_init(&pool->calls);
}

int nido_procpool_new(const nido_procpool_options *options, nido_procpool **out)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    nido_procpool_options room;
    nido_procpool *pool;

    if (!loop) return -EPERM;
    nidoi_check_frames();
    options = NIDOI_OPTIONS(nido_procpool_options, options, &room);
    if (!options || !pool_options_valid(options) || !out) return -EINVAL;
    if (!nidoi_forkserver_ready())
        return nido_fail(-EPERM, "call nido_procpool_prepare() as the first line of main");
    pool = nidoi_mem_zeroed(sizeof *pool);
    if (!pool) return -ENOMEM;
    pool->rt = loop->remote;
    pool_init(pool, options);
    *out = pool;
    return 0;
}

void nidoi_procpool_release(nido_procpool *pool, struct nidoi_procworker *worker,
                            enum nidoi_stop_means means)
{
    nidoi_procworker_stop(worker, means);
    nidoi_procworker_free(worker);
    pool->stats.workers--;
}

/* All sockets are closed first, so that the workers end at the same time. */
static void pool_destroy(nido_procpool *pool)
{
    struct nidoi_link *link;

    for (link = pool->idle.next; link != &pool->idle; link = link->next)
        nidoi_procworker_close_socket(nidoi_container(link, struct nidoi_procworker, link));
    while ((link = nidoi_list_pop(&pool->idle)))
        nidoi_procpool_release(pool, nidoi_container(link, struct nidoi_procworker, link),
                               NIDOI_STOP_BY_CLOSE);
    nidoi_mem.release(pool);
}

static void pool_cancel_calls(nido_procpool *pool)
{
    struct nidoi_link *link;

    for (link = pool->calls.next; link != &pool->calls; link = link->next)
        nido_scope_cancel(&nidoi_container(link, struct nidoi_procpool_call, link)->scope,
                          -ESHUTDOWN, "the process pool is freed");
}

/* If it is cancelled while it waits, it cancels the calls and waits for their end. False: they have
 * not ended. */
static bool pool_wait_for_calls(nido_procpool *pool)
{
    nido_scope shield;

    if (pool->options.cancel_on_free) pool_cancel_calls(pool);
    if (nidoi_list_empty(&pool->calls) || nido_event_wait(&pool->no_calls) == 0) return true;
    pool_cancel_calls(pool);
    nido_shield_open(&shield, NIDO_NEVER);
    while (!nidoi_list_empty(&pool->calls) && nido_event_wait(&pool->no_calls) == 0) continue;
    nido_scope_close(&shield, 0);
    return nidoi_list_empty(&pool->calls);
}

int nido_procpool_free(nido_procpool *pool)
{
    struct nidoi_loop *loop;
    int err = pool ? nidoi_sync_try(&loop) : 0;

    if (err || !pool) return err;
    nidoi_check_frames();
    if (pool->rt != loop->remote) return -EXDEV;
    if (pool->closing) return -EALREADY;
    pool->closing = true;
    if (!pool_wait_for_calls(pool)) {
        pool->abandoned = true;
        return -EBUSY;
    }
    pool_destroy(pool);
    return 0;
}

void nido_procpool_stats_get(const nido_procpool *pool, nido_procpool_stats *out)
{
    *out = pool->stats;
}

/* ---- Workers for calls ---- */

static void pool_put_idle(nido_procpool *pool, struct nidoi_procworker *worker)
{
    nidoi_list_push(&pool->idle, &worker->link);
    pool->stats.idle++;
}

static struct nidoi_procworker *pool_take_idle(nido_procpool *pool)
{
    struct nidoi_link *link = nidoi_list_pop(&pool->idle);

    if (!link) return NULL;
    pool->stats.idle--;
    return nidoi_container(link, struct nidoi_procworker, link);
}

/* Earlier failures are forgotten after a while. */
static void pool_count_failure(nido_procpool *pool, int64_t now)
{
    if (!pool->failed_starts || now - pool->last_failure > LONG_SHORTAGE) {
        pool->failed_starts = 0;
        pool->first_failure = now;
    }
    pool->last_failure = now;
    pool->failed_starts++;
}

/* While starts fail, each further call tries once: a pool never gives up for good. */
int nidoi_procpool_start_failed(nido_procpool *pool, int code)
{
    int64_t now = nido_now();
    bool again;

    pool_count_failure(pool, now);
    again = nidoi_is_shortage(code) ? now - pool->first_failure < LONG_SHORTAGE
                                    : pool->failed_starts < MOST_FAILED_STARTS;
    if (again) return nido_sleep(START_PAUSE);
    return nido_fail(code,
                     "pool \"%s\": %u workers in a row could not be started, the last one for: %s",
                     pool->name, pool->failed_starts, nido_strerror(code));
}

/* An idle worker that still runs, or a new one. */
static int pool_find_worker(nido_procpool *pool, struct nidoi_procworker **out)
{
    struct nidoi_procworker *worker;
    int err;

    while ((worker = pool_take_idle(pool))) {
        *out = worker;
        if (nidoi_procworker_usable(worker)) return 0;
        pool->stats.replaced++;
        nidoi_procpool_release(pool, worker, NIDOI_STOP_BY_SIGKILL);
    }
    err = nidoi_procworker_start(&pool->options, out);
    if (err) return err;
    pool->stats.workers++;
    pool->stats.started++;
    return 0;
}

int nidoi_procpool_get(nido_procpool *pool, struct nidoi_procworker **out)
{
    struct nidoi_procworker *worker;
    int err;

    do {
        err = pool_find_worker(pool, &worker);
        if (!err) {
            err = nidoi_procworker_wait_started(worker);
            if (!err) {
                *out = worker;
                return 0;
            }
            if (err == -ECANCELED)
                pool_put_idle(pool, worker); /* the next call waits for its start */
            else
                nidoi_procpool_release(pool, worker, NIDOI_STOP_BY_SIGKILL);
        }
        if (err != -ECANCELED) err = nidoi_procpool_start_failed(pool, err);
    } while (!err);
    return err;
}

void nidoi_procpool_put(nido_procpool *pool, struct nidoi_procworker *worker, bool reusable)
{
    bool used_up = ++worker->jobs == pool->options.max_jobs;

    if (reusable && !used_up) {
        pool_put_idle(pool, worker);
        return;
    }
    pool->stats.recycled += reusable;
    nidoi_procpool_release(pool, worker, NIDOI_STOP_BY_CLOSE);
}

/* ---- Running calls ---- */

void nidoi_procpool_enter(struct nidoi_procpool_call *call)
{
    nidoi_list_append(&call->pool->calls, &call->link);
}

void nidoi_procpool_leave(struct nidoi_procpool_call *call)
{
    nido_procpool *pool = call->pool;

    nidoi_list_remove(&call->link);
    if (!nidoi_list_empty(&pool->calls) || !pool->closing) return;
    if (pool->abandoned)
        pool_destroy(pool);
    else
        nido_event_set(&pool->no_calls);
}

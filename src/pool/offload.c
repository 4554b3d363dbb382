/* SPDX-License-Identifier: MIT */
/* pool/offload.c: a job from the side of the task that waits for it. */
#include "nido/offload.h"
#include "coro/scope/options.h"
#include "coro/scope/park.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "coro/task/trace.h"
#include "pool/interrupt.h"
#include "pool/offload.h"
#include "pool/pool.h"
#include "pool/worker.h"
#include "sync/limiter.h"

/* nido_call_in_loop: a worker wants the task that waits for its job to call a function. Lies on the
 * worker's stack until it is answered. */
struct nidoi_loop_call {
    struct nidoi_post post;
    struct nidoi_job *job;
    pthread_cond_t answered;
    nido_fn *fn;
    void *arg;
    int result;
    bool over; /* lock */
};

/* ---- Calls back into the loop ---- */

static void call_answer(struct nidoi_loop_call *call, int result)
{
    struct nidoi_pool *pool = call->job->pool;

    pthread_mutex_lock(&pool->lock);
    call->result = result;
    call->over = true;
    pthread_cond_signal(&call->answered);
    pthread_mutex_unlock(&pool->lock);
}

/* While the worker waits for the answer the job's caller is parked, unless it has abandoned the
 * job. A cancelled caller is not woken: it would only refuse the call. */
static void call_received(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_loop_call *call = nidoi_container(post, struct nidoi_loop_call, post);
    struct nidoi_job *job = call->job;

    (void)loop;
    if (__atomic_load_n(&job->cancelled, __ATOMIC_RELAXED)) {
        call_answer(call, -ECANCELED);
        return;
    }
    job->call = call;
    nidoi_wake(&job->waiter, 0);
}

/* Meanwhile the worker waits for this task, so the loop expects no wake from it. */
static void job_serve_call(struct nidoi_loop *loop, struct nidoi_job *job)
{
    struct nidoi_loop_call *call = job->call;
    int result = nidoi_enter_check(loop);

    job->call = NULL;
    nidoi_loop_expect(loop, -1);
    if (!result) result = call->fn(call->arg);
    nidoi_loop_expect(loop, 1);
    call_answer(call, result);
}

int nido_call_in_loop(nido_fn *fn, void *arg)
{
    struct nidoi_job *job = nidoi_job_self();
    struct nidoi_loop_call call = {.post.call = call_received, .job = job, .fn = fn, .arg = arg};

    if (!job) return -EPERM;
    if (!fn) return -EINVAL;
    pthread_cond_init(&call.answered, NULL);
    if (nidoi_remote_post(job->pool->remote, &call.post)) {
        pthread_mutex_lock(&job->pool->lock);
        while (!call.over) pthread_cond_wait(&call.answered, &job->pool->lock);
        pthread_mutex_unlock(&job->pool->lock);
    } else {
        call.result = -ESHUTDOWN;
    }
    pthread_cond_destroy(&call.answered);
    return call.result;
}

bool nido_job_cancelled(void)
{
    struct nidoi_job *job = nidoi_job_self();

    return job && __atomic_load_n(&job->cancelled, __ATOMIC_RELAXED);
}

/* ---- Waiting for a job ---- */

static enum nidoi_undo job_undo(struct nidoi_waiter *waiter)
{
    return nidoi_pool_cancel(nidoi_container(waiter, struct nidoi_job, waiter));
}

static const char *job_named(const struct nidoi_waiter *waiter)
{
    return nidoi_container(waiter, struct nidoi_job, waiter)->options.name;
}

static const struct nidoi_wait_kind waiting = {.name = "job",
                                               .undo = job_undo,
                                               .named = job_named,
                                               .name_at = offsetof(struct nidoi_job, options.name)};

/* Workers read no virtual clock: there a job takes from its submission until the loop hears of its end. */
static void job_trace_begin(const struct nidoi_loop *loop, struct nidoi_job *job)
{
    const struct nidoi_trace *trace = loop->sched.trace;

    if (!trace) return;
    job->begun = nidoi_events_now(&trace->events);
    if (trace->events.ticks)
        job->stamps = NIDOI_STAMPS_TICKS;
    else if (!loop->clock.is_virtual)
        job->stamps = NIDOI_STAMPS_NS;
}

static void job_trace_end(const struct nidoi_loop *loop, struct nidoi_job *job)
{
    struct nidoi_trace *trace = loop->sched.trace;

    if (!trace || !job->begun) return;
    if (!job->stamps) job->ended = nidoi_events_now(&trace->events);
    nidoi_trace_job(trace, job->task, job->worker, job->begun, job->ended, (uintptr_t)job->fn,
                    job->options.name);
}

static void job_received(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_job *job = nidoi_container(post, struct nidoi_job, post);

    job_trace_end(loop, job);
    nidoi_wake(&job->waiter, 0);
}

/* 0: the job is over; -ECANCELED: it never ran, or has been abandoned. */
static int job_await(struct nidoi_loop *loop, struct nidoi_job *job)
{
    for (;;) {
        int err = (int)nidoi_park(loop, &job->waiter);

        if (err || !job->call) return err;
        job_serve_call(loop, job);
    }
}

/* ---- The argument ---- */

static int clip_result(ssize_t result)
{
    return result > INT_MAX ? INT_MAX : (int)result;
}

/* Drops the argument of a job that was not called or has failed. On the loop's thread; an abandoned
 * job does this on its worker instead. */
static ssize_t offload_drop(const nido_offload_options *options, void *arg, ssize_t result)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (options->mode != NIDO_OFFLOAD_ABANDON || result >= 0) return result;
    if (loop) nidoi_no_parking_begin(&loop->sched);
    options->drop(options->ctx, arg, clip_result(result));
    if (loop) nidoi_no_parking_end(&loop->sched);
    return result;
}

/* The post of an abandoned job's end may come before its caller has returned. */
static void job_release(struct nidoi_job *job)
{
    if (--job->refs) return;
    if (job->options.limiter) nidoi_limiter_give_back(job->options.limiter);
    nidoi_mem.release(job);
}

static void job_returned(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct nidoi_job *job = nidoi_container(post, struct nidoi_job, post);

    nidoi_loop_expect(loop, -1);
    loop->abandoned--;
    job_trace_end(loop, job);
    job_release(job);
}

static void job_end_abandoned(struct nidoi_job *job)
{
    job->options.drop(job->options.ctx, job->arg, clip_result(job->result));
    job->post.call = job_returned;
    nidoi_pool_post_end(job);
}

/* ---- The call ---- */

static void offload_set_ran(const nido_offload_options *options, bool value)
{
    if (options->ran) *options->ran = value;
}

/* Submits and waits. An abandoned job must not be touched after job_release. */
static ssize_t job_perform(struct nidoi_loop *loop, struct nidoi_job *job)
{
    struct nidoi_pool *pool;
    int err = nidoi_pool_get(loop, &pool);

    if (!err && job->options.mode == NIDO_OFFLOAD_INTERRUPT) err = nidoi_interrupter_need(pool);
    job->task = loop->sched.current->id;
    job_trace_begin(loop, job);
    if (!err) err = nidoi_pool_submit(pool, job);
    if (err) return err;
    loop->jobs++;
    nidoi_loop_expect(loop, 1);
    err = job_await(loop, job);
    if (job->abandoned)
        loop->abandoned++; /* perhaps after job_returned has taken one away */
    else
        nidoi_loop_expect(loop, -1);
    offload_set_ran(&job->options, !err || job->abandoned);
    return err ? err : job->result;
}

/* With a place in the limiter, if there is one. A place that was granted before a cancel is kept,
 * but no job begins in a cancelled scope. */
static ssize_t job_perform_limited(struct nidoi_loop *loop, struct nidoi_job *job)
{
    nido_limiter *limiter = job->options.limiter;
    nido_limiter_token token = {0};
    ssize_t result = limiter ? nido_limiter_acquire(limiter, &token) : 0;

    if (result) return result;
    result = limiter ? nidoi_enter_check(loop) : 0;
    if (!result) result = job_perform(loop, job);
    if (limiter && job->abandoned)
        nidoi_limiter_detach(limiter, &token);
    else if (limiter)
        nido_limiter_release(limiter, &token);
    return result;
}

/* A job that may be abandoned must not lie on the caller's stack. */
static ssize_t job_perform_abandonable(struct nidoi_loop *loop, const struct nidoi_job *form)
{
    struct nidoi_job *job = nidoi_mem.alloc(sizeof *job);
    ssize_t result;

    if (!job) return offload_drop(&form->options, form->arg, -ENOMEM);
    *job = *form;
    job->refs = 2;
    job->end_abandoned = job_end_abandoned;
    result = job_perform_limited(loop, job);
    if (job->abandoned) {
        job_release(job);
        return result;
    }
    nidoi_mem.release(job);
    return offload_drop(&form->options, form->arg, result);
}

static ssize_t job_offload(struct nidoi_job *job)
{
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return offload_drop(&job->options, job->arg, err);
    if (job->options.mode == NIDO_OFFLOAD_ABANDON) return job_perform_abandonable(loop, job);
    return job_perform_limited(loop, job);
}

static bool offload_options_valid(const nido_offload_options *options)
{
    return options->mode >= NIDO_OFFLOAD_WAIT && options->mode <= NIDO_OFFLOAD_INTERRUPT &&
           (options->mode != NIDO_OFFLOAD_ABANDON || options->drop);
}

ssize_t nidoi_offload(nido_job_fn *fn, void *arg, const nido_offload_options *options,
                      enum nidoi_lane lane)
{
    struct nidoi_job job = {
        .waiter.kind = &waiting, .post.call = job_received, .fn = fn, .arg = arg, .lane = lane};

    options = NIDOI_OPTIONS(nido_offload_options, options, &job.options);
    if (!options || !offload_options_valid(options)) return -EINVAL;
    job.options = *options;
    if (job.options.name) job.waiter.object = &job; /* where a reader outside finds the name */
    offload_set_ran(&job.options, false);
    return fn ? job_offload(&job) : offload_drop(&job.options, arg, -EINVAL);
}

ssize_t nidoi_offload_no_wait(nido_job_fn *fn, void *arg, bool *has_run)
{
    struct nidoi_job job = {
        .waiter.kind = &waiting, .post.call = job_received, .fn = fn, .arg = arg, .no_wait = true};

    nido_offload_options_init(&job.options);
    job.options.mode = NIDO_OFFLOAD_INTERRUPT;
    job.options.ran = has_run;
    return job_offload(&job);
}

ssize_t nido_offload_with(nido_job_fn *fn, void *arg, const nido_offload_options *options)
{
    nidoi_check_frames();
    return nidoi_offload(fn, arg, options, NIDOI_LANE_GENERAL);
}

ssize_t nido_offload(nido_job_fn *fn, void *arg)
{
    nidoi_check_frames();
    return nidoi_offload(fn, arg, NULL, NIDOI_LANE_GENERAL);
}

ssize_t nido_offload_abandon(nido_job_fn *fn, void *arg, nido_drop_fn *drop, void *ctx)
{
    nido_offload_options options;

    nidoi_check_frames();
    nido_offload_options_init(&options);
    options.mode = NIDO_OFFLOAD_ABANDON;
    options.drop = drop;
    options.ctx = ctx;
    return nidoi_offload(fn, arg, &options, NIDOI_LANE_GENERAL);
}

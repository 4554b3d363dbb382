/* SPDX-License-Identifier: MIT */
/* process/pool/call.c: one call: it waits for a place, gets a worker, sends the job, and reports
 * the result. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/place.h"
#include "coro/scope/error.h"
#include "coro/scope/options.h"
#include "io/fd.h"
#include "process/pool/exchange.h"
#include "process/pool/procpool.h"

struct call {
    struct nidoi_procpool_call head;
    nido_procjob_fn *fn;
    const char *name;
    void *place; /* where it was made */
    struct nidoi_exchange exchange;
    nido_procpool_result result;
};

/* ---- Errors ---- */

static const char *signal_name(int signal)
{
    static const char *const names[] = {
        [SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
        [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",
        [SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
        [SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [SIGXCPU] = "SIGXCPU",
        [SIGXFSZ] = "SIGXFSZ", [SIGSYS] = "SIGSYS",
    };

    if (signal < 0 || (size_t)signal >= sizeof names / sizeof *names || !names[signal])
        return "another signal";
    return names[signal];
}

/* Keeps an error with the job's name whose place is that of the call. */
static int call_fail(const struct call *call, int code, const char *format, ...) NIDO_PRINTF(3, 4);
static int call_fail(const struct call *call, int code, const char *format, ...)
{
    struct nidoi_place place;
    const char *name = call->name;
    char text[160];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!name) name = nidoi_place(&place, (void *)(uintptr_t)call->fn);
    return nidoi_fail(nidoi_sched_self->current, call->place, code,
                      "job \"%.64s\" of pool \"%s\" %s", name, call->head.pool->name, text);
}

static void call_fail_died(const struct call *call, const struct nidoi_procworker *worker,
                           bool bad_frame)
{
    const nido_procpool_result *result = &call->result;

    if (bad_frame)
        call_fail(call, -ECHILD, "died: worker %d sent an invalid reply", worker->pid);
    else if (worker->state != NIDOI_WORKER_ENDED)
        call_fail(call, -ECHILD, "died: the fork server has ended, and worker %d with it",
                  worker->pid);
    else if (result->signal)
        call_fail(call, -ECHILD, "died: worker %d was killed by signal %d (%s)%s", worker->pid,
                  result->signal, signal_name(result->signal),
                  result->core_dumped ? ", core dumped" : "");
    else
        call_fail(call, -ECHILD, "died: worker %d exited with status %d", worker->pid,
                  result->status);
    nidoi_error_detail(nidoi_sched_self->current, worker->tail, worker->tail_len);
}

/* ---- Results ---- */

static int call_fail_refused(const struct call *call, int status)
{
    if (status == -EINVAL)
        return call_fail(
            call, status,
            "is not in the program as nido_procpool_prepare() found it: its function was "
            "loaded later");
    return call_fail(call, status, "was not begun: its worker has no memory for the input");
}

/* The job's own result; a failure gets a text that names the job. */
static int call_result(const struct call *call, int status)
{
    if (status == -ECANCELED)
        return call_fail(call, -EPROTO, "returned -ECANCELED, which only a scope may");
    return status < 0 ? call_fail(call, status, "failed") : status;
}

/* A job begins after its worker has read all of its input. */
static bool input_is_sent(const struct nidoi_exchange *exchange)
{
    return exchange->sent == sizeof exchange->request + exchange->request.len;
}

static bool may_have_begun(const struct nidoi_exchange *exchange)
{
    return exchange->received || (input_is_sent(exchange) && !exchange->was_reset);
}

static bool has_no_memory(const struct nidoi_reply *reply)
{
    return reply->refused && reply->status == -ENOMEM;
}

static void call_return_worker(struct call *call, struct nidoi_procworker *worker)
{
    const struct nidoi_reply *reply = &call->exchange.reply;

    if (reply->leftovers) {
        call->head.pool->stats.recycled++;
        nidoi_procpool_release(call->head.pool, worker, NIDOI_STOP_BY_SIGKILL);
        return;
    }
    nidoi_procpool_put(call->head.pool, worker,
                       input_is_sent(&call->exchange) && !has_no_memory(reply));
}

static int call_replied(struct call *call, struct nidoi_procworker *worker)
{
    struct nidoi_exchange *exchange = &call->exchange;
    int status = exchange->reply.status;

    call_return_worker(call, worker);
    if (exchange->reply.refused) {
        nidoi_mem.release(exchange->data);
        call->result.pid = 0;
        return call_fail_refused(call, status);
    }
    call->head.pool->stats.answered++;
    call->result.data = exchange->data;
    call->result.len = (size_t)exchange->reply.len;
    return call_result(call, status);
}

static int call_died(struct call *call, struct nidoi_procworker *worker, bool bad_frame)
{
    nido_procpool_result *result = &call->result;

    nidoi_procworker_stop(worker, bad_frame ? NIDOI_STOP_BY_SIGKILL : NIDOI_STOP_BY_CLOSE);
    call->head.pool->stats.deaths++;
    result->died = true;
    if (worker->state == NIDOI_WORKER_ENDED) {
        result->signal = WIFSIGNALED(worker->outcome) ? WTERMSIG(worker->outcome) : 0;
        result->status = WIFEXITED(worker->outcome) ? WEXITSTATUS(worker->outcome) : 0;
        result->core_dumped = result->signal && WCOREDUMP(worker->outcome);
    }
    call_fail_died(call, worker, bad_frame);
    nidoi_procworker_free(worker);
    call->head.pool->stats.workers--;
    return -ECHILD;
}

static int call_stopped(struct call *call, struct nidoi_procworker *worker, int err)
{
    bool at_once = err != -ECANCELED || call->head.pool->options.kill_at_once;

    call->head.pool->stats.stopped += err == -ECANCELED;
    if (err == -ENOMEM && !input_is_sent(&call->exchange)) call->result.pid = 0;
    nidoi_procpool_release(call->head.pool, worker,
                           at_once ? NIDOI_STOP_BY_SIGKILL : NIDOI_STOP_BY_SIGTERM);
    return err == -ECANCELED ? err : call_fail(call, err, "was stopped: %s", nido_strerror(err));
}

/* A job that has not begun is for another worker: this one died before it had read the input, or
 * earlier jobs have left it without memory. */
static bool is_for_another(const struct nidoi_exchange *exchange,
                           const struct nidoi_procworker *worker, int rc)
{
    if (rc == -ECHILD) return !may_have_begun(exchange);
    return rc == 0 && worker->jobs && has_no_memory(&exchange->reply);
}

/* 0: try another worker; or the result of nidoi_procpool_start_failed, if this one has never done a
 * job. */
static int call_replace_worker(nido_procpool *pool, struct nidoi_procworker *worker)
{
    bool unused = !worker->jobs;

    nidoi_procpool_release(pool, worker, NIDOI_STOP_BY_SIGKILL);
    if (unused) return nidoi_procpool_start_failed(pool, -ECHILD);
    pool->stats.replaced++;
    return 0;
}

/* The end of an exchange in which the job may have begun. */
static int call_end_exchange(struct call *call, struct nidoi_procworker *worker, int rc)
{
    call->head.pool->failed_starts = 0;
    call->result.pid = worker->pid;
    if (rc == 0) return call_replied(call, worker);
    nidoi_mem.release(call->exchange.data);
    if (rc == -ECHILD || rc == -EPROTO) return call_died(call, worker, rc == -EPROTO);
    return call_stopped(call, worker, rc);
}

static int call_do_job(struct call *call)
{
    const struct nidoi_exchange start = call->exchange;
    struct nidoi_procworker *worker;

    for (;;) {
        int rc = nidoi_procpool_get(call->head.pool, &worker);

        if (rc) return rc;
        rc = nidoi_exchange_run(worker, &call->exchange);
        if (!is_for_another(&call->exchange, worker, rc))
            return call_end_exchange(call, worker, rc);
        nidoi_mem.release(call->exchange.data);
        call->exchange = start;
        rc = call_replace_worker(call->head.pool, worker);
        if (rc) return rc;
    }
}

static int call_wait_and_run(struct call *call)
{
    nido_procpool *pool = call->head.pool;
    int rc;

    pool->stats.queued++;
    rc = nido_sem_acquire(&pool->places);
    pool->stats.queued--;
    if (rc) return rc;
    pool->stats.running++;
    rc = call_do_job(call);
    pool->stats.running--;
    nido_sem_release(&pool->places);
    return rc;
}

/* Only the end of the pool cancels the call's own scope, and the result is then -ESHUTDOWN. */
static int call_run(struct call *call)
{
    int inner, rc;

    nidoi_procpool_enter(&call->head);
    nido_scope_open(&call->head.scope);
    inner = call_wait_and_run(call);
    rc = nido_scope_close(&call->head.scope, inner);
    if (rc != inner) call_fail(call, rc, "was stopped: the pool is being freed");
    nidoi_procpool_leave(&call->head);
    return rc;
}

static int call_check(const nido_procpool *pool, const struct nidoi_loop *loop, size_t len)
{
    if (pool->rt != loop->remote) return -EXDEV;
    if (pool->closing) return nido_fail(-ESHUTDOWN, "pool \"%s\" is being freed", pool->name);
    if (len > pool->options.max_frame)
        return nido_fail(-EMSGSIZE, "pool \"%s\": %zu bytes of input, the limit is %zu", pool->name,
                         len, pool->options.max_frame);
    return 0;
}

/* Asking the loader is slow, and most calls use the same function as the one before. */
static struct nidoi_image pool_image_of(nido_procpool *pool, nido_procjob_fn *fn)
{
    if (pool->last_image.fn != (uintptr_t)fn) pool->last_image = nidoi_image_of((uintptr_t)fn);
    return pool->last_image;
}

int nido_procpool_call(nido_procpool *pool, nido_procjob_fn *fn, const void *input, size_t len,
                       const nido_procpool_call_options *options, nido_procpool_result *out)
{
    struct call call = {.head.pool = pool, .fn = fn, .place = __builtin_return_address(0)};
    nido_procpool_call_options room;
    struct nidoi_loop *loop;
    int rc = nidoi_io_enter(&loop);

    if (out) *out = call.result;
    if (rc) return rc;
    options = NIDOI_OPTIONS(nido_procpool_call_options, options, &room);
    if (!pool || !fn || (len && !input) || !options) return -EINVAL;
    call.name = options->name;
    rc = call_check(pool, loop, len);
    if (rc) return rc;
    call.exchange.input = input;
    call.exchange.request = (struct nidoi_request){.magic = NIDOI_REQUEST_MAGIC,
                                                   .number = ++pool->requests,
                                                   .len = len,
                                                   .image = pool_image_of(pool, fn)};
    rc = call_run(&call);
    if (out)
        *out = call.result;
    else
        nido_procpool_result_deinit(&call.result);
    return rc;
}

void nido_procpool_result_deinit(nido_procpool_result *result)
{
    nidoi_mem.release(result->data);
    *result = (nido_procpool_result){0};
}

/* process/pool/call.c: one call: a place in line, a worker, a conversation, and the words for what
 * came of it. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/options.h"
#include "base/place.h"
#include "coro/scope/error.h"
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

/* ---- Words for what has happened ---- */

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

/* Keeps an error that begins with the job's name and comes from where the call was made. */
static int fail(const struct call *call, int code, const char *format, ...) NIDO_PRINTF(3, 4);
static int fail(const struct call *call, int code, const char *format, ...)
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

static void say_how_it_died(const struct call *call, const struct nidoi_procworker *worker,
                            bool garbled)
{
    const nido_procpool_result *result = &call->result;

    if (garbled)
        fail(call, -ECHILD, "died: worker %d sent what is no reply to it", worker->pid);
    else if (worker->state != NIDOI_WORKER_ENDED)
        fail(call, -ECHILD, "died: the fork server is gone, and worker %d", worker->pid);
    else if (result->signal)
        fail(call, -ECHILD, "died: worker %d was killed by signal %d (%s)%s", worker->pid,
             result->signal, signal_name(result->signal),
             result->core_dumped ? ", core dumped" : "");
    else
        fail(call, -ECHILD, "died: worker %d exited with status %d", worker->pid, result->status);
    nidoi_error_detail(nidoi_sched_self->current, worker->tail, worker->tail_len);
}

/* ---- What came of it ---- */

static int say_why_refused(const struct call *call, int status)
{
    if (status == -EINVAL)
        return fail(call, status,
                    "is not in the program as nido_procpool_prepare() found it: its function was "
                    "loaded later");
    return fail(call, status, "was not begun: its worker has no memory for the input");
}

/* The job's own failure, with a text that says whose it is. */
static int say_status(const struct call *call, int status)
{
    if (status == -ECANCELED)
        return fail(call, -EPROTO, "returned -ECANCELED, which only a scope may");
    return status < 0 ? fail(call, status, "failed") : status;
}

/* Before that it does not begin. */
static bool has_input(const struct nidoi_exchange *exchange)
{
    return exchange->sent == sizeof exchange->request + exchange->request.len;
}

static bool may_have_begun(const struct nidoi_exchange *exchange)
{
    return exchange->heard || (has_input(exchange) && !exchange->reset);
}

static void give_back(struct call *call, struct nidoi_procworker *worker)
{
    const struct nidoi_reply *reply = &call->exchange.reply;

    if (reply->leftovers) {
        call->head.pool->stats.recycled++;
        nidoi_procpool_release(call->head.pool, worker, NIDOI_KILL);
        return;
    }
    nidoi_procpool_give_back(call->head.pool, worker,
                             has_input(&call->exchange) &&
                                 !(reply->refused && reply->status == -ENOMEM));
}

static int answered(struct call *call, struct nidoi_procworker *worker)
{
    struct nidoi_exchange *exchange = &call->exchange;
    int status = exchange->reply.status;

    give_back(call, worker);
    if (exchange->reply.refused) {
        nidoi_mem.release(exchange->data);
        call->result.pid = 0;
        return say_why_refused(call, status);
    }
    call->head.pool->stats.answered++;
    call->result.data = exchange->data;
    call->result.len = (size_t)exchange->reply.len;
    return say_status(call, status);
}

static int died(struct call *call, struct nidoi_procworker *worker, bool garbled)
{
    nido_procpool_result *result = &call->result;

    nidoi_procworker_stop(worker, garbled ? NIDOI_KILL : NIDOI_DISMISS);
    call->head.pool->stats.deaths++;
    result->died = true;
    if (worker->state == NIDOI_WORKER_ENDED) {
        result->signal = WIFSIGNALED(worker->outcome) ? WTERMSIG(worker->outcome) : 0;
        result->status = WIFEXITED(worker->outcome) ? WEXITSTATUS(worker->outcome) : 0;
        result->core_dumped = result->signal && WCOREDUMP(worker->outcome);
    }
    say_how_it_died(call, worker, garbled);
    nidoi_procworker_free(worker);
    call->head.pool->stats.workers--;
    return -ECHILD;
}

static int stopped(struct call *call, struct nidoi_procworker *worker, int err)
{
    bool at_once = err != -ECANCELED || call->head.pool->options.kill_at_once;

    call->head.pool->stats.stopped += err == -ECANCELED;
    if (err == -ENOMEM && !has_input(&call->exchange)) call->result.pid = 0;
    nidoi_procpool_release(call->head.pool, worker, at_once ? NIDOI_KILL : NIDOI_TERMINATE);
    return err == -ECANCELED ? err : fail(call, err, "was stopped: %s", nido_strerror(err));
}

/* It died before it had read its input, so the job has not begun. 0: try another; or what
 * nidoi_procpool_bad_start says of one that never did a job. */
static int replace(nido_procpool *pool, struct nidoi_procworker *worker)
{
    bool fresh = !worker->jobs;

    nidoi_procpool_release(pool, worker, NIDOI_KILL);
    if (fresh) return nidoi_procpool_bad_start(pool, -ECHILD);
    pool->stats.replaced++;
    return 0;
}

/* What came of a conversation in which the worker has heard at least something. */
static int end_talk(struct call *call, struct nidoi_procworker *worker, int rc)
{
    call->head.pool->bad_starts = 0;
    call->result.pid = worker->pid;
    if (rc == 0) return answered(call, worker);
    nidoi_mem.release(call->exchange.data);
    if (rc == -ECHILD || rc == -EPROTO) return died(call, worker, rc == -EPROTO);
    return stopped(call, worker, rc);
}

static int do_job(struct call *call)
{
    const struct nidoi_exchange start = call->exchange;
    struct nidoi_procworker *worker;

    for (;;) {
        int rc = nidoi_procpool_get(call->head.pool, &worker);

        if (rc) return rc;
        rc = nidoi_exchange_run(worker, &call->exchange);
        if (rc != -ECHILD || may_have_begun(&call->exchange)) return end_talk(call, worker, rc);
        call->exchange = start;
        rc = replace(call->head.pool, worker);
        if (rc) return rc;
    }
}

static int line_up(struct call *call)
{
    nido_procpool *pool = call->head.pool;
    int rc;

    pool->stats.queued++;
    rc = nido_sem_acquire(&pool->places);
    pool->stats.queued--;
    if (rc) return rc;
    pool->stats.running++;
    rc = do_job(call);
    pool->stats.running--;
    nido_sem_release(&pool->places);
    return rc;
}

/* A cancel of our own scope, which only the end of the pool makes, becomes -ESHUTDOWN. */
static int run_call(struct call *call)
{
    int inner, rc;

    nidoi_procpool_enter(&call->head);
    nido_scope_open(&call->head.scope);
    inner = line_up(call);
    rc = nido_scope_close(&call->head.scope, inner);
    if (rc != inner) fail(call, rc, "was stopped: the pool is being freed");
    nidoi_procpool_leave(&call->head);
    return rc;
}

static int admit(const nido_procpool *pool, const struct nidoi_loop *loop, size_t len)
{
    if (pool->rt != loop->remote) return -EXDEV;
    if (pool->closing) return nido_fail(-ESHUTDOWN, "pool \"%s\" is being freed", pool->name);
    if (len > pool->options.max_frame)
        return nido_fail(-EMSGSIZE, "pool \"%s\": %zu bytes of input, the limit is %zu", pool->name,
                         len, pool->options.max_frame);
    return 0;
}

/* Asking the loader is slow, and calls mostly follow their like. */
static struct nidoi_image image_of(nido_procpool *pool, nido_procjob_fn *fn)
{
    if (pool->known.fn != (uintptr_t)fn) pool->known = nidoi_image_of((uintptr_t)fn);
    return pool->known;
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
    options = NIDOI_OPTIONS(options, &room);
    if (!pool || !fn || (len && !input) || !options) return -EINVAL;
    call.name = options->name;
    rc = admit(pool, loop, len);
    if (rc) return rc;
    call.exchange.input = input;
    call.exchange.request = (struct nidoi_request){.magic = NIDOI_REQUEST_MAGIC,
                                                   .number = ++pool->requests,
                                                   .len = len,
                                                   .image = image_of(pool, fn)};
    rc = run_call(&call);
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

/* SPDX-License-Identifier: MIT */
/* threads/run_on.c: nido_run_on: a thread has a task run in another thread's runtime, and waits for its
 * result.
 *
 * There a hidden task, the server, holds the group in which the called functions run. It comes with the
 * first call and ends when the root has ended, which cancels them. A call travels as posts: `submission`
 * to the other runtime, `cancellation` there and back if the caller is cancelled, `completion` to the
 * caller's. */
#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/group/spawn.h"
#include "coro/scope/park.h"
#include "nido/task.h"
#include "nido/thread.h"

struct server {
    struct nidoi_extension extension;
    struct nidoi_task *task; /* NULL before and after its life */
    nido_group *group;       /* while it is open */
    struct nidoi_link calls; /* that have come and not begun */
};

/* One nido_run_on: on the caller's stack until `completion` has come, and `cancellation` if it was
 * sent. */
struct call {
    struct nidoi_link link;
    struct nidoi_post submission;
    struct nidoi_post cancellation;
    struct nidoi_post completion;
    nido_fn *fn;
    void *arg;
    int result;
    nido_rt *there, *here; /* here NULL: the caller is a thread without a runtime */
    nido_task task;        /* over there */
    bool running, ended;   /* over there */
    bool cancelling;       /* here: `cancellation` is on its way */
    bool done;             /* here */
    struct nidoi_waiter waiter;
    pthread_mutex_t lock; /* of a thread's wait */
    pthread_cond_t told;
};

/* ---- In the other runtime ---- */

static void call_post_back(struct call *call, struct nidoi_post *post)
{
    if (!nidoi_remote_post(call->here, post))
        nidoi_panic("a run has ended while a task of it waited for another runtime");
}

static void call_complete(struct call *call, int result)
{
    call->result = result;
    if (call->here) {
        call_post_back(call, &call->completion);
        return;
    }
    pthread_mutex_lock(&call->lock);
    call->done = true;
    pthread_cond_signal(&call->told);
    pthread_mutex_unlock(&call->lock);
}

/* A failure is the caller's, not the group's. A cancel that is not the caller's means that this run
 * is ending. */
static int call_run(void *arg)
{
    struct call *call = arg;
    int rc = call->fn(call->arg);

    call->ended = true;
    call_complete(call, rc);
    return 0;
}

static int call_spawn(nido_group *group, struct call *call)
{
    nido_spawn_options options = {.size = sizeof options, .name = "call of another thread"};

    return nido_spawn_with(group, call_run, call, &options, &call->task);
}

static void server_begin_calls(struct nidoi_loop *loop, struct server *server)
{
    while (!nidoi_list_empty(&server->calls)) {
        struct call *call = nidoi_container(server->calls.next, struct call, link);
        int err;

        nidoi_list_remove(&call->link);
        err = loop->root ? call_spawn(server->group, call) : -ESHUTDOWN;
        call->running = !err;
        if (err) call_complete(call, err == -ECANCELED ? -ESHUTDOWN : err);
    }
}

static const struct nidoi_wait_kind serving = {.name = "calls of other threads"};

/* Until the root ends. */
static void server_serve(struct nidoi_loop *loop, struct server *server)
{
    for (server_begin_calls(loop, server); loop->root; server_begin_calls(loop, server)) {
        struct nidoi_waiter waiter = {.kind = &serving};

        loop->calls_waiter = &waiter;
        nidoi_park(loop, &waiter);
    }
}

static int server_main(void *arg)
{
    struct server *server = arg;
    struct nidoi_loop *loop = nidoi_loop_self();
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "calls of other threads");
    server->group = &group;
    loop->calls = &group.scope;
    server_serve(loop, server);
    nido_group_cancel(&group, -ESHUTDOWN, "the run is over");
    loop->calls = NULL;
    server->group = NULL;
    nido_group_close(&group, 0);
    server->task = NULL;
    return 0;
}

static struct server *server_of(const struct nidoi_loop *loop)
{
    struct nidoi_extension *extension = loop->extensions[NIDOI_EXTENSION_RUN_ON];

    return extension ? nidoi_container(extension, struct server, extension) : NULL;
}

static void server_end(struct nidoi_loop *loop, struct nidoi_extension *extension)
{
    (void)loop;
    nidoi_mem.release(nidoi_container(extension, struct server, extension));
}

static int server_new(struct nidoi_loop *loop, struct server **out)
{
    nido_spawn_options options = {.size = sizeof options, .name = "server of other threads"};
    struct nidoi_spawn_request request = {.fn = server_main, .options = &options};
    struct server *server = nidoi_mem_zeroed(sizeof *server);
    int err;

    if (!server) return -ENOMEM;
    request.arg = server;
    err = nidoi_spawn(loop, &request, &server->task);
    if (err) {
        nidoi_mem.release(server);
        return err;
    }
    server->extension.end = server_end;
    nidoi_list_init(&server->calls);
    loop->extensions[NIDOI_EXTENSION_RUN_ON] = &server->extension;
    *out = server;
    return 0;
}

static void call_submitted(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct call *call = nidoi_container(post, struct call, submission);
    struct server *server = server_of(loop);
    int err = loop->root ? 0 : -ESHUTDOWN;

    if (!err && !server) err = server_new(loop, &server);
    if (err) {
        call_complete(call, err);
        return;
    }
    nidoi_list_append(&server->calls, &call->link);
    nidoi_loop_wake_calls(loop);
}

/* ---- A cancel: there and back ---- */

static void cancel_returned(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct call *call = nidoi_container(post, struct call, cancellation);

    (void)loop;
    call->cancelling = false;
    if (call->done) nidoi_wake(&call->waiter, 0);
}

static void cancel_arrived(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct call *call = nidoi_container(post, struct call, cancellation);

    (void)loop;
    if (nidoi_linked(&call->link)) { /* the server has not begun it */
        nidoi_list_remove(&call->link);
        call_complete(call, -ECANCELED);
    } else if (call->running && !call->ended) {
        nido_task_cancel(call->task, 0, "the caller on another thread is cancelled");
    }
    call->cancellation.call = cancel_returned;
    call_post_back(call, &call->cancellation);
}

/* ---- The caller's side ---- */

static void call_completed(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct call *call = nidoi_container(post, struct call, completion);

    (void)loop;
    call->done = true;
    if (!call->cancelling) nidoi_wake(&call->waiter, 0);
}

/* Noted: the result comes, sooner. */
static enum nidoi_undo call_undo(struct nidoi_waiter *waiter)
{
    struct call *call = nidoi_container(waiter, struct call, waiter);

    if (call->done || call->cancelling || call->cancellation.call) return NIDOI_NOTED;
    call->cancellation.call = cancel_arrived;
    call->cancelling = nidoi_remote_post(call->there, &call->cancellation);
    return NIDOI_NOTED;
}

static const struct nidoi_wait_kind calling = {.name = "task of another runtime",
                                               .undo = call_undo};

static int call_from_task(struct nidoi_loop *loop, struct call *call)
{
    call->here = loop->remote;
    call->completion.call = call_completed;
    call->waiter.kind = &calling;
    if (!nidoi_remote_post(call->there, &call->submission)) return -ESHUTDOWN;
    nidoi_loop_outside(loop, 1);
    nidoi_park(loop, &call->waiter);
    nidoi_loop_outside(loop, -1);
    return call->result;
}

/* Waits until the call has completed: the other thread knows this stack. */
static int call_wait_on_thread(struct call *call)
{
    if (!nidoi_remote_post(call->there, &call->submission)) return -ESHUTDOWN;
    pthread_mutex_lock(&call->lock);
    while (!call->done) pthread_cond_wait(&call->told, &call->lock);
    pthread_mutex_unlock(&call->lock);
    return call->result;
}

static int call_from_thread(struct call *call)
{
    int before = nidoi_sys_defer_cancel(), rc;

    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->told, NULL);
    rc = call_wait_on_thread(call);
    pthread_cond_destroy(&call->told);
    pthread_mutex_destroy(&call->lock);
    nidoi_sys_allow_cancel(before);
    return rc;
}

int nido_run_on(nido_rt *rt, nido_fn *fn, void *arg)
{
    struct call call = {.submission.call = call_submitted, .fn = fn, .arg = arg, .there = rt};
    struct nidoi_loop *loop = NULL;
    int rc = nidoi_sched_self ? nidoi_enter(&loop) : 0;

    if (rc) return rc;
    if (!rt || !fn) return -EINVAL;
    if (rt->forks != nidoi_forks) return -EPERM;
    rc = loop ? call_from_task(loop, &call) : call_from_thread(&call);
    /* Cancelled, but not by the caller: that run is ending. */
    return rc == -ECANCELED && !(loop && call.cancellation.call) ? -ESHUTDOWN : rc;
}

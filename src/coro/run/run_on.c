#include "coro/run/run_on.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/group/spawn.h"
#include "nido/task.h"
#include "nido/thread.h"

struct host {
    struct nidoi_extension extension;
    struct nidoi_task *task;   /* NULL before and after its life */
    nido_group *guests;        /* while it is open */
    struct nidoi_link visits;  /* that have arrived and not begun */
    struct nidoi_waiter *idle; /* the host waits */
    bool over;                 /* the root has ended */
};

/* One nido_run_on: on the caller's stack until `home` has come back, and `recall` if it was sent. */
struct visit {
    struct nidoi_link link;
    struct nidoi_post arrival; /* to the other runtime */
    struct nidoi_post recall;  /* the caller is cancelled; there and back */
    struct nidoi_post home;    /* to the caller's */
    nido_fn *fn;
    void *arg;
    int result;
    nido_rt *there, *here; /* here NULL: the caller is a thread without a runtime */
    nido_task guest;       /* over there */
    bool running, ended;   /* over there */
    bool recalled;         /* here: `recall` is out */
    bool done;             /* here */
    struct nidoi_waiter waiter;
    pthread_mutex_t lock; /* of a thread's wait */
    pthread_cond_t told;
};

/* ---- In the runtime that is visited ---- */

static void send_home(struct visit *visit, int result)
{
    visit->result = result;
    if (visit->here) {
        if (!nidoi_remote_post(visit->here, &visit->home))
            nidoi_panic("a run has ended while a task of it waited for another runtime");
        return;
    }
    pthread_mutex_lock(&visit->lock);
    visit->done = true;
    pthread_cond_signal(&visit->told);
    pthread_mutex_unlock(&visit->lock);
}

/* The guest's own failure is its caller's, not the group's. That it was cancelled by somebody but
 * its caller means that this run is ending. */
static int receive_guest(void *arg)
{
    struct visit *visit = arg;
    int rc = visit->fn(visit->arg);

    visit->ended = true;
    send_home(visit, rc);
    return 0;
}

static int begin(nido_group *guests, struct visit *visit)
{
    nido_spawn_options options = {.size = sizeof options, .name = "guest"};

    return nido_spawn_with(guests, receive_guest, visit, &options, &visit->guest);
}

static void begin_all(struct host *host)
{
    while (!nidoi_list_empty(&host->visits)) {
        struct visit *visit = nidoi_container(host->visits.next, struct visit, link);
        int err;

        nidoi_list_remove(&visit->link);
        err = host->over ? -ESHUTDOWN : begin(host->guests, visit);
        visit->running = !err;
        if (err) send_home(visit, err == -ECANCELED ? -ESHUTDOWN : err);
    }
}

static const struct nidoi_wait_kind idling = {.name = "guests of other threads"};

static int serve(void *arg)
{
    struct host *host = arg;
    struct nidoi_loop *loop = nidoi_loop_self();
    nido_group guests;

    nido_group_open(&guests, NIDO_WAIT_ALL, "guests");
    host->guests = &guests;
    for (begin_all(host); !host->over; begin_all(host)) {
        struct nidoi_waiter waiter = {.kind = &idling};

        host->idle = &waiter;
        nidoi_park(loop, &waiter);
        host->idle = NULL;
    }
    nido_group_cancel(&guests, -ESHUTDOWN, "the run is over");
    host->guests = NULL;
    nido_group_close(&guests, 0);
    host->task = NULL;
    return 0;
}

static void rouse(struct host *host)
{
    if (host->idle) nidoi_wake(host->idle, 0);
    host->idle = NULL;
}

static struct host *host_of(const struct nidoi_loop *loop)
{
    struct nidoi_extension *extension = loop->extensions[NIDOI_EXTENSION_RUN_ON];

    return extension ? nidoi_container(extension, struct host, extension) : NULL;
}

static void root_ended(struct nidoi_loop *loop)
{
    struct host *host = host_of(loop);

    host->over = true;
    rouse(host);
}

static void host_end(struct nidoi_loop *loop, struct nidoi_extension *extension)
{
    (void)loop;
    nidoi_mem.release(nidoi_container(extension, struct host, extension));
}

static int host_make(struct nidoi_loop *loop, struct host **out)
{
    nido_spawn_options options = {.size = sizeof options, .name = "host of guests"};
    struct nidoi_spawn_request request = {.fn = serve, .options = &options};
    struct host *host = nidoi_mem_zeroed(sizeof *host);
    int err;

    if (!host) return -ENOMEM;
    request.arg = host;
    err = nidoi_spawn(loop, &request, &host->task);
    if (err) {
        nidoi_mem.release(host);
        return err;
    }
    host->extension.end = host_end;
    nidoi_list_init(&host->visits);
    loop->extensions[NIDOI_EXTENSION_RUN_ON] = &host->extension;
    loop->root_ended = root_ended;
    *out = host;
    return 0;
}

static void arrive(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct visit *visit = nidoi_container(post, struct visit, arrival);
    struct host *host = host_of(loop);
    int err = loop->root ? 0 : -ESHUTDOWN;

    if (!err && !host) err = host_make(loop, &host);
    if (err) {
        send_home(visit, err);
        return;
    }
    nidoi_list_append(&host->visits, &visit->link);
    rouse(host);
}

void nidoi_run_cancel(struct nidoi_loop *loop, enum nido_cause_kind kind, int code,
                      const char *reason)
{
    struct host *host = host_of(loop);

    if (host && host->guests) nidoi_scope_cancel_checked(&host->guests->scope, kind, code, reason);
    if (loop->root) nidoi_scope_cancel(loop, &loop->root->base, kind, code, reason);
}

/* ---- The recall: there and back ---- */

static void recall_back(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct visit *visit = nidoi_container(post, struct visit, recall);

    (void)loop;
    visit->recalled = false;
    if (visit->done) nidoi_wake(&visit->waiter, 0);
}

static void recall_there(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct visit *visit = nidoi_container(post, struct visit, recall);

    (void)loop;
    if (nidoi_linked(&visit->link)) { /* the host has not come to it */
        nidoi_list_remove(&visit->link);
        send_home(visit, -ECANCELED);
    } else if (visit->running && !visit->ended) {
        nido_task_cancel(visit->guest, 0, "the caller on another thread is cancelled");
    }
    visit->recall.call = recall_back;
    if (!nidoi_remote_post(visit->here, &visit->recall))
        nidoi_panic("a run has ended while a task of it waited for another runtime");
}

/* ---- The caller's side ---- */

static void came_home(struct nidoi_loop *loop, struct nidoi_post *post)
{
    struct visit *visit = nidoi_container(post, struct visit, home);

    (void)loop;
    visit->done = true;
    if (!visit->recalled) nidoi_wake(&visit->waiter, 0);
}

/* Noted: the result comes, sooner. */
static enum nidoi_undo undo(struct nidoi_waiter *waiter)
{
    struct visit *visit = nidoi_container(waiter, struct visit, waiter);

    if (visit->done || visit->recalled || visit->recall.call) return NIDOI_NOTED;
    visit->recall.call = recall_there;
    visit->recalled = nidoi_remote_post(visit->there, &visit->recall);
    return NIDOI_NOTED;
}

static const struct nidoi_wait_kind visiting = {.name = "task of another runtime", .undo = undo};

static int visit_as_task(struct nidoi_loop *loop, struct visit *visit)
{
    visit->here = loop->remote;
    visit->home.call = came_home;
    visit->waiter.kind = &visiting;
    if (!nidoi_remote_post(visit->there, &visit->arrival)) return -ESHUTDOWN;
    nidoi_loop_outside(loop, 1);
    nidoi_park(loop, &visit->waiter);
    nidoi_loop_outside(loop, -1);
    return visit->result;
}

/* Until it has come back: the other thread knows this stack. */
static int visit_as_thread(struct visit *visit)
{
    if (!nidoi_remote_post(visit->there, &visit->arrival)) return -ESHUTDOWN;
    pthread_mutex_lock(&visit->lock);
    while (!visit->done) pthread_cond_wait(&visit->told, &visit->lock);
    pthread_mutex_unlock(&visit->lock);
    return visit->result;
}

static int send_thread(struct visit *visit)
{
    int before = nidoi_sys_defer_cancel(), rc;

    pthread_mutex_init(&visit->lock, NULL);
    pthread_cond_init(&visit->told, NULL);
    rc = visit_as_thread(visit);
    pthread_cond_destroy(&visit->told);
    pthread_mutex_destroy(&visit->lock);
    nidoi_sys_allow_cancel(before);
    return rc;
}

int nido_run_on(nido_rt *rt, nido_fn *fn, void *arg)
{
    struct visit visit = {.arrival.call = arrive, .fn = fn, .arg = arg, .there = rt};
    struct nidoi_loop *loop = NULL;
    int rc = nidoi_sched_self ? nidoi_enter(&loop) : 0;

    if (rc) return rc;
    if (!rt || !fn) return -EINVAL;
    if (rt->forks != nidoi_forks) return -EPERM;
    rc = loop ? visit_as_task(loop, &visit) : send_thread(&visit);
    /* Cancelled, but not by us: that run is ending. */
    return rc == -ECANCELED && !(loop && visit.recall.call) ? -ESHUTDOWN : rc;
}

/* SPDX-License-Identifier: MIT */
#include "coro/run/watchdog.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/run/fork.h"
#include "coro/run/question.h"
#include "coro/run/run.h"
#include "nido/time.h"

#define LEAST_PAUSE NIDO_MS(1)
#define MOST_PAUSE  NIDO_SEC(1)

struct watchdog {
    pthread_t thread;
    pthread_cond_t wanted; /* a run begins, or the last one has ended */
    bool closing;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nidoi_link runs = {&runs, &runs}; /* struct nidoi_watched */
static struct watchdog *watchdog;               /* NULL: no run is watched */

/* ---- The thread ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t look_at(struct nidoi_link *link)
{
    struct nidoi_watched *watched = nidoi_container(link, struct nidoi_watched, link);
    struct nidoi_run *run = nidoi_container(watched, struct nidoi_run, watched);

    return earlier(nidoi_stall_look(run, &watched->stall), nidoi_late_look(run, &watched->late));
}

/* For how long none need be looked at. */
static int64_t look_at_all(void)
{
    int64_t pause = MOST_PAUSE;

    for (struct nidoi_link *link = runs.next; link != &runs; link = link->next)
        pause = earlier(pause, look_at(link));
    return pause < LEAST_PAUSE ? LEAST_PAUSE : pause;
}

static void *watchdog_main(void *arg)
{
    struct watchdog *self = arg;

    pthread_mutex_lock(&lock);
    while (!self->closing) nidoi_sys_cond_wait(&self->wanted, &lock, look_at_all());
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* The lock is held. */
static int watchdog_start(void)
{
    struct watchdog *made = nidoi_mem_zeroed(sizeof *made);
    int err;

    if (!made) return -ENOMEM;
    nidoi_sys_cond_init(&made->wanted);
    err = nidoi_sys.thread(&made->thread, watchdog_main, made);
    if (!err) {
        watchdog = made;
        return 0;
    }
    pthread_cond_destroy(&made->wanted);
    nidoi_mem.release(made);
    return err;
}

static void watchdog_stop(struct watchdog *last)
{
    pthread_join(last->thread, NULL);
    pthread_cond_destroy(&last->wanted);
    nidoi_mem.release(last);
}

/* ---- Runs ---- */

/* The watchdog is the parent's, and so are the runs. */
static void watchdog_forked(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    lock = fresh;
    nidoi_list_init(&runs);
    watchdog = NULL;
    nidoi_question_forked();
}

static struct nidoi_fork_handler at_fork = {.forked = watchdog_forked};

static int run_watch(struct nidoi_watched *watched)
{
    int err = 0;

    nidoi_fork_register(&at_fork);
    pthread_mutex_lock(&lock);
    nidoi_list_append(&runs, &watched->link);
    if (!watchdog)
        err = watchdog_start();
    else
        pthread_cond_signal(&watchdog->wanted);
    if (err) nidoi_list_remove(&watched->link);
    pthread_mutex_unlock(&lock);
    return err;
}

int nidoi_watchdog_begin(struct nidoi_run *run)
{
    struct nidoi_watched *watched = &run->watched;
    int err;

    if (run->loop.options.clock != NIDO_CLOCK_REAL) return 0;
    nidoi_late_begin(run, &watched->late);
    err = nidoi_stall_begin(run, &watched->stall, &lock);
    if (err || (!watched->stall.limit && !watched->late.limit)) return err;
    return run_watch(watched);
}

void nidoi_watchdog_end(struct nidoi_run *run)
{
    struct watchdog *last = NULL;

    if (!nidoi_linked(&run->watched.link)) return;
    pthread_mutex_lock(&lock);
    nidoi_list_remove(&run->watched.link);
    if (nidoi_list_empty(&runs)) {
        last = watchdog;
        watchdog = NULL;
        last->closing = true;
        pthread_cond_signal(&last->wanted);
    }
    pthread_mutex_unlock(&lock);
    if (last) watchdog_stop(last);
}

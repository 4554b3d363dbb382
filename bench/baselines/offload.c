/* SPDX-License-Identifier: MIT */
/* offload.c: floor of calls on worker threads: a list of jobs under a mutex and a condition, a list
 * of ends under another mutex, and an eventfd that is written when that list was empty.
 *
 * It leaves out cancelling, lanes, limits, idle times, names, failures to start, calls back. The
 * spinning one never sleeps on either side. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "floors.h"
#include "mini.h"

struct job {
    struct job *next;
    struct mini_task *caller;
    long (*fn)(void *arg);
    void *arg;
    long result;
};

struct list {
    pthread_mutex_t lock;
    struct job *first, **end; /* first: atomic for spinning workers */
};

struct office {
    bool spin, closing; /* closing: lock of `jobs`; atomic for spinning workers */
    struct list jobs, ends;
    pthread_cond_t work;
    long idle, workers;
    int bell, epoll;
    long rounds;
    pthread_t threads[BENCH_WORKERS];
};

static void list_init(struct list *list)
{
    pthread_mutex_init(&list->lock, NULL);
    list->end = &list->first;
}

/* Under its lock. */
static void append(struct list *list, struct job *job)
{
    job->next = NULL;
    __atomic_store_n(list->end, job, __ATOMIC_RELEASE);
    list->end = &job->next;
}

static struct job *take(struct list *list)
{
    struct job *job = list->first;
    if (!job) return NULL;
    __atomic_store_n(&list->first, job->next, __ATOMIC_RELEASE);
    if (!job->next) list->end = &list->first;
    return job;
}

static bool seems_empty(struct list *list)
{
    return !__atomic_load_n(&list->first, __ATOMIC_ACQUIRE);
}

/* ---- A worker ---- */

static struct job *next_job(struct office *office)
{
    struct job *job;
    while (office->spin && seems_empty(&office->jobs) &&
           !__atomic_load_n(&office->closing, __ATOMIC_RELAXED)) {
    }
    pthread_mutex_lock(&office->jobs.lock);
    while (!(job = take(&office->jobs)) && !office->closing) {
        office->idle++;
        pthread_cond_wait(&office->work, &office->jobs.lock);
        office->idle--;
    }
    pthread_mutex_unlock(&office->jobs.lock);
    return job;
}

static void *work(void *arg)
{
    struct office *office = arg;
    struct job *job;
    while ((job = next_job(office))) {
        uint64_t one = 1;
        job->result = job->fn(job->arg);
        pthread_mutex_lock(&office->ends.lock);
        bool first = !office->ends.first;
        append(&office->ends, job);
        pthread_mutex_unlock(&office->ends.lock);
        if (first && !office->spin && write(office->bell, &one, sizeof one) < 0) break;
    }
    return NULL;
}

/* ---- The loop ---- */

static long nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void caller(struct mini_task *self)
{
    struct office *office = self->mini->arg;
    for (long i = 0; i < office->rounds; i++) {
        struct job job = {.caller = self, .fn = nothing};
        pthread_mutex_lock(&office->jobs.lock);
        append(&office->jobs, &job);
        bool idle = office->idle > 0;
        pthread_mutex_unlock(&office->jobs.lock);
        if (idle) pthread_cond_signal(&office->work);
        mini_park(self);
    }
}

static long wake_callers(struct mini *mini, struct list *ends)
{
    long n = 0;
    pthread_mutex_lock(&ends->lock);
    struct job *job = ends->first;
    ends->first = NULL;
    ends->end = &ends->first;
    pthread_mutex_unlock(&ends->lock);
    for (; job; n++) {
        struct job *next = job->next; /* it lies on the caller's stack */
        mini_append(mini, job->caller);
        job = next;
    }
    return n;
}

static void call_all(struct mini *mini, struct office *office, long rounds)
{
    long left = rounds * mini->count;
    struct epoll_event event;
    office->rounds = rounds;
    mini_spawn_all(mini, caller);
    mini_drive(mini);
    while (left > 0) {
        if (office->spin)
            while (seems_empty(&office->ends)) {
            }
        else
            epoll_wait(office->epoll, &event, 1, -1);
        left -= wake_callers(mini, &office->ends);
        mini_drive(mini);
    }
}

static void hire(struct office *office)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    list_init(&office->jobs);
    list_init(&office->ends);
    pthread_cond_init(&office->work, NULL);
    office->bell = eventfd(0, EFD_NONBLOCK);
    office->epoll = epoll_create1(0);
    epoll_ctl(office->epoll, EPOLL_CTL_ADD, office->bell, &event);
    bench_pin(1);
    for (long i = 0; i < office->workers; i++)
        pthread_create(&office->threads[i], NULL, work, office);
    bench_pin(0);
}

static void dismiss(struct office *office)
{
    pthread_mutex_lock(&office->jobs.lock);
    __atomic_store_n(&office->closing, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&office->work);
    pthread_mutex_unlock(&office->jobs.lock);
    for (long i = 0; i < office->workers; i++) pthread_join(office->threads[i], NULL);
    close(office->bell);
    close(office->epoll);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out, bool spin)
{
    struct office office = {.spin = spin, .workers = ask->count > 1 ? BENCH_WORKERS : 1};
    struct mini mini;
    if (!mini_init(&mini, ask->count, &office, out)) return;
    hire(&office);
    call_all(&mini, &office, bench_warm_up(ask));
    int64_t start = bench_now();
    call_all(&mini, &office, ask->rounds);
    bench_per_operation(out, bench_now() - start, ask->rounds * ask->count);
    dismiss(&office);
}

void floor_offload(const struct bench_ask *ask, struct bench_sample *out)
{
    measure(ask, out, false);
}

void floor_offload_spin(const struct bench_ask *ask, struct bench_sample *out)
{
    measure(ask, out, true);
}

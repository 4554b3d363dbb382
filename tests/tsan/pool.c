/* SPDX-License-Identifier: MIT */
/* The worker pool, for ThreadSanitizer: a plain program as threads.c. */
#include <pthread.h>
#include <semaphore.h>

#include "must.h"
#include "nido.h"
#include "soak_pool.h"

enum { THREADS = 3, ROUNDS = 60, MANY = 2000 };

/* ---- All kinds of jobs, cancels and deadlines; a pool for each of several runs ---- */

static void *soak(void *seed)
{
    struct soak_pool soak = {.seed = {*(uint64_t *)seed}, .rounds = ROUNDS};
    nido_options options;

    nido_options_init(&options);
    options.pool_threads = 4;
    options.spin_ns = *(uint64_t *)seed == 1 ? NIDO_US(20) : 0;
    options.pool_grace_ns = NIDO_NEVER;
    MUST(nido_run(soak_pool, &soak, &options) == 0);
    MUST(soak.results + soak.refusals == soak.calls);
    MUST(soak.dropped == soak.handed);
    MUST(nido_limiter_deinit(&soak.limiter) == 0);
    return NULL;
}

static void soak_beside_each_other(void)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];

    for (int i = 0; i < THREADS; i++) {
        seeds[i] = (uint64_t)i;
        MUST(pthread_create(&threads[i], NULL, soak, &seeds[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* ---- What a job and its caller share without locks ---- */

static ssize_t count(void *arg)
{
    return ++*(int *)arg;
}

static int offload_often(void *unused)
{
    int n = 0;

    (void)unused;
    for (int i = 0; i < MANY; i++) MUST(nido_offload(count, &n) == i + 1);
    MUST(n == MANY);
    return 0;
}

static int count_in_loop(void *arg)
{
    return ++*(int *)arg;
}

static ssize_t call_often(void *arg)
{
    for (int i = 0; i < MANY; i++) MUST(nido_call_in_loop(count_in_loop, arg) == i + 1);
    return 0;
}

static int be_called_often(void *unused)
{
    int n = 0;

    (void)unused;
    MUST(nido_offload(call_often, &n) == 0);
    return n == MANY ? 0 : -EPROTO;
}

/* Each index writes a number of its own, which the caller reads without a lock. */
static int note_index(void *numbers, size_t i)
{
    ((size_t *)numbers)[i] = i + 1;
    return 0;
}

static int square(void *unused, const void *item, void *result)
{
    (void)unused;
    *(size_t *)result = *(const size_t *)item * *(const size_t *)item;
    return 0;
}

static int fail_at_the_end(void *unused, size_t i)
{
    (void)unused;
    return i == MANY - 1 ? -EDOM : 0;
}

static int do_many_indices(void *unused)
{
    static size_t numbers[MANY], squares[MANY];
    nido_parallel_options options = NIDO_PARALLEL_OPTIONS(.workers = 4, .piece = 7);
    size_t failed = 0;

    MUST(nido_parallel_for(MANY, note_index, numbers, &options) == 0);
    for (size_t i = 0; i < MANY; i++) MUST(numbers[i] == i + 1);
    MUST(nido_map(numbers, sizeof *numbers, squares, sizeof *squares, MANY, square, unused,
                  &options) == 0);
    for (size_t i = 0; i < MANY; i++) MUST(squares[i] == (i + 1) * (i + 1));
    options.failed = &failed;
    MUST(nido_parallel_for(MANY, fail_at_the_end, unused, &options) == -EDOM);
    MUST(failed == MANY - 1);
    return 0;
}

/* ---- A job that outlives its run ---- */

static sem_t go, gone;

static ssize_t outlive(void *arg)
{
    sem_post(&gone);
    while (sem_wait(&go)) {
    }
    MUST(nido_call_in_loop(count_in_loop, arg) == -ESHUTDOWN);
    return 0;
}

static void note_drop(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg;
    MUST(result == 0);
    sem_post(&gone);
}

static int leave(void *unused)
{
    return (int)nido_offload_abandon(outlive, unused, note_drop, NULL);
}

static int begin_and_leave(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "leave");
    MUST(nido_spawn(&group, leave, NULL) == 0);
    MUST(nido_yield() == 0);
    sem_wait(&gone);
    nido_group_cancel(&group, 0, "enough");
    return nido_group_close(&group, 0);
}

static void ignore_report(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

static void outlive_a_run(void)
{
    nido_options options;

    nido_options_init(&options);
    options.pool_grace_ns = 1;
    options.on_report = ignore_report;
    sem_init(&go, 0, 0);
    sem_init(&gone, 0, 0);
    MUST(nido_run(begin_and_leave, NULL, &options) == 0);
    sem_post(&go);
    sem_wait(&gone);
}

int main(void)
{
    soak_beside_each_other();
    MUST(nido_run(offload_often, NULL, NULL) == 0);
    MUST(nido_run(be_called_often, NULL, NULL) == 0);
    MUST(nido_run(do_many_indices, NULL, NULL) == 0);
    outlive_a_run();
    puts("5 passed, 0 failed");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* sync.c: mutexes, semaphores, conditions and barriers: alone, and among tasks that wait for each
 * other. Every case is a number of tasks that take the same turns; the first of them holds the
 * clock. */
#include "baselines/floors.h"
#include "cases.h"

struct table {
    const struct bench_run *run;
    int (*turns)(struct table *table, bool leads, long n);
    nido_mutex mutex;
    nido_sem sem;
    nido_cond cond;
    nido_barrier barrier;
    bool second; /* of two tasks, whose turn it is */
};

static int follower(void *arg)
{
    struct table *table = arg;
    const struct bench_ask *ask = table->run->ask;
    return table->turns(table, false, bench_warm_up(ask) + ask->rounds);
}

static int leader(void *arg)
{
    struct table *table = arg;
    const struct bench_ask *ask = table->run->ask;
    int rc = table->turns(table, true, bench_warm_up(ask));
    int64_t start = bench_now();
    if (!rc) rc = table->turns(table, true, ask->rounds);
    bench_per_operation(table->run->out, bench_now() - start, ask->rounds * ask->count);
    return rc;
}

static int play(struct table *table)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "table");
    int rc = nido_spawn(&group, leader, table);
    if (!rc) rc = bench_spawn_many(&group, table->run->ask->count - 1, follower, table);
    return nido_group_close(&group, rc);
}

static int lock_freely(struct table *table, bool leads, long n)
{
    int rc = 0;
    (void)leads;
    for (long i = 0; i < n && !rc; i++) {
        rc = nido_mutex_lock(&table->mutex);
        if (!rc) rc = nido_mutex_unlock(&table->mutex);
    }
    return rc;
}

/* The other asks for it while this one gives way. */
static int lock_contended(struct table *table, bool leads, long n)
{
    int rc = 0;
    (void)leads;
    for (long i = 0; i < n && !rc; i++) {
        rc = nido_mutex_lock(&table->mutex);
        if (!rc) rc = nido_yield();
        if (!rc) rc = nido_mutex_unlock(&table->mutex);
    }
    return rc;
}

static int play_with_mutex(struct table *table)
{
    nido_mutex_init(&table->mutex, "mutex");
    int rc = play(table);
    nido_mutex_deinit(&table->mutex);
    return rc;
}

static int mutex_free(void *arg)
{
    struct table table = {.run = arg, .turns = lock_freely};
    return play_with_mutex(&table);
}

static int mutex_handoff(void *arg)
{
    struct table table = {.run = arg, .turns = lock_contended};
    return play_with_mutex(&table);
}

static int acquire_freely(struct table *table, bool leads, long n)
{
    int rc = 0;
    (void)leads;
    for (long i = 0; i < n && !rc; i++) {
        rc = nido_sem_acquire(&table->sem);
        if (!rc) rc = nido_sem_release(&table->sem);
    }
    return rc;
}

static int acquire_contended(struct table *table, bool leads, long n)
{
    int rc = 0;
    (void)leads;
    for (long i = 0; i < n && !rc; i++) {
        rc = nido_sem_acquire(&table->sem);
        if (!rc) rc = nido_yield();
        if (!rc) rc = nido_sem_release(&table->sem);
    }
    return rc;
}

static int play_with_sem(struct table *table)
{
    int rc = nido_sem_init(&table->sem, 1, 1, "semaphore");
    if (rc) return rc;
    rc = play(table);
    nido_sem_deinit(&table->sem);
    return rc;
}

static int sem_free(void *arg)
{
    struct table table = {.run = arg, .turns = acquire_freely};
    return play_with_sem(&table);
}

static int sem_handoff(void *arg)
{
    struct table table = {.run = arg, .turns = acquire_contended};
    return play_with_sem(&table);
}

static int wait_for_turn(struct table *table, bool leads)
{
    int rc = 0;
    while (table->second == leads && !rc) rc = nido_cond_wait(&table->cond, &table->mutex);
    return rc;
}

static int alternate(struct table *table, bool leads, long n)
{
    int rc = nido_mutex_lock(&table->mutex);
    if (rc) return rc;
    for (long i = 0; i < n && !rc; i++) {
        rc = wait_for_turn(table, leads);
        table->second = leads;
        if (!rc) rc = nido_cond_notify(&table->cond);
    }
    nido_mutex_unlock(&table->mutex);
    return rc;
}

static int cond_pingpong(void *arg)
{
    struct table table = {.run = arg, .turns = alternate};
    nido_cond_init(&table.cond, "turn");
    int rc = play_with_mutex(&table);
    nido_cond_deinit(&table.cond);
    return rc;
}

static int meet(struct table *table, bool leads, long n)
{
    int rc = 0;
    (void)leads;
    for (long i = 0; i < n && rc >= 0; i++) rc = nido_barrier_wait(&table->barrier);
    return rc < 0 ? rc : 0;
}

static int barrier(void *arg)
{
    struct table table = {.run = arg, .turns = meet};
    int rc = nido_barrier_init(&table.barrier, (uint32_t)table.run->ask->count, 0, "barrier");
    if (rc) return rc;
    rc = play(&table);
    nido_barrier_deinit(&table.barrier);
    return rc;
}

static void measure_mutex_free(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(mutex_free, ask, out);
}

static void measure_mutex_handoff(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(mutex_handoff, ask, out);
}

static void measure_sem_free(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(sem_free, ask, out);
}

static void measure_sem_handoff(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(sem_handoff, ask, out);
}

static void measure_cond(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(cond_pingpong, ask, out);
}

static void measure_barrier(const struct bench_ask *ask, struct bench_sample *out)
{
    bench_nido(barrier, ask, out);
}

const struct bench_case case_mutex_free = {
    .name = "mutex_free",
    .what = "a mutex that no other task wants, locked and unlocked",
    .count = 1,
    .nido = measure_mutex_free,
    .floor = floor_lock_free,
    .metrics = {{.unit = "ns/lock", .target = 2.5, .target_ratio = 2.5}},
};

const struct bench_case case_mutex_handoff = {
    .name = "mutex_handoff",
    .what = "two tasks that lock a mutex, yield and unlock it, per lock",
    .count = 2,
    .nido = measure_mutex_handoff,
    .floor = floor_lock_handoff,
    /* Twice the cost of two switches; the floor needs one, because a yield of its finds no other task. */
    .metrics = {{.unit = "ns/lock", .target = 30, .target_ratio = 4}},
};

const struct bench_case case_sem_free = {
    .name = "sem_free",
    .what = "a permit that no other task wants, acquired and released",
    .count = 1,
    .nido = measure_sem_free,
    .floor = floor_lock_free,
    .metrics = {{.unit = "ns/permit", .target = 2.5, .target_ratio = 2.5}},
};

const struct bench_case case_sem_handoff = {
    .name = "sem_handoff",
    .what = "two tasks that acquire the only permit, yield and release it, per permit",
    .count = 2,
    .nido = measure_sem_handoff,
    .floor = floor_lock_handoff,
    .metrics = {{.unit = "ns/permit", .target = 30, .target_ratio = 4}},
};

const struct bench_case case_cond_pingpong = {
    .name = "cond_pingpong",
    .what = "two tasks that notify each other by one condition, per turn",
    .count = 2,
    .nido = measure_cond,
    .floor = floor_turns,
    .metrics = {{.unit = "ns/turn"}},
};

const struct bench_case case_barrier_1000 = {
    .name = "barrier_1000",
    .what = "1 000 tasks that meet at a barrier, per task and round",
    .count = 1000,
    .nido = measure_barrier,
    .floor = floor_barrier,
    .metrics = {{.unit = "ns/task"}},
};

/* SPDX-License-Identifier: MIT */
/* The pool under all kinds of jobs and cancels: what the process holds stays the same. */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nido_test.h"
#include "soak_pool.h"

enum { WORKERS = 6, PASSES = 4, ROUNDS = 150 };

/* ---- What the library has allocated ---- */

static struct nidoi_mem real;
static long blocks; /* atomic */

static void *count_alloc(size_t size)
{
    void *memory = real.alloc(size);

    if (memory) __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    return memory;
}

static void *count_resize(void *memory, size_t size)
{
    void *moved = real.resize(memory, size);

    if (moved && !memory) __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    return moved;
}

static void count_release(void *memory)
{
    if (memory) __atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
    real.release(memory);
}

/* ---- What the kernel has ---- */

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int n = 0;

    while (readdir(directory)) n++;
    closedir(directory);
    return n;
}

struct holdings {
    int fds, threads;
    long blocks;
};

static struct holdings look(void)
{
    return (struct holdings){entries("/proc/self/fd"), entries("/proc/self/task"),
                             __atomic_load_n(&blocks, __ATOMIC_RELAXED)};
}

enum { PATIENCE = 100000 };

/* A thread that has been joined stays in the list until the kernel is done with it. */
static int threads_left(int expected)
{
    int n = look().threads;

    for (int i = 0; n > expected && i < PATIENCE; i++) {
        sched_yield();
        n = look().threads;
    }
    return n;
}

/* Waits for the ends of the abandoned jobs. */
static void settle(struct soak_pool *soak)
{
    while (__atomic_load_n(&soak->dropped, __ATOMIC_RELAXED) < soak->handed) nido_yield();
    while (nido_limiter_deinit(&soak->limiter) == -EBUSY) nido_yield();
}

static int soak_again_and_again(void *arg)
{
    struct soak_pool *soak = arg;
    struct holdings before = look(), now;

    for (int i = 0; i < PASSES; i++) {
        cr_expect(zero(int, soak_pool(soak)));
        settle(soak);
        now = look();
        cr_expect(eq(int, now.fds, before.fds));
        cr_expect(le(int, now.threads, before.threads + WORKERS + 1), "and who interrupts");
    }
    return 0;
}

/* Blocks are compared when no thread is left that may hold one. */
NIDO_TEST(offload_soak, many_jobs_and_cancels_leave_nothing_behind)
{
    struct soak_pool soak = {.seed = {11}, .rounds = ROUNDS};
    nido_options options;
    struct holdings before = look();

    real = nidoi_mem;
    nidoi_mem = (struct nidoi_mem){count_alloc, count_resize, count_release};
    nido_options_init(&options);
    options.pool_threads = WORKERS;
    cr_expect(zero(int, nido_run(soak_again_and_again, &soak, &options)));
    nidoi_mem = real;
    cr_expect(zero(i64, look().blocks));
    cr_expect(eq(int, threads_left(before.threads), before.threads));
    cr_expect(eq(i64, soak.results + soak.refusals, soak.calls));
    cr_expect(gt(i64, soak.results, 0));
    cr_expect(eq(i64, soak.dropped, soak.handed));
}

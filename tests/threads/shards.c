/* SPDX-License-Identifier: MIT */
/* One runtime on each of several threads. */
#include <pthread.h>

#include "faults.h"
#include "inside_help.h"

enum { SHARDS = 4 };

struct world {
    nido_xsem *arrived, *go;
    uint32_t ran; /* atomic: a bit a shard */
    pthread_t threads[SHARDS];
};

static int note_shard(unsigned shard, void *arg)
{
    struct world *world = arg;

    __atomic_or_fetch(&world->ran, 1u << shard, __ATOMIC_SEQ_CST);
    world->threads[shard] = pthread_self();
    return (int)shard + 10;
}

NIDO_TEST(shards, each_runs_on_a_thread_of_its_own)
{
    struct world world = {0};

    cr_expect(eq(int, nido_shards(SHARDS, note_shard, &world, NULL), 10), "the first one's result");
    cr_expect(eq(u32, world.ran, (1u << SHARDS) - 1));
    cr_expect(ne(int, pthread_equal(world.threads[0], pthread_self()), 0));
    for (int i = 1; i < SHARDS; i++)
        cr_expect(eq(int, pthread_equal(world.threads[i], world.threads[i - 1]), 0));
}

NIDO_TEST(shards, by_default_there_is_one_a_processor)
{
    struct world world = {0};

    cr_expect(eq(int, nido_shards(0, note_shard, &world, NULL), 10));
    cr_expect(eq(u32, world.ran & 1, 1));
}

static int fail_when_all_are_there(unsigned shard, void *arg)
{
    struct world *world = arg;

    cr_expect(eq(int, nido_xsem_release(world->arrived, 1), 0));
    if (shard != 2) {
        cr_expect(eq(int, nido_sleep(NIDO_SEC(1000)), -ECANCELED));
        return -ECANCELED;
    }
    for (int i = 0; i < SHARDS; i++) cr_expect(eq(int, nido_xsem_acquire(world->arrived), 0));
    return -EIO;
}

NIDO_TEST(shards, the_first_failure_cancels_all_others)
{
    struct world world = {0};

    cr_assert(eq(int, nido_xsem_new(0, &world.arrived), 0));
    cr_expect(eq(int, nido_shards(SHARDS, fail_when_all_are_there, &world, NULL), -EIO));
    nido_xsem_free(world.arrived);
}

static int add_one(void *arg)
{
    return ++*(int *)arg;
}

static int ask_a_neighbour(unsigned shard, void *arg)
{
    struct world *world = arg;
    int value = 40;

    cr_expect(eq(int, nido_xsem_release(world->arrived, 1), 0));
    if (shard == 0) {
        nido_rt *rt;

        for (int i = 0; i < SHARDS; i++) cr_expect(eq(int, nido_xsem_acquire(world->arrived), 0));
        rt = nido_shard_rt(1);

        cr_expect(ne(ptr, rt, NULL));
        cr_expect(eq(int, nido_run_on(rt, add_one, &value), 41));
        nido_rt_release(rt);
        cr_expect(eq(ptr, nido_shard_rt(SHARDS), NULL));
        cr_expect(eq(int, nido_xsem_release(world->go, SHARDS), 0));
        return 0;
    }
    return nido_xsem_acquire(world->go);
}

NIDO_TEST(shards, they_reach_each_other)
{
    struct world world = {0};

    cr_assert(eq(int, nido_xsem_new(0, &world.arrived), 0));
    cr_assert(eq(int, nido_xsem_new(0, &world.go), 0));
    cr_expect(eq(int, nido_shards(SHARDS, ask_a_neighbour, &world, NULL), 0));
    cr_expect(eq(ptr, nido_shard_rt(0), NULL));
    nido_xsem_free(world.go);
    nido_xsem_free(world.arrived);
}

static int wait_for_ever(unsigned shard, void *arg)
{
    (void)shard, (void)arg;
    return nido_sleep(NIDO_SEC(1000));
}

NIDO_TEST(shards, a_thread_that_cannot_start_ends_the_others)
{
    faults_begin();
    faults_fail(FAULT_thread, 2, -EAGAIN);
    cr_expect(eq(int, nido_shards(SHARDS, wait_for_ever, NULL, NULL), -EAGAIN));
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_shards(SHARDS, wait_for_ever, NULL, NULL), -ENOMEM));
    faults_end();
}

static int start_shards(void *arg)
{
    cr_expect(eq(int, nido_shards(2, note_shard, arg, NULL), -EBUSY));
    return 0;
}

NIDO_TEST(shards, wrong_calls_are_refused)
{
    nido_options options;
    struct world world = {0};

    cr_expect(eq(int, nido_shards(2, NULL, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_shards(100000, note_shard, &world, NULL), -EINVAL));
    nido_options_init(&options);
    options.size = 1;
    cr_expect(eq(int, nido_shards(2, note_shard, &world, &options), -EINVAL));
    cr_expect(eq(int, nido_run(start_shards, &world, NULL), 0));
    cr_expect(eq(u32, world.ran, 0));
}

/* ---- A thread that cannot be started, when others run already ---- */

static struct nidoi_sys real_sys;
static int threads_asked, sleeping, slept; /* sleeping: atomic */

/* The second one is refused when the first has begun its sleep. */
static int start_one_thread(pthread_t *out, void *(*fn)(void *), void *arg)
{
    int64_t end = nidoi_sys_now() + NIDO_SEC(10);

    if (threads_asked++ == 0) return real_sys.thread(out, fn, arg);
    while (!__atomic_load_n(&sleeping, __ATOMIC_SEQ_CST) && nidoi_sys_now() < end) sched_yield();
    return -EAGAIN;
}

static int sleep_long(unsigned shard, void *unused)
{
    (void)shard, (void)unused;
    __atomic_store_n(&sleeping, 1, __ATOMIC_SEQ_CST);
    slept = nido_sleep(NIDO_SEC(20));
    return 0;
}

NIDO_TEST(shards, one_that_runs_already_is_cancelled_when_another_cannot_start)
{
    real_sys = nidoi_sys;
    nidoi_sys.thread = start_one_thread;
    cr_expect(eq(int, nido_shards(3, sleep_long, NULL, NULL), -EAGAIN));
    nidoi_sys = real_sys;
    cr_expect(eq(int, slept, -ECANCELED));
}

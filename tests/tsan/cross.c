/* SPDX-License-Identifier: MIT */
/* Objects for any thread, visits to other runtimes, shards, wakers: for ThreadSanitizer. */
#include <errno.h>
#include <pthread.h>

#include "must.h"
#include "nido.h"

enum { SHARDS = 3, ITEMS = 2000, VISITS = 300, WAKES = 5000 };

struct gate {
    nido_xsem *in, *out;
};

struct world {
    nido_xchan *chan;
    struct gate begin, end;
    long sum; /* atomic */
};

/* Until all shards are here. */
static void meet(unsigned shard, struct gate *gate)
{
    MUST(nido_xsem_release(gate->in, 1) == 0);
    for (int i = 0; shard == 0 && i < SHARDS; i++) MUST(nido_xsem_acquire(gate->in) == 0);
    if (shard == 0) MUST(nido_xsem_release(gate->out, SHARDS) == 0);
    MUST(nido_xsem_acquire(gate->out) == 0);
}

/* ---- A channel between runtimes ---- */

static int produce(void *arg)
{
    for (int i = 1; i <= ITEMS; i++) MUST(nido_xchan_send(((struct world *)arg)->chan, &i) == 0);
    return 0;
}

static int consume(void *arg)
{
    struct world *world = arg;
    int item;

    for (int i = 0; i < ITEMS * (SHARDS - 1); i++) {
        MUST(nido_xchan_recv(world->chan, &item) == 0);
        __atomic_add_fetch(&world->sum, item, __ATOMIC_RELAXED);
    }
    return 0;
}

/* ---- Visits, of which some race with a deadline ---- */

static int count_up(void *arg)
{
    int rc = nido_yield();

    ++*(int *)arg;
    return rc ? rc : 1;
}

static void visit_neighbours(unsigned shard)
{
    for (unsigned i = 0; i < VISITS; i++) {
        nido_rt *rt = nido_shard_rt((shard + 1 + i % (SHARDS - 1)) % SHARDS);
        nido_scope scope;
        int n = 0, rc;

        nido_timeout_open(&scope, i % 2 ? NIDO_SEC(60) : NIDO_US(i % 50));
        rc = nido_scope_close(&scope, nido_run_on(rt, count_up, &n));
        MUST(rc == 1 || rc == -ETIMEDOUT);
        nido_rt_release(rt);
    }
}

static int shard(unsigned number, void *arg)
{
    struct world *world = arg;
    nido_group group;

    meet(number, &world->begin);
    nido_group_open(&group, NIDO_FAIL_FAST, "shard");
    MUST(nido_spawn(&group, number ? produce : consume, world) == 0);
    visit_neighbours(number);
    MUST(nido_group_close(&group, 0) == 0);
    meet(number, &world->end);
    return 0;
}

static void shards(void)
{
    struct world world = {0};

    MUST(nido_xchan_new(sizeof(int), 8, NULL, NULL, &world.chan) == 0);
    MUST(nido_xsem_new(0, &world.begin.in) == 0 && nido_xsem_new(0, &world.begin.out) == 0);
    MUST(nido_xsem_new(0, &world.end.in) == 0 && nido_xsem_new(0, &world.end.out) == 0);
    MUST(nido_shards(SHARDS, shard, &world, NULL) == 0);
    MUST(world.sum == (long)(SHARDS - 1) * ITEMS * (ITEMS + 1) / 2);
    nido_xsem_free(world.begin.in);
    nido_xsem_free(world.begin.out);
    nido_xsem_free(world.end.in);
    nido_xsem_free(world.end.out);
    nido_xchan_free(world.chan);
}

/* ---- A waker ---- */

static void *wake(void *waker)
{
    for (int i = 0; i < WAKES; i++) MUST(nido_waker_wake(waker) == 0);
    nido_waker_release(waker);
    return NULL;
}

static int be_woken(void *arg)
{
    nido_waker *waker;
    pthread_t thread;
    nido_scope scope;
    int rc = 0;

    (void)arg;
    MUST(nido_waker_new(&waker) == 0);
    nido_waker_retain(waker);
    MUST(pthread_create(&thread, NULL, wake, waker) == 0);
    MUST(nido_waker_wait(waker) == 0);
    nido_timeout_open(&scope, NIDO_MS(20));
    while (rc == 0) rc = nido_waker_wait(waker);
    MUST(nido_scope_close(&scope, rc) == -ETIMEDOUT);
    pthread_join(thread, NULL);
    nido_waker_release(waker);
    return 0;
}

/* ---- A plain thread that asks a runtime, and events ---- */

struct host {
    nido_rt *rt;
    nido_xevent *ready, *stop;
};

static int stay(void *arg)
{
    struct host *host = arg;

    host->rt = nido_rt_self();
    nido_xevent_set(host->ready);
    return nido_xevent_wait(host->stop);
}

static void *run_host(void *arg)
{
    MUST(nido_run(stay, arg, NULL) == 0);
    return NULL;
}

static void threads_ask(void)
{
    struct host host;
    pthread_t thread;
    int n = 0;

    MUST(nido_xevent_new(&host.ready) == 0 && nido_xevent_new(&host.stop) == 0);
    MUST(pthread_create(&thread, NULL, run_host, &host) == 0);
    MUST(nido_xevent_wait(host.ready) == 0);
    for (int i = 0; i < VISITS; i++) MUST(nido_run_on(host.rt, count_up, &n) == 1);
    MUST(n == VISITS);
    nido_xevent_set(host.stop);
    pthread_join(thread, NULL);
    MUST(nido_run_on(host.rt, count_up, &n) == -ESHUTDOWN);
    nido_rt_release(host.rt);
    nido_xevent_free(host.ready);
    nido_xevent_free(host.stop);
}

int main(void)
{
    shards();
    MUST(nido_run(be_woken, NULL, NULL) == 0);
    threads_ask();
    puts("tsan: shards, visits, wakers and objects for any thread");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* neco.c: neco. Its channels have buffers, and it has mutexes and conditions, but neither groups nor
 * semaphores. An unlock gives way to others. How much it can hold depends on how it was built
 * (bench/README.md); where there is no memory for that many stacks, it says so. */
#include <arpa/inet.h>
#include <neco.h>
#include <netinet/tcp.h>

#include "peer.h"

enum { CAPACITY = 128, CHANNELS_MOST = 128 };

typedef void routine(int argc, void *argv[]);

/* The runner takes it for a case that cannot be had here, not for a failure. */
static void skip(const char *why)
{
    printf("{\"skip\": \"neco: %s\"}\n", why);
    fflush(stdout);
    _exit(0);
}

static void must(int rc)
{
    if (rc == NECO_OK) return;
    fprintf(stderr, "neco: %s\n", neco_strerror(rc));
    exit(1);
}

static int64_t spawn(routine *fn, void *arg)
{
    int rc = neco_start(fn, 1, arg);
    if (rc == NECO_NOMEM) skip("no memory for that many stacks");
    must(rc);
    return neco_lastid();
}

static void spawn_many(int64_t *tasks, long count, routine *fn, void *arg)
{
    for (long i = 0; i < count; i++) tasks[i] = spawn(fn, arg);
}

static void join_many(const int64_t *tasks, long count)
{
    for (long i = 0; i < count; i++) neco_join(tasks[i]);
}

static int64_t *tasks_of(const struct ask *ask)
{
    return (int64_t *)calloc((size_t)ask->count, sizeof(int64_t));
}

static neco_chan *new_channel(size_t capacity)
{
    neco_chan *channel = NULL;
    must(neco_chan_make(&channel, sizeof(long), capacity));
    return channel;
}

static void yielder(int argc, void *argv[])
{
    const struct ask *ask = (const struct ask *)argv[0];
    (void)argc;
    for (long i = 0; i < ask->warm_up + ask->rounds; i++) neco_yield();
}

/* One turn of this one is a turn of every task. */
static void ring(const struct ask *ask)
{
    int64_t *tasks = tasks_of(ask);
    spawn_many(tasks, ask->count - 1, yielder, (void *)ask);
    for (long i = 0; i < ask->warm_up; i++) neco_yield();
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) neco_yield();
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    join_many(tasks, ask->count - 1);
}

static void nothing(int argc, void *argv[])
{
    (void)argc;
    (void)argv;
}

static void spawn_and_join(const struct ask *ask)
{
    int64_t *tasks = tasks_of(ask);
    int64_t start = 0;
    for (long i = -1; i < ask->rounds; i++) {
        if (i == 0) start = now_ns();
        spawn_many(tasks, ask->count, nothing, NULL);
        join_many(tasks, ask->count);
    }
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
}

struct wire {
    const struct ask *ask;
    neco_chan *there, *back;
};

static void answer(int argc, void *argv[])
{
    const struct wire *wire = (const struct wire *)argv[0];
    long item;
    (void)argc;
    for (long i = 0; i < wire->ask->warm_up + wire->ask->rounds; i++) {
        neco_chan_recv(wire->there, &item);
        neco_chan_send(wire->back, &item);
    }
}

static void ask_and_hear(const struct wire *wire, long times)
{
    long item;
    for (long i = 0; i < times; i++) {
        neco_chan_send(wire->there, &i);
        neco_chan_recv(wire->back, &item);
    }
}

static void pingpong(const struct ask *ask)
{
    struct wire wire = {ask, new_channel(0), new_channel(0)};
    int64_t other = spawn(answer, &wire);
    ask_and_hear(&wire, ask->warm_up);
    int64_t start = now_ns();
    ask_and_hear(&wire, ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * 2);
    neco_join(other);
}

static void produce(int argc, void *argv[])
{
    const struct wire *wire = (const struct wire *)argv[0];
    (void)argc;
    for (long i = 0; i < wire->ask->warm_up + wire->ask->rounds; i++)
        neco_chan_send(wire->there, &i);
}

static void receive(neco_chan *channel, long times)
{
    long item;
    for (long i = 0; i < times; i++) neco_chan_recv(channel, &item);
}

static void stream(const struct ask *ask)
{
    struct wire wire = {ask, new_channel(CAPACITY), NULL};
    int64_t *tasks = tasks_of(ask);
    spawn_many(tasks, ask->count, produce, &wire);
    receive(wire.there, ask->warm_up * ask->count);
    int64_t start = now_ns();
    receive(wire.there, ask->rounds * ask->count);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    join_many(tasks, ask->count);
}

/* It looks through the channels in their order. */
static void choose(const struct ask *ask)
{
    neco_chan *channels[CHANNELS_MOST];
    long item;
    for (long i = 0; i < ask->count; i++) channels[i] = new_channel(1);
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) {
        neco_chan_send(channels[i % ask->count], &i);
        int which = neco_chan_selectv((int)ask->count, channels);
        if (which < 0) must(which);
        neco_chan_case(channels[which], &item);
    }
    say_per_operation(now_ns() - start, ask->rounds);
}

static neco_mutex mutex = NECO_MUTEX_INITIALIZER;

static void mutex_free(const struct ask *ask)
{
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) {
        neco_mutex_lock(&mutex);
        neco_mutex_unlock(&mutex);
    }
    say_per_operation(now_ns() - start, ask->rounds);
}

static void lock_and_yield(long times)
{
    for (long i = 0; i < times; i++) {
        neco_mutex_lock(&mutex);
        neco_yield();
        neco_mutex_unlock(&mutex);
    }
}

static void contender(int argc, void *argv[])
{
    const struct ask *ask = (const struct ask *)argv[0];
    (void)argc;
    lock_and_yield(ask->warm_up + ask->rounds);
}

static void mutex_handoff(const struct ask *ask)
{
    int64_t other = spawn(contender, (void *)ask);
    lock_and_yield(ask->warm_up);
    int64_t start = now_ns();
    lock_and_yield(ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    neco_join(other);
}

/* What is ready is a closed channel; the deadline is an argument of the call. */
static void with_timeout(const struct ask *ask)
{
    neco_chan *ready = new_channel(0);
    long item;
    neco_chan_close(ready);
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) neco_chan_recv_dl(ready, &item, neco_now() + NECO_HOUR);
    say_per_operation(now_ns() - start, ask->rounds);
}

static void greet(int argc, void *argv[])
{
    (void)argc;
    (void)argv;
    puts("hello");
}

static void hello(const struct ask *ask)
{
    (void)ask;
    neco_join(spawn(greet, NULL));
}

static void sleeper(int argc, void *argv[])
{
    unsigned short *seed = (unsigned short *)argv[0];
    (void)argc;
    neco_sleep((1 + nrand48(seed) % 1000) * NECO_MILLISECOND);
}

static void timers(const struct ask *ask)
{
    unsigned short seed[3] = {1, 2, 3};
    int64_t *tasks = tasks_of(ask);
    spawn_many(tasks, ask->count, sleeper, seed);
    int64_t cpu = cpu_ns(), start = now_ns();
    join_many(tasks, ask->count);
    say_cpu_and_wall(cpu_ns() - cpu, now_ns() - start);
}

static int over;

static void busy(int argc, void *argv[])
{
    (void)argc;
    (void)argv;
    while (!over) {
        wake_work();
        neco_yield();
    }
}

static void wake(const struct ask *ask)
{
    static struct wakes wakes;
    int64_t stamps[WAKE_STAMPS];
    ssize_t n;
    int64_t *tasks = tasks_of(ask);
    spawn_many(tasks, ask->count, busy, NULL);
    if (neco_write(STDIN_FILENO, "", 1) != 1) die("neco_write");
    while ((n = neco_read(STDIN_FILENO, stamps, sizeof stamps)) > 0) wake_note(&wakes, stamps, n);
    over = 1;
    join_many(tasks, ask->count);
    say_wakes(&wakes);
}

static void wait_in_vain(int argc, void *argv[])
{
    long item;
    (void)argc;
    neco_chan_recv((neco_chan *)argv[0], &item);
}

static int64_t cancel_parked(int64_t *tasks, long count, neco_chan *never)
{
    spawn_many(tasks, count, wait_in_vain, never);
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) neco_cancel(tasks[i]);
    join_many(tasks, count);
    return now_ns() - start;
}

static void cancel(const struct ask *ask)
{
    int64_t *tasks = tasks_of(ask);
    neco_chan *never = new_channel(0);
    int64_t ns = 0;
    cancel_parked(tasks, ask->count, never);
    for (long i = 0; i < ask->rounds; i++) ns += cancel_parked(tasks, ask->count, never);
    say_per_operation(ns, ask->rounds * ask->count);
}

static void memory(const struct ask *ask)
{
    spawn_many(tasks_of(ask), ask->count, wait_in_vain, new_channel(0));
    say_parked(ask);
}

static void serve(int argc, void *argv[])
{
    int fd = (int)(intptr_t)argv[0];
    char buffer[512];
    ssize_t n;
    (void)argc;
    while ((n = neco_read(fd, buffer, sizeof buffer)) > 0)
        if (neco_write(fd, buffer, (size_t)n) != n) break;
    close(fd);
}

static int listen_anywhere(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = neco_serve("tcp4", "127.0.0.1:0");
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &length)) die("neco_serve");
    say_port(ntohs(address.sin_port));
    return fd;
}

static void *take(int listener)
{
    int on = 1, fd = neco_accept(listener, NULL, NULL);
    if (fd < 0) die("neco_accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return (void *)(intptr_t)fd;
}

static void echo(const struct ask *ask)
{
    int64_t *tasks = tasks_of(ask);
    int listener = listen_anywhere();
    for (long i = 0; i < ask->count; i++) tasks[i] = spawn(serve, take(listener));
    join_many(tasks, ask->count);
}

/* Until it is killed. */
static void churn(const struct ask *ask)
{
    (void)ask;
    for (int listener = listen_anywhere();;) spawn(serve, take(listener));
}

static int run(int argc, char **argv)
{
    static const struct peer_case cases[] = {
        {"switch", ring},
        {"yield_1000", ring},
        {"yield_100000", ring},
        {"spawn_join", spawn_and_join},
        {"spawn_10000", spawn_and_join},
        {"chan_pingpong", pingpong},
        {"chan_stream", stream},
        {"chan_many", stream},
        {"select_2", choose},
        {"select_16", choose},
        {"select_128", choose},
        {"mutex_free", mutex_free},
        {"mutex_handoff", mutex_handoff},
        {"with_timeout_ready", with_timeout},
        {"wake_idle", wake},
        {"wake_busy", wake},
        {"startup", hello},
        {"timers", timers},
        {"cancel_1000", cancel},
        {"cancel_100000", cancel},
        {"memory_10000", memory},
        {"memory_100000", memory},
        {"memory_1000000", memory},
        {"echo_1", echo},
        {"echo_100", echo},
        {"echo_1000", echo},
        {"echo_5000", echo},
        {"churn", churn},
        {NULL, NULL},
    };
    return peer_main(argc, argv, "of unknown version", cases);
}

static int result;

static void first(int argc, void *argv[])
{
    (void)argc;
    result = run(*(int *)argv[0], *(char ***)argv[1]);
}

int main(int argc, char **argv)
{
    must(neco_start(first, 2, &argc, &argv));
    return result;
}

/* SPDX-License-Identifier: MIT */
/* dill.c: libdill. Its channels have no buffer, and it has no mutex. Its sockets read as many bytes
 * as asked for and no fewer, so the servers wait by fdin and fdout. While any coroutine is ready it looks
 * for descriptors and timers once a second: it is not asked for wake_busy. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "peer.h"

/* Its names are macros, `now` and `yield` among them. */
#include <libdill.h>

/* A stack of its own has a guard and so takes two mappings, of which Linux allows 65 530. */
enum { STACK = 64 * 1024, GUARDED_MOST = 30000, HOUR_MS = 3600000 };

typedef void routine(void *arg);

/* Where many tasks have their stacks, without guards; NULL for a few, which get libdill's. */
static char *stacks_for(long count)
{
    if (count <= GUARDED_MOST) return NULL;
    char *stacks = (char *)mmap(NULL, (size_t)count * STACK, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) die("mmap");
    return stacks;
}

/* A function of its own, because what is spawned begins in the frame of its spawner. */
static coroutine void spawn_on(int bundle, routine *fn, void *arg, char *stack)
{
    if (bundle_go_mem(bundle, fn(arg), stack, STACK) < 0) die("bundle_go");
}

static void spawn(int bundle, routine *fn, void *arg)
{
    spawn_on(bundle, fn, arg, NULL);
}

static void spawn_many(int bundle, long count, routine *fn, void *arg, char *stacks)
{
    for (long i = 0; i < count; i++) spawn_on(bundle, fn, arg, stacks ? stacks + i * STACK : NULL);
}

static int open_bundle(void)
{
    int tasks = bundle();
    if (tasks < 0) die("bundle");
    return tasks;
}

static void join(int tasks)
{
    if (bundle_wait(tasks, -1)) die("bundle_wait");
    hclose(tasks);
}

static void open_channel(int ends[2])
{
    if (chmake(ends)) die("chmake");
}

static void close_channel(const int ends[2])
{
    hclose(ends[0]);
    hclose(ends[1]);
}

struct ring {
    const struct ask *ask;
    int gate[2];
};

/* A new coroutine runs at once, and all ready ones run before the next is spawned. */
static void yielder(void *arg)
{
    const struct ring *ring = (const struct ring *)arg;
    char none;
    chrecv(ring->gate[1], &none, sizeof none, -1);
    for (long i = 0; i < ring->ask->warm_up + ring->ask->rounds; i++) yield();
}

/* One turn of this one is a turn of every task. */
static void ring(const struct ask *ask)
{
    struct ring ring = {.ask = ask};
    int tasks = open_bundle();
    open_channel(ring.gate);
    spawn_many(tasks, ask->count - 1, yielder, &ring, stacks_for(ask->count));
    chdone(ring.gate[0]);
    for (long i = 0; i < ask->warm_up; i++) yield();
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) yield();
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    join(tasks);
    close_channel(ring.gate);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void spawn_and_join(const struct ask *ask)
{
    int64_t start = 0;
    for (long i = -1; i < ask->rounds; i++) {
        if (i == 0) start = now_ns();
        int tasks = open_bundle();
        spawn_many(tasks, ask->count, nothing, NULL, NULL);
        join(tasks);
    }
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
}

static void group(const struct ask *ask)
{
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) join(open_bundle());
    say_per_operation(now_ns() - start, ask->rounds);
}

struct wire {
    const struct ask *ask;
    int there[2], back[2];
};

static void answer(void *arg)
{
    const struct wire *wire = (const struct wire *)arg;
    long item;
    for (long i = 0; i < wire->ask->warm_up + wire->ask->rounds; i++) {
        chrecv(wire->there[1], &item, sizeof item, -1);
        chsend(wire->back[0], &item, sizeof item, -1);
    }
}

static void ask_and_hear(const struct wire *wire, long times)
{
    long item;
    for (long i = 0; i < times; i++) {
        chsend(wire->there[0], &i, sizeof i, -1);
        chrecv(wire->back[1], &item, sizeof item, -1);
    }
}

static void pingpong(const struct ask *ask)
{
    struct wire wire = {.ask = ask};
    int tasks = open_bundle();
    open_channel(wire.there);
    open_channel(wire.back);
    spawn(tasks, answer, &wire);
    ask_and_hear(&wire, ask->warm_up);
    int64_t start = now_ns();
    ask_and_hear(&wire, ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * 2);
    join(tasks);
}

/* What is ready is a channel that is done; the deadline is an argument of the call. */
static void with_timeout(const struct ask *ask)
{
    int ready[2];
    char none;
    open_channel(ready);
    chdone(ready[0]);
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) chrecv(ready[1], &none, sizeof none, now() + HOUR_MS);
    say_per_operation(now_ns() - start, ask->rounds);
}

static void greet(void *arg)
{
    (void)arg;
    puts("hello");
}

static void hello(const struct ask *ask)
{
    (void)ask;
    int tasks = open_bundle();
    spawn(tasks, greet, NULL);
    join(tasks);
}

static void sleeper(void *arg)
{
    unsigned short *seed = (unsigned short *)arg;
    msleep(now() + 1 + nrand48(seed) % 1000);
}

static void timers(const struct ask *ask)
{
    unsigned short seed[3] = {1, 2, 3};
    int tasks = open_bundle();
    spawn_many(tasks, ask->count, sleeper, seed, stacks_for(ask->count));
    int64_t cpu = cpu_ns(), start = now_ns();
    join(tasks);
    say_cpu_and_wall(cpu_ns() - cpu, now_ns() - start);
}

static void wake(const struct ask *ask)
{
    static struct wakes wakes;
    int64_t stamps[WAKE_STAMPS];
    ssize_t n;
    (void)ask;
    if (write(STDIN_FILENO, "", 1) != 1) die("write");
    while (!fdin(STDIN_FILENO, -1) && (n = read(STDIN_FILENO, stamps, sizeof stamps)) > 0)
        wake_note(&wakes, stamps, n);
    say_wakes(&wakes);
}

static void wait_in_vain(void *arg)
{
    const int *never = (const int *)arg;
    char none;
    chrecv(never[1], &none, sizeof none, -1);
}

/* Closing the bundle cancels and awaits one after the other. */
static int64_t cancel_parked(long count, int *never, char *stacks)
{
    int tasks = open_bundle();
    spawn_many(tasks, count, wait_in_vain, never, stacks);
    int64_t start = now_ns();
    hclose(tasks);
    return now_ns() - start;
}

static void cancel(const struct ask *ask)
{
    char *stacks = stacks_for(ask->count);
    int never[2];
    int64_t ns = 0;
    open_channel(never);
    cancel_parked(ask->count, never, stacks);
    for (long i = 0; i < ask->rounds; i++) ns += cancel_parked(ask->count, never, stacks);
    say_per_operation(ns, ask->rounds * ask->count);
}

static void memory(const struct ask *ask)
{
    int never[2];
    open_channel(never);
    spawn_many(open_bundle(), ask->count, wait_in_vain, never, stacks_for(ask->count));
    say_parked(ask);
}

static ssize_t receive(int fd, char *buffer, size_t size)
{
    ssize_t n;
    while ((n = recv(fd, buffer, size, 0)) < 0 && errno == EAGAIN)
        if (fdin(fd, -1)) break;
    return n;
}

static bool send_all(int fd, const char *bytes, size_t size)
{
    for (ssize_t n; size; bytes += n, size -= (size_t)n)
        while ((n = send(fd, bytes, size, MSG_NOSIGNAL)) < 0)
            if (errno != EAGAIN || fdout(fd, -1)) return false;
    return true;
}

static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[512];
    ssize_t n;
    while ((n = receive(fd, buffer, sizeof buffer)) > 0)
        if (!send_all(fd, buffer, (size_t)n)) break;
    fdclean(fd);
    close(fd);
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 0};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, SOMAXCONN) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        die("listen");
    say_port(ntohs(address.sin_port));
    return fd;
}

static int take(int listener)
{
    int on = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
        if (errno != EAGAIN || fdin(listener, -1)) die("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void echo(const struct ask *ask)
{
    int tasks = open_bundle(), listener = listen_anywhere();
    for (long i = 0; i < ask->count; i++) spawn(tasks, serve, (void *)(intptr_t)take(listener));
    join(tasks);
}

/* Until it is killed. */
static void churn(const struct ask *ask)
{
    (void)ask;
    int tasks = open_bundle(), listener = listen_anywhere();
    for (;;) spawn(tasks, serve, (void *)(intptr_t)take(listener));
}

int main(int argc, char **argv)
{
    static const struct peer_case cases[] = {
        {"switch", ring},
        {"yield_1000", ring},
        {"yield_100000", ring},
        {"spawn_join", spawn_and_join},
        {"spawn_10000", spawn_and_join},
        {"group", group},
        {"chan_pingpong", pingpong},
        {"with_timeout_ready", with_timeout},
        {"wake_idle", wake},
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
    char version[32];
    snprintf(version, sizeof version, "ABI %d.%d.%d", DILL_VERSION_CURRENT, DILL_VERSION_REVISION,
             DILL_VERSION_AGE);
    return peer_main(argc, argv, version, cases);
}

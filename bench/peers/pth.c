/* SPDX-License-Identifier: MIT */
/* pth.c: GNU Pth. Its scheduler walks through all threads, so it is not asked for the cases with
 * 10 000 and more; it watches descriptors by select, which ends near 1 000. It has no channels. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pth.h>
#include <sys/socket.h>

#include "peer.h"

enum { STACK = 64 * 1024 };

static pth_attr_t attributes;

static pth_t spawn(void *(*fn)(void *arg), void *arg)
{
    pth_t thread = pth_spawn(attributes, fn, arg);
    if (!thread) die("pth_spawn");
    return thread;
}

static void spawn_many(pth_t *threads, long count, void *(*fn)(void *arg), void *arg)
{
    for (long i = 0; i < count; i++) threads[i] = spawn(fn, arg);
}

static void join_many(pth_t *threads, long count)
{
    for (long i = 0; i < count; i++) pth_join(threads[i], NULL);
}

static pth_t *threads_of(const struct ask *ask)
{
    return (pth_t *)calloc((size_t)ask->count, sizeof(pth_t));
}

static void *yielder(void *arg)
{
    const struct ask *ask = (const struct ask *)arg;
    for (long i = 0; i < ask->warm_up + ask->rounds; i++) pth_yield(NULL);
    return NULL;
}

/* One turn of this one is a turn of every task. */
static void ring(const struct ask *ask)
{
    pth_t *threads = threads_of(ask);
    spawn_many(threads, ask->count - 1, yielder, (void *)ask);
    for (long i = 0; i < ask->warm_up; i++) pth_yield(NULL);
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) pth_yield(NULL);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    join_many(threads, ask->count - 1);
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_and_join(const struct ask *ask)
{
    int64_t start = 0;
    for (long i = -1; i < ask->rounds; i++) {
        if (i == 0) start = now_ns();
        pth_join(spawn(nothing, NULL), NULL);
    }
    say_per_operation(now_ns() - start, ask->rounds);
}

static pth_mutex_t mutex = PTH_MUTEX_INIT;

static void lock_and_yield(long times)
{
    for (long i = 0; i < times; i++) {
        pth_mutex_acquire(&mutex, FALSE, NULL);
        pth_yield(NULL);
        pth_mutex_release(&mutex);
    }
}

static void *contender(void *arg)
{
    const struct ask *ask = (const struct ask *)arg;
    lock_and_yield(ask->warm_up + ask->rounds);
    return NULL;
}

static void mutex_handoff(const struct ask *ask)
{
    pth_t other = spawn(contender, (void *)ask);
    lock_and_yield(ask->warm_up);
    int64_t start = now_ns();
    lock_and_yield(ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    pth_join(other, NULL);
}

static pth_mutex_t gate = PTH_MUTEX_INIT;
static pth_cond_t never = PTH_COND_INIT;

static void *wait_in_vain(void *arg)
{
    pth_mutex_acquire(&gate, FALSE, NULL);
    pth_cond_await(&never, &gate, NULL);
    return arg;
}

static int64_t cancel_parked(pth_t *threads, long count)
{
    spawn_many(threads, count, wait_in_vain, NULL);
    pth_yield(NULL);
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) pth_cancel(threads[i]);
    join_many(threads, count);
    return now_ns() - start;
}

static void cancel(const struct ask *ask)
{
    pth_t *threads = threads_of(ask);
    int64_t ns = 0;
    cancel_parked(threads, ask->count);
    for (long i = 0; i < ask->rounds; i++) ns += cancel_parked(threads, ask->count);
    say_per_operation(ns, ask->rounds * ask->count);
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[512];
    ssize_t n;
    while ((n = pth_read(fd, buffer, sizeof buffer)) > 0)
        if (pth_write(fd, buffer, (size_t)n) != n) break;
    close(fd);
    return NULL;
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 0};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, SOMAXCONN) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        die("listen");
    say_port(ntohs(address.sin_port));
    return fd;
}

static void echo(const struct ask *ask)
{
    pth_t *threads = threads_of(ask);
    int listener = listen_anywhere();
    for (long i = 0; i < ask->count; i++) {
        int on = 1;
        int fd = pth_accept(listener, NULL, NULL);
        if (fd < 0) die("pth_accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        threads[i] = spawn(serve, (void *)(intptr_t)fd);
    }
    join_many(threads, ask->count);
}

int main(int argc, char **argv)
{
    static const struct peer_case cases[] = {
        {"switch", ring},
        {"yield_1000", ring},
        {"spawn_join", spawn_and_join},
        {"mutex_handoff", mutex_handoff},
        {"cancel_1000", cancel},
        {"echo_1", echo},
        {"echo_100", echo},
        {NULL, NULL},
    };
    char version[32];
    pth_init();
    attributes = pth_attr_new();
    pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, STACK);
    snprintf(version, sizeof version, "%lx.%lx.%lx", pth_version() >> 20,
             pth_version() >> 12 & 0xff, pth_version() & 0xff);
    return peer_main(argc, argv, version, cases);
}

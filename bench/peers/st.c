/* SPDX-License-Identifier: MIT */
/* st.c: State Threads. It has no yield: a sleep of 0 is what its users take. It has no channels.
 * Debian's is built without epoll, and its select ends at a thousand descriptors, so it is not asked
 * for more connections. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <st.h>
#include <sys/epoll.h>

#include "peer.h"

enum { STACK = 64 * 1024 };

static st_thread_t start(void *(*fn)(void *arg), void *arg, int joinable)
{
    st_thread_t thread = st_thread_create(fn, arg, joinable, STACK);
    if (!thread) die("st_thread_create");
    return thread;
}

static st_thread_t spawn(void *(*fn)(void *arg), void *arg)
{
    return start(fn, arg, 1);
}

static void spawn_many(st_thread_t *threads, long count, void *(*fn)(void *arg), void *arg)
{
    for (long i = 0; i < count; i++) threads[i] = spawn(fn, arg);
}

static void join_many(st_thread_t *threads, long count)
{
    for (long i = 0; i < count; i++) st_thread_join(threads[i], NULL);
}

static st_thread_t *threads_of(const struct ask *ask)
{
    return (st_thread_t *)calloc((size_t)ask->count, sizeof(st_thread_t));
}

static void *yielder(void *arg)
{
    const struct ask *ask = (const struct ask *)arg;
    for (long i = 0; i < ask->warm_up + ask->rounds; i++) st_usleep(0);
    return NULL;
}

/* One turn of this one is a turn of every task. */
static void ring(const struct ask *ask)
{
    st_thread_t *threads = threads_of(ask);
    spawn_many(threads, ask->count - 1, yielder, (void *)ask);
    for (long i = 0; i < ask->warm_up; i++) st_usleep(0);
    int64_t start = now_ns();
    for (long i = 0; i < ask->rounds; i++) st_usleep(0);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    join_many(threads, ask->count - 1);
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_and_join(const struct ask *ask)
{
    st_thread_t *threads = threads_of(ask);
    int64_t start = 0;
    for (long i = -1; i < ask->rounds; i++) {
        if (i == 0) start = now_ns();
        spawn_many(threads, ask->count, nothing, NULL);
        join_many(threads, ask->count);
    }
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
}

static st_mutex_t mutex;

static void lock_and_yield(long times)
{
    for (long i = 0; i < times; i++) {
        st_mutex_lock(mutex);
        st_usleep(0);
        st_mutex_unlock(mutex);
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
    mutex = st_mutex_new();
    st_thread_t other = spawn(contender, (void *)ask);
    lock_and_yield(ask->warm_up);
    int64_t start = now_ns();
    lock_and_yield(ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    st_thread_join(other, NULL);
}

static void *greet(void *arg)
{
    puts("hello");
    return arg;
}

static void hello(const struct ask *ask)
{
    (void)ask;
    st_thread_join(spawn(greet, NULL), NULL);
}

static void *sleeper(void *arg)
{
    unsigned short *seed = (unsigned short *)arg;
    st_usleep((st_utime_t)(1 + nrand48(seed) % 1000) * 1000);
    return NULL;
}

static void timers(const struct ask *ask)
{
    unsigned short seed[3] = {1, 2, 3};
    st_thread_t *threads = threads_of(ask);
    spawn_many(threads, ask->count, sleeper, seed);
    int64_t cpu = cpu_ns(), start = now_ns();
    join_many(threads, ask->count);
    say_cpu_and_wall(cpu_ns() - cpu, now_ns() - start);
}

static int over;

static void *busy(void *arg)
{
    while (!over) {
        wake_work();
        st_usleep(0);
    }
    return arg;
}

static void wake(const struct ask *ask)
{
    static struct wakes wakes;
    int64_t stamps[WAKE_STAMPS];
    ssize_t n;
    st_thread_t *threads = threads_of(ask);
    st_netfd_t waker = st_netfd_open_socket(STDIN_FILENO);
    spawn_many(threads, ask->count, busy, NULL);
    if (st_write(waker, "", 1, ST_UTIME_NO_TIMEOUT) != 1) die("st_write");
    while ((n = st_read(waker, stamps, sizeof stamps, ST_UTIME_NO_TIMEOUT)) > 0)
        wake_note(&wakes, stamps, n);
    over = 1;
    join_many(threads, ask->count);
    say_wakes(&wakes);
}

static void *wait_in_vain(void *arg)
{
    st_cond_wait((st_cond_t)arg);
    return NULL;
}

static int64_t cancel_parked(st_thread_t *threads, long count, st_cond_t never)
{
    spawn_many(threads, count, wait_in_vain, never);
    st_usleep(0);
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) st_thread_interrupt(threads[i]);
    join_many(threads, count);
    return now_ns() - start;
}

static void cancel(const struct ask *ask)
{
    st_thread_t *threads = threads_of(ask);
    st_cond_t never = st_cond_new();
    int64_t ns = 0;
    cancel_parked(threads, ask->count, never);
    for (long i = 0; i < ask->rounds; i++) ns += cancel_parked(threads, ask->count, never);
    say_per_operation(ns, ask->rounds * ask->count);
}

static void memory(const struct ask *ask)
{
    spawn_many(threads_of(ask), ask->count, wait_in_vain, st_cond_new());
    st_usleep(0);
    say_parked(ask);
}

static void *serve(void *arg)
{
    st_netfd_t connection = (st_netfd_t)arg;
    char buffer[512];
    ssize_t n;
    while ((n = st_read(connection, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(connection, buffer, (size_t)n, ST_UTIME_NO_TIMEOUT) != n) break;
    st_netfd_close(connection);
    return NULL;
}

static st_netfd_t listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 0};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, SOMAXCONN) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        die("listen");
    say_port(ntohs(address.sin_port));
    return st_netfd_open_socket(fd);
}

static st_netfd_t take(st_netfd_t listener)
{
    int on = 1;
    st_netfd_t connection = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
    if (!connection) die("st_accept");
    setsockopt(st_netfd_fileno(connection), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return connection;
}

static void echo(const struct ask *ask)
{
    st_thread_t *threads = threads_of(ask);
    st_netfd_t listener = listen_anywhere();
    for (long i = 0; i < ask->count; i++) threads[i] = spawn(serve, take(listener));
    join_many(threads, ask->count);
}

/* Until it is killed. */
static void churn(const struct ask *ask)
{
    (void)ask;
    for (st_netfd_t listener = listen_anywhere();;) start(serve, take(listener), 0);
}

int main(int argc, char **argv)
{
    static const struct peer_case cases[] = {
        {"switch", ring},
        {"yield_1000", ring},
        {"yield_100000", ring},
        {"spawn_join", spawn_and_join},
        {"spawn_10000", spawn_and_join},
        {"mutex_handoff", mutex_handoff},
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
        {"churn", churn},
        {NULL, NULL},
    };
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init()) die("st_init");
    return peer_main(argc, argv, "1.9", cases);
}

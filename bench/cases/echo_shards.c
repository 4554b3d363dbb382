/* SPDX-License-Identifier: MIT */
/* echo_shards.c: the echo server on two threads, one runtime each, against the same on one. Every
 * shard listens on one port (SO_REUSEPORT), so the kernel deals the connections out, by a hash:
 * seldom half and half. Unlike the other echo servers this one may use every CPU. */
#include "cases.h"
#include "harness/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

struct server {
    const struct load_plan *plan;
    int port_fd;
    unsigned shards;
    uint16_t port;
    nido_xsem *listening; /* a permit for each shard that is */
    nido_xevent *over;    /* the last connection has ended */
    long ended;           /* connections; atomic */
};

struct connection {
    struct server *server;
    int fd;
};

static int echo(void *arg)
{
    struct connection *connection = arg;
    struct server *server = connection->server;
    char buffer[LOAD_SERVER_BUFFER];
    int fd = connection->fd;
    ssize_t n = nido_read(fd, buffer, sizeof buffer);
    while (n > 0 && !nido_write_all(fd, buffer, (size_t)n, NULL))
        n = nido_read(fd, buffer, sizeof buffer);
    nido_close(fd);
    if (__atomic_add_fetch(&server->ended, 1, __ATOMIC_RELAXED) == server->plan->connections)
        nido_xevent_set(server->over);
    return 0;
}

static int accept_one(nido_group *group, struct server *server, int listener)
{
    int on = 1;
    struct connection connection = {server, nido_accept(listener, NULL, NULL)};
    if (connection.fd < 0) return connection.fd;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int rc = nido_spawn_copy(group, echo, &connection, sizeof connection);
    if (rc < 0) nido_close(connection.fd);
    return rc;
}

static int serve(struct server *server, int listener)
{
    nido_group group;
    int rc = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, "connections");
    while (rc == 0) rc = accept_one(&group, server, listener);
    return nido_group_close(&group, rc);
}

static int listen_and_serve(void *arg)
{
    struct server *server = arg;
    nido_listen_options options;
    char port[8];
    nido_listen_options_init(&options);
    options.reuse_port = true;
    snprintf(port, sizeof port, "%u", (unsigned)server->port);
    int listener = nido_listen("127.0.0.1", port, &options);
    if (listener < 0) return listener;
    nido_xsem_release(server->listening, 1);
    int rc = serve(server, listener);
    nido_close(listener);
    return rc;
}

static int announce(struct server *server)
{
    int rc = 0;
    for (unsigned i = 0; i < server->shards && !rc; i++) rc = nido_xsem_acquire(server->listening);
    return rc ? rc : load_tell_port(server->port_fd, server->port);
}

static int run_shard(unsigned shard, void *arg)
{
    struct server *server = arg;
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "shard");
    int rc = nido_spawn(&group, listen_and_serve, server);
    if (!rc && shard == 0) rc = announce(server);
    if (!rc) rc = nido_xevent_wait(server->over);
    if (!rc) nido_group_cancel(&group, 0, "all connections have ended");
    return nido_group_close(&group, rc);
}

/* A port that no other program gets: a socket that is bound to it, and does not listen. */
static int reserve_port(uint16_t *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) ||
        bind(fd, (struct sockaddr *)&address, sizeof address) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        return -errno;
    *out = ntohs(address.sin_port);
    return fd;
}

static void use_every_cpu(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* those that there are */
}

static int run(const struct load_plan *plan, int port_fd, unsigned shards)
{
    struct server server = {.plan = plan, .port_fd = port_fd, .shards = shards};
    int fd = reserve_port(&server.port);
    if (fd < 0) return fd;
    use_every_cpu();
    int rc = nido_xsem_new(0, &server.listening);
    if (!rc) rc = nido_xevent_new(&server.over);
    if (!rc) rc = nido_shards(shards, run_shard, &server, NULL);
    nido_xevent_free(server.over);
    nido_xsem_free(server.listening);
    close(fd);
    return rc;
}

static int on_two(const struct load_plan *plan, int port_fd)
{
    return run(plan, port_fd, 2);
}

static int on_one(const struct load_plan *plan, int port_fd)
{
    return run(plan, port_fd, 1);
}

static void measure_with(load_server *server, const struct bench_ask *ask, struct bench_sample *out)
{
    struct load_plan plan = {.connections = ask->count, .seconds = ask->seconds, .name = ask->name};
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        bench_skip(out, "two threads need two CPUs");
    else
        load_measure(&plan, server, out);
}

static void measure(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_with(on_two, ask, out);
}

static void measure_one(const struct bench_ask *ask, struct bench_sample *out)
{
    measure_with(on_one, ask, out);
}

const struct bench_case case_echo_shards = {
    .name = "echo_shards",
    .what = "TCP echo, 100 connections, nido on 2 threads; as the floor: nido on 1 thread",
    .count = 100,
    .rounds = 1,
    .nido = measure,
    .floor = measure_one,
    .metrics = {[LOAD_CPU_US] = {.unit = "us CPU/req"},
                [LOAD_REQUESTS] = {.name = "rate", .unit = "req/s", .more_is_better = true},
                [LOAD_P50_US] = {.name = "p50", .unit = "us"},
                [LOAD_P99_US] = {.name = "p99", .unit = "us"},
                [LOAD_P999_US] = {.name = "p999", .unit = "us"}},
};

/* SPDX-License-Identifier: MIT */
/* load.c: a closed-loop load on a server, edge-triggered on epoll, the same for every server.
 *
 * 1. It runs on the second CPU, the server on the first; from about a hundred connections on both
 *    are busy all the time, so requests per second say as much of this file as of the server. The
 *    server's own figure is its CPU time per request, which is read here, from the scheduler's
 *    account of its process, at both ends of the measured time.
 * 2. Every latency is kept, so the percentiles are exact.
 * 3. Connections are closed by a reset: no port is left in TIME_WAIT, which a churn would soon run
 *    out of. */
#include "load.h"
#include "handshakes.h"
#include "redis.h"
#include "stats.h"
#include "trace.h"
#include "wrk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD_PORT_LINE "{\"port\": %" SCNu16 "}"

struct connection {
    int fd;
    size_t missing; /* bytes of the echo that are still to come */
    int64_t sent;
};

struct load {
    const struct load_plan *plan;
    struct connection *connections;
    uint16_t port;
    int epoll;
    int err; /* the first error, a negated errno */
    clockid_t server_clock;
    struct trace_count *calls; /* of the server; NULL if it is not traced */
    double *latencies;         /* us */
    size_t count, room;
};

static int dial(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct linger reset = {.l_onoff = 1};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        int err = -errno;
        close(fd);
        return err;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return fd;
}

static int connect_one(struct load *load, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = connection};
    connection->fd = dial(load->port);
    if (connection->fd < 0) return connection->fd;
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) ? -errno : 0;
}

static int dial_all(struct load *load)
{
    int err = 0;
    for (long i = 0; i < load->plan->connections && !err; i++)
        err = connect_one(load, &load->connections[i]);
    return err;
}

static int ask(struct connection *connection)
{
    static const char message[LOAD_MESSAGE] = "nido";
    connection->missing = LOAD_MESSAGE;
    connection->sent = bench_now();
    ssize_t n = send(connection->fd, message, sizeof message, MSG_NOSIGNAL);
    if (n == LOAD_MESSAGE) return 0;
    return n < 0 ? -errno : -EPROTO;
}

/* Its time begins with the dialling. */
static int replace(struct load *load, struct connection *connection)
{
    close(connection->fd);
    int64_t start = bench_now();
    int err = connect_one(load, connection);
    if (!err) err = ask(connection);
    connection->sent = start;
    return err;
}

static void keep(struct load *load, int64_t ns)
{
    if (load->count == load->room) {
        size_t room = load->room ? load->room * 2 : 1 << 16;
        double *more = realloc(load->latencies, room * sizeof *more);
        if (!more) {
            load->err = -ENOMEM;
            return;
        }
        load->latencies = more;
        load->room = room;
    }
    load->latencies[load->count++] = (double)ns / 1000;
}

/* Takes what has come; a whole echo is counted and answered by the next request. */
static int answer(struct load *load, struct connection *connection)
{
    char echo[LOAD_MESSAGE];
    ssize_t n = recv(connection->fd, echo, connection->missing, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN ? 0 : -errno;
    if (n == 0) return -EPIPE;
    connection->missing -= (size_t)n;
    if (connection->missing) return 0;
    keep(load, bench_now() - connection->sent);
    return load->plan->kind == LOAD_CHURN ? replace(load, connection) : ask(connection);
}

static void turn(struct load *load)
{
    enum { EVENTS = 256, PATIENCE_MS = 5000 };
    struct epoll_event events[EVENTS];
    int n = epoll_wait(load->epoll, events, EVENTS, PATIENCE_MS);
    if (n <= 0) load->err = n ? -errno : -ETIMEDOUT;
    for (int i = 0; i < n && !load->err; i++) load->err = answer(load, events[i].data.ptr);
}

static void drive(struct load *load, int64_t until)
{
    while (!load->err && bench_now() < until) turn(load);
}

/* What the server has used so far. */
struct account {
    int64_t cpu;
    long calls, polls;
};

static struct account read_account(const struct load *load)
{
    struct account account = {.cpu = bench_clock(load->server_clock)};
    if (!load->calls) return account;
    account.calls = load->calls->calls;
    account.polls = load->calls->polls;
    return account;
}

static void report_trace(const struct load *load, const struct account *before,
                         struct bench_sample *out)
{
    struct account after = read_account(load);
    out->values[LOAD_CALLS] = (double)(after.calls - before->calls) / (double)load->count;
    out->values[LOAD_POLLS] = (double)(after.polls - before->polls) / (double)load->count;
}

static void report(struct load *load, const struct account *before, struct bench_sample *out)
{
    double *us = load->latencies;
    double requests = (double)load->count;
    int64_t cpu = read_account(load).cpu - before->cpu;
    stats_sort(us, load->count);
    out->values[LOAD_CPU_US] = (double)cpu / 1000 / requests;
    out->values[LOAD_REQUESTS] = requests / ((double)out->ns / 1e9);
    out->values[LOAD_P50_US] = stats_percentile(us, load->count, 50);
    out->values[LOAD_P99_US] = stats_percentile(us, load->count, 99);
    out->values[LOAD_P999_US] = stats_percentile(us, load->count, 99.9);
}

int load_tell_port(int port_fd, uint16_t port)
{
    return dprintf(port_fd, LOAD_PORT_LINE "\n", port) > 0 ? 0 : -errno;
}

int load_listen(int port_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int err = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, SOMAXCONN) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        err = -errno;
    if (!err) err = load_tell_port(port_fd, ntohs(address.sin_port));
    if (err) close(fd);
    return err ? err : fd;
}

int load_program(const struct load_plan *plan, int port_fd)
{
    dup2(port_fd, STDOUT_FILENO);
    execv(plan->program[0], plan->program);
    return -errno;
}

/* Where the server listens; 0 if it ended without a word. */
static uint16_t hear_port(int fd)
{
    char line[64] = "";
    uint16_t port = 0;
    ssize_t n = read(fd, line, sizeof line - 1);
    if (n > 0 && sscanf(line, LOAD_PORT_LINE, &port) < 1)
        sscanf(line, "listening on port %" SCNu16, &port);
    return port;
}

/* Warm-up, then the measured time. */
static void play(struct load *load, struct bench_sample *out)
{
    int64_t length = (int64_t)(load->plan->seconds * 1e9);
    for (long i = 0; i < load->plan->connections && !load->err; i++)
        load->err = ask(&load->connections[i]);
    drive(load, bench_now() + length / 4);
    load->count = 0;
    int64_t start = bench_now();
    struct account before = read_account(load);
    drive(load, start + length);
    out->ns = bench_now() - start;
    if (load->err) {
        bench_fail(out, "the load stopped: %s", strerror(-load->err));
    } else if (!load->count) {
        bench_fail(out, "no request was answered in time");
    } else {
        out->outcome = BENCH_MEASURED;
        if (load->calls)
            report_trace(load, &before, out);
        else
            report(load, &before, out);
    }
}

static void hang_up(struct load *load)
{
    for (long i = 0; i < load->plan->connections && load->connections[i].fd > 0; i++)
        close(load->connections[i].fd);
    close(load->epoll);
}

/* What the server's process is given. */
struct service {
    const struct load_plan *plan;
    load_server *server;
    int port_fd;
    struct trace_count *calls; /* NULL: not traced */
};

static void run_load(const struct service *service, pid_t pid, uint16_t port,
                     struct bench_sample *out)
{
    const struct load_plan *plan = service->plan;
    struct load load = {
        .plan = plan, .port = port, .epoll = epoll_create1(EPOLL_CLOEXEC), .calls = service->calls};
    load.connections = calloc((size_t)plan->connections, sizeof *load.connections);
    if (!load.connections || clock_getcpuclockid(pid, &load.server_clock)) {
        bench_fail(out, "no memory, or no CPU clock of the server");
        return;
    }
    load.err = dial_all(&load);
    play(&load, out);
    hang_up(&load);
    free(load.connections);
    free(load.latencies);
}

static int serve(void *arg)
{
    const struct service *service = arg;
    int rc = service->server(service->plan, service->port_fd);
    if (rc < 0) fprintf(stderr, "nido-bench: the server ended: %s\n", strerror(-rc));
    return rc < 0;
}

/* The server's process, or its tracer; it must not outlive the load's. */
static _Noreturn void be_server(struct service *service)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin(0);
    _exit(service->calls ? trace_run(serve, service, service->calls) : serve(service));
}

/* After a good run of echoes all ends of the connections are closed and it ends by itself; after a
 * bad one it may wait for connections that never come. The servers of the other kinds never end. */
static void await_end(const struct load_plan *plan, pid_t server, struct bench_sample *out)
{
    bool ends = plan->kind == LOAD_ECHO && out->outcome == BENCH_MEASURED;
    int status;
    if (!ends) kill(server, SIGKILL);
    waitpid(server, &status, 0);
    if (ends && status) bench_fail(out, "the server's process ended with status %d", status);
}

/* True if everything that the plan needs is there; else the sample says what is not. */
static bool prepare(struct service *service, struct bench_sample *out)
{
    enum { CHURN_ROOM = 4 }; /* some are closed here and not yet there */
    long room = service->plan->kind == LOAD_CHURN ? CHURN_ROOM : 1;
    if (!bench_want_fds(room * service->plan->connections, out)) return false;
    if (!service->plan->trace) return true;
    if (!trace_allowed()) {
        bench_skip(out, "processes may not be traced here");
        return false;
    }
    service->calls = trace_count_new();
    return service->calls != NULL;
}

static void ask_server(const struct service *service, pid_t pid, uint16_t port,
                       struct bench_sample *out)
{
    switch (service->plan->kind) {
    case LOAD_ECHO:
    case LOAD_CHURN:
        run_load(service, pid, port, out);
        break;
    case LOAD_HTTP:
    case LOAD_HTTPS:
        wrk_run(service->plan, pid, port, out);
        break;
    case LOAD_HANDSHAKES:
#if BENCH_TLS
        handshakes_run(service->plan, pid, port, out);
#endif
        break;
    case LOAD_REDIS:
        redis_run(service->plan, pid, port, out);
        break;
    }
}

void load_measure(const struct load_plan *plan, load_server *server, struct bench_sample *out)
{
    struct service service = {.plan = plan, .server = server};
    int ends[2];
    if (!prepare(&service, out)) return;
    if (pipe(ends)) {
        bench_fail(out, "pipe: %s", strerror(errno));
        return;
    }
    service.port_fd = ends[1];
    pid_t pid = fork();
    if (pid == 0) be_server(&service);
    close(ends[1]);
    bench_pin(1);
    uint16_t port = hear_port(ends[0]);
    if (port)
        ask_server(&service, pid, port, out);
    else
        bench_fail(out, "the server did not start");
    close(ends[0]);
    await_end(plan, pid, out);
}

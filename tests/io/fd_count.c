/* SPDX-License-Identifier: MIT */
/* What input and output cost, in calls to the kernel, and that nothing grows or is lost in many
 * rounds. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

enum { MESSAGES = 100, ROUNDS = 10000 };

static int listener, server, client;
static struct sockaddr_storage address;
static socklen_t length;

/* A connected pair of TCP sockets, both owned. */
static void connect_both(void)
{
    length = sizeof address;
    listener = nido_listen("127.0.0.1", "0", NULL);
    cr_assert(eq(int, getsockname(listener, (struct sockaddr *)&address, &length), 0));
    client = nido_socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(eq(int, nido_connect(client, (struct sockaddr *)&address, length), 0));
    server = nido_accept(listener, NULL, NULL);
    cr_assert(ge(int, server, 0));
}

static void close_all(void)
{
    nido_close(listener);
    nido_close(server);
    nido_close(client);
}

static int echo(void *unused)
{
    char message[256];
    ssize_t n;

    (void)unused;
    while ((n = nido_read(server, message, sizeof message)) > 0)
        if (nido_write_all(server, message, (size_t)n, NULL) != 0) return -EIO;
    return (int)n;
}

static int ask(void *unused)
{
    char message[256] = {0};

    (void)unused;
    for (int i = 0; i < MESSAGES; i++) {
        cr_expect(eq(int, (int)nido_write(client, message, 64), 64));
        cr_expect(eq(int, (int)nido_read(client, message, sizeof message), 64));
    }
    return shutdown(client, SHUT_WR);
}

/* Everything that moves bytes or asks about descriptors; waits are not in it. */
static unsigned long calls(void)
{
    return faults_count(FAULT_read) + faults_count(FAULT_recv) + faults_count(FAULT_send) +
           faults_count(FAULT_write) + faults_count(FAULT_poll) +
           faults_count(FAULT_backend_change) + faults_count(FAULT_mode) +
           faults_count(FAULT_family) + faults_count(FAULT_getsockopt);
}

/* A read and a write; and a probing read where a short one does not prove that nothing is left. */
#ifdef NIDOI_KQUEUE
enum { CALLS_A_SIDE = 3 };
#else
enum { CALLS_A_SIDE = 2 };
#endif

static int count_an_echo(void *unused)
{
    enum { BEGIN_AND_END = 6 };
    unsigned long before;
    int rc;

    (void)unused;
    connect_both();
    before = calls();
    rc = TOGETHER(NULL, echo, ask);
    cr_expect(le(ulong, calls() - before, 2 * CALLS_A_SIDE * MESSAGES + BEGIN_AND_END));
    close_all();
    return rc;
}

NIDO_TEST(fd_count, an_echo_over_owned_sockets_costs_each_side_two_calls)
{
    faults_begin();
    cr_expect(eq(int, nido_run(count_an_echo, NULL, NULL), 0));
    faults_end();
}

static int wait_count(void *unused)
{
    unsigned long before;
    int ends[2];
    char byte;

    (void)unused;
    nido_pipe(ends);
    before = faults_count(FAULT_backend_wait);
    for (int i = 0; i < MESSAGES; i++) {
        cr_expect(eq(int, (int)nido_write(ends[1], "x", 1), 1));
        cr_expect(eq(int, (int)nido_read(ends[0], &byte, 1), 1));
    }
    cr_expect(eq(ulong, faults_count(FAULT_backend_wait), before));
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_count, what_needs_no_waiting_needs_no_poll)
{
    faults_begin();
    cr_expect(eq(int, io_run(wait_count), 0));
    faults_end();
}

/* ---- Between EAGAIN and parking ---- */

static int ends[2];
static struct nidoi_sys before_us;

/* A byte arrives just after the kernel has said that there is none. */
static ssize_t read_then_send(int fd, void *buf, size_t len)
{
    ssize_t n = before_us.read(fd, buf, len);

    if (n == -EAGAIN) cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
    return n;
}

/* So does the kernel say it of a foreign pipe. */
static ssize_t read_now_then_send(int fd, const struct iovec *iov, int n, int64_t offset)
{
    ssize_t got = before_us.preadv_now(fd, iov, n, offset);

    if (got == -EAGAIN) cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
    return got;
}

static int poll_then_send(struct pollfd *fds, size_t n, int milliseconds)
{
    int ready = before_us.poll(fds, n, milliseconds);

    if (ready == 0) cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
    return ready;
}

static int meet_the_edge(void *unused)
{
    char byte;

    (void)unused;
    for (int foreign = 0; foreign < 2; foreign++) {
        cr_assert(eq(int, foreign ? pipe(ends) : nido_pipe(ends), 0));
        for (int i = 0; i < MESSAGES; i++) cr_expect(eq(int, (int)nido_read(ends[0], &byte, 1), 1));
        for (int i = 0; i < MESSAGES; i++) {
            cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
            cr_expect(eq(int, (int)read(ends[0], &byte, 1), 1));
        }
        io_close_pair(ends);
    }
    return 0;
}

/* S284 */
NIDO_TEST(fd_count, data_that_come_between_the_try_and_the_sleep_are_not_missed)
{
    before_us = nidoi_sys;
    nidoi_sys.read = read_then_send;
    nidoi_sys.poll = poll_then_send;
    nidoi_sys.preadv_now = read_now_then_send;
    cr_expect(eq(int, io_run(meet_the_edge), 0));
    nidoi_sys = before_us;
}

/* ---- Many rounds ---- */

static int connect_and_close(void *unused)
{
    struct rusage early, late;

    (void)unused;
    listener = io_listen();
    for (int i = 0; i < ROUNDS; i++) {
        if (i == ROUNDS / 10) getrusage(RUSAGE_SELF, &early);
        client = nido_dial(io_place(), NULL, NULL);
        server = nido_accept(listener, NULL, NULL);
        if (client < 0 || server < 0) return -EIO;
        nido_close(client);
        nido_close(server);
    }
    getrusage(RUSAGE_SELF, &late);
    cr_expect(le(i64, late.ru_maxrss - early.ru_maxrss, 1024), "kilobytes");
    return nido_close(listener);
}

/* S283: descriptors are counted by NIDO_TEST. */
NIDO_TEST(fd_count, ten_thousand_connections_leave_nothing_behind)
{
    cr_expect(eq(int, io_run(connect_and_close), 0));
}

static int connect_by_tcp(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        connect_both();
        close_all();
    }
    return 0;
}

NIDO_TEST(fd_count, loopback_connections_leave_nothing_behind)
{
    cr_expect(eq(int, nido_run(connect_by_tcp, NULL, NULL), 0));
}

/* SPDX-License-Identifier: MIT */
/* What nido remembers of an owned descriptor (src/reactor/edge.h): no report is forgotten that came
 * while an attempt was under way, and nobody sleeps over bytes that a short read left behind. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <string.h>

#include "abort_help.h"
#include "coro/runtime/loop.h"
#include "faults.h"
#include "io_help.h"

enum { FILE_SIZE = 8 << 20 };

static int fds[2]; /* ours, and a peer that nido does not know */
static struct nidoi_sys before_us;

/* An owned end of a TCP connection, and a foreign, blocking one. */
static void connect_tcp(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = nido_listen("127.0.0.1", "0", NULL);

    getsockname(listener, (struct sockaddr *)&address, &length);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(eq(int, connect(fds[1], (struct sockaddr *)&address, sizeof address), 0));
    fds[0] = nido_accept(listener, NULL, NULL);
    cr_assert(ge(int, fds[0], 0));
    nido_close(listener);
}

static void close_both(void)
{
    nido_close(fds[0]);
    close(fds[1]);
}

/* All reports are fetched, so none is still to come. */
static void hear_all(void)
{
    nidoi_reactor_poll(&nidoi_loop_self()->reactor, 0);
}

/* Reads once and compares. */
static void expect_bytes(const char *wanted)
{
    char buf[64] = {0};

    cr_expect(eq(int, (int)nido_read(fds[0], buf, sizeof buf), (int)strlen(wanted)));
    cr_expect(eq(str, buf, (char *)wanted));
}

/* Until the kernel has so many bytes for us; loopback needs a moment. */
static void expect_queue(int bytes)
{
    int peeked = 0;
    char buf[64];

    while (peeked < bytes) peeked = (int)recv(fds[0], buf, sizeof buf, MSG_PEEK | MSG_DONTWAIT);
}

/* ---- A refusal that is old news ---- */

static sem_t reported;
static bool raced;
static size_t received;

static void swallow(void)
{
    static char buf[1 << 16];
    ssize_t n;

    while ((n = recv(fds[1], buf, sizeof buf, MSG_DONTWAIT)) > 0) received += (size_t)n;
}

/* On a worker: the answer is on its way while the peer makes room and the loop hears of it. */
static ssize_t refused_late(int out, int in, int64_t *offset, size_t len)
{
    ssize_t n = before_us.sendfile(out, in, offset, len);

    if (n != -EAGAIN || raced) return n;
    raced = true;
    swallow();
    sem_wait(&reported);
    return n;
}

/* Hears of room as the transfer does. */
static int hear(void *unused)
{
    (void)unused;
    while (!raced) {
        int rc = nido_sleep(NIDO_MS(1));

        if (rc) return rc;
    }
    cr_expect(eq(int, nido_wait_fd(fds[0], NIDO_OUT), NIDO_OUT));
    sem_post(&reported);
    return 0;
}

static int swallow_all(void *unused)
{
    (void)unused;
    while (received < FILE_SIZE) {
        int rc = nido_sleep(NIDO_MS(1));

        if (rc) return rc;
        if (raced) swallow();
    }
    return 0;
}

static int transfer(void *unused)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    size_t done = 0;
    int rc = ftruncate(file, FILE_SIZE);

    (void)unused;
    if (!rc) rc = nido_sendfile(fds[0], file, 0, FILE_SIZE, &done);
    cr_expect(eq(sz, done, FILE_SIZE));
    close(file);
    return rc;
}

static int race_a_worker(void *unused)
{
    (void)unused;
    connect_tcp();
    cr_expect(eq(int, TOGETHER(NULL, hear, swallow_all, transfer), 0));
    close_both();
    return 0;
}

static int race_within_limits(void *unused)
{
    (void)unused;
    return nido_with_timeout(NIDO_SEC(20), race_a_worker, NULL);
}

NIDO_TEST(fd_edge, a_refusal_on_a_worker_forgets_no_report_that_came_meanwhile)
{
    sem_init(&reported, 0, 0);
    before_us = nidoi_sys;
    nidoi_sys.sendfile = refused_late;
    cr_expect(eq(int, nido_run(race_within_limits, NULL, NULL), 0));
    nidoi_sys = before_us;
    sem_destroy(&reported);
    cr_expect(raced);
}

/* ---- Ask, register, ask ---- */

/* The budget of calls that need not wait is used up at each of their steps in turn. */
static int dial_after(void *unused)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    char service[16];
    nido_event set;
    int listener = nido_listen("127.0.0.1", "0", NULL);

    (void)unused;
    nido_event_init(&set, "set");
    nido_event_set(&set);
    getsockname(listener, (struct sockaddr *)&address, &length);
    snprintf(service, sizeof service, "%d", (int)ntohs(address.sin_port));
    for (int calls = 0; calls < 140; calls++) {
        int fd;

        nido_yield();
        for (int i = 0; i < calls; i++) cr_expect(eq(int, nido_event_wait(&set), 0));
        fd = nido_dial("127.0.0.1", service, NULL);
        cr_assert(ge(int, fd, 0), "after %d calls", calls);
        nido_close(fd);
        nido_close(nido_accept(listener, NULL, NULL));
    }
    nido_close(listener);
    return 0;
}

static int dial_within_limits(void *unused)
{
    (void)unused;
    return nido_with_timeout(NIDO_SEC(20), dial_after, NULL);
}

NIDO_TEST(fd_edge, a_dial_connects_after_any_number_of_calls)
{
    cr_expect(eq(int, nido_run(dial_within_limits, NULL, NULL), 0));
}

/* The server speaks and hangs up before the client hears that it is connected. */
static int listener;

static int connect_late(int fd, const struct sockaddr *address, socklen_t length)
{
    int err = before_us.connect(fd, address, length);
    int peer = accept(listener, NULL, NULL);

    cr_expect(eq(int, (int)send(peer, "bye", 3, 0), 3));
    close(peer);
    return err ? err : -EINPROGRESS;
}

static int meet_the_end(void *unused)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    (void)unused;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert(eq(int, bind(listener, (struct sockaddr *)&address, sizeof address), 0));
    cr_assert(eq(int, listen(listener, 1), 0));
    getsockname(listener, (struct sockaddr *)&address, &length);
    fds[0] = nido_socket(AF_INET, SOCK_STREAM, 0);
    nido_yield();
    cr_expect(eq(int, nido_connect(fds[0], (struct sockaddr *)&address, length), 0));
    expect_bytes("bye");
    expect_bytes("");
    nido_close(fds[0]);
    close(listener);
    return 0;
}

NIDO_TEST(fd_edge, an_end_that_was_told_while_it_connected_is_not_forgotten)
{
    before_us = nidoi_sys;
    nidoi_sys.connect = connect_late;
    cr_expect(eq(int, io_run(meet_the_end), 0));
    nidoi_sys = before_us;
}

/* A poll that a signal struck has said nothing. */
static int ask_through_a_signal(void *unused)
{
    struct pollfd ask;
    nido_arm arm;

    (void)unused;
    cr_assert(eq(int, nido_pipe(fds), 0));
    cr_expect(eq(int, (int)write(fds[1], "x", 1), 1));
    hear_all();
    faults_fail(FAULT_poll, 1, -EINTR);
    cr_expect(eq(int, nido_wait_fd(fds[0], NIDO_IN), NIDO_IN));
    faults_fail(FAULT_poll, 1, -EINTR);
    ask = (struct pollfd){.fd = fds[0], .events = POLLIN};
    cr_expect(eq(int, nido_poll(&ask, 1), 1));
    faults_fail(FAULT_poll, 1, -EINTR);
    nido_arm_fd(&arm, fds[0], NIDO_IN);
    cr_expect(eq(int, nido_select(&arm, 1, 0), 0));
    io_close_pair(fds);
    return 0;
}

NIDO_TEST(fd_edge, a_question_that_was_interrupted_is_asked_again)
{
    faults_begin();
    cr_expect(eq(int, io_run(ask_through_a_signal), 0));
    faults_end();
}

#ifndef NIDOI_KQUEUE
static int read_a_pipe(void *unused)
{
    char byte;

    (void)unused;
    return (int)nido_read(fds[0], &byte, 1);
}

static int read_while_memory_is_short(void *unused)
{
    cr_assert(eq(int, nido_pipe(fds), 0));
    faults_fail(FAULT_backend_change, 1, -ENOMEM);
    cr_expect(eq(int, nido_with_timeout(NIDO_MS(1), read_a_pipe, unused), -ETIMEDOUT));
    faults_forget(FAULT_backend_change);
    io_close_pair(fds);
    return 0;
}

/* The check of strict runs asks the kernel for the registration: no memory is no answer. */
NIDO_TEST(fd_edge, a_strict_check_without_memory_accuses_nobody)
{
    nido_options options;

    nido_options_init(&options);
    options.flags |= NIDO_RUN_STRICT;
    faults_begin();
    cr_expect(eq(int, nido_run(read_while_memory_is_short, NULL, &options), 0));
    faults_end();
}
#endif

/* ---- Short is not empty ---- */

static int read_past_the_mark(void *unused)
{
    (void)unused;
    connect_tcp();
    cr_expect(eq(int, (int)send(fds[1], "abc", 3, 0), 3));
    cr_expect(eq(int, (int)send(fds[1], "!", 1, MSG_OOB), 1));
    cr_expect(eq(int, (int)send(fds[1], "def", 3, 0), 3));
    expect_queue(3);
    nido_sleep(NIDO_MS(50));
    expect_bytes("abc");
    expect_bytes("def");
    close_both();
    return 0;
}

NIDO_TEST(fd_edge, bytes_behind_urgent_ones_are_read)
{
    cr_expect(eq(int, io_run(read_past_the_mark), 0));
}

static int read_packets(void *unused)
{
    (void)unused;
    for (int given = 0; given < 2; given++) {
        if (given) {
            cr_assert(eq(int, pipe2(fds, O_CLOEXEC | O_DIRECT), 0));
            cr_assert(eq(int, nido_fd_own(fds[0]), 0));
        } else {
            cr_assert(eq(int, nido_pipe(fds), 0)); /* whose writer changes it later */
            cr_assert(eq(int, fcntl(fds[1], F_SETFL, O_DIRECT | O_NONBLOCK), 0));
        }
        cr_expect(eq(int, (int)write(fds[1], "abc", 3), 3));
        cr_expect(eq(int, (int)write(fds[1], "def", 3), 3));
        expect_bytes("abc");
        expect_bytes("def");
        nido_close(fds[0]);
        nido_close(fds[1]);
    }
    return 0;
}

NIDO_TEST(fd_edge, a_pipe_of_packets_is_read_to_the_last)
{
    cr_expect(eq(int, io_run(read_packets), 0));
}

static bool drains(void)
{
    return nidoi_reactor_find(&nidoi_loop_self()->reactor, fds[0])->flags & NIDOI_FD_DRAINS;
}

static int raise_the_mark(void *unused)
{
    (void)unused;
    connect_tcp();
    cr_expect(eq(int, setsockopt(fds[0], SOL_SOCKET, SO_RCVLOWAT, &(int){100}, sizeof(int)), 0));
    cr_expect(eq(int, nido_fd_own(fds[0]), 0));
    cr_expect(not(drains()));
    cr_expect(eq(int, (int)send(fds[1], "abc", 3, 0), 3));
    expect_queue(3);
    expect_bytes("abc");
    cr_expect(eq(int, (int)send(fds[1], "def", 3, 0), 3));
    expect_queue(3);
    expect_bytes("def");
    cr_expect(eq(int, (int)send(fds[1], "end", 3, 0), 3));
    shutdown(fds[1], SHUT_WR);
    expect_bytes("end");
    expect_bytes("");
    close_both();
    return 0;
}

NIDO_TEST(fd_edge, below_the_low_water_mark_the_end_wakes_too)
{
    cr_expect(eq(int, io_run(raise_the_mark), 0));
}

#ifdef __linux__
enum { MPTCP = 262 };

static int own_relatives(void *unused)
{
    int listeners[] = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP),
                       socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    (void)unused;
    for (int i = 0; i < 2; i++) {
        if (listeners[i] < 0) continue; /* not in this kernel */
        cr_expect(eq(int, nido_fd_own(listeners[i]), 0));
        fds[0] = listeners[i];
        cr_expect(not(drains()));
        nido_close(listeners[i]);
    }
    connect_tcp();
    if (setsockopt(fds[0], IPPROTO_TCP, TCP_ULP, "tls", 4) == 0) {
        cr_expect(eq(int, nido_fd_own(fds[0]), 0));
        cr_expect(not(drains()));
    }
    close_both();
    return 0;
}

NIDO_TEST(fd_edge, what_is_not_plain_tcp_is_asked_again_after_a_short_read)
{
    cr_expect(eq(int, io_run(own_relatives), 0));
}
#endif

/* ---- Not the descriptor's refusal ---- */

static int without_threads(void *unused)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    size_t done = 1;

    (void)unused;
    cr_assert(eq(int, ftruncate(file, 100), 0));
    cr_assert(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0));
    faults_fail(FAULT_thread, FAULT_ALWAYS, -EAGAIN);
    cr_expect(eq(int, nido_sendfile(fds[0], file, 0, 100, &done), -EAGAIN));
    cr_expect(eq(sz, done, 0));
    cr_expect(eq(int, (int)nido_write(file, "x", 1), -EAGAIN));
    cr_expect(eq(int, (int)nido_writev(file, &(struct iovec){"x", 1}, 1), -EAGAIN));
    faults_fail(FAULT_preadv_now, FAULT_ALWAYS, -EAGAIN);
    cr_expect(eq(int, (int)nido_read(file, &done, 1), -EAGAIN));
    cr_expect(eq(int, (int)nido_readv(file, &(struct iovec){&done, 1}, 1), -EAGAIN));
    cr_expect(eq(int, (int)nido_write(fds[0], "x", 1), 1));
    faults_forget(FAULT_thread);
    cr_expect(eq(int, nido_sendfile(fds[0], file, 0, 100, &done), 0));
    io_close_pair(fds);
    close(file);
    return 0;
}

NIDO_TEST(fd_edge, without_a_thread_the_answer_is_eagain_and_nothing_is_forgotten)
{
    faults_begin();
    cr_expect(eq(int, io_run(without_threads), 0));
    faults_end();
}

/* ---- Who sleeps wrongly is found ---- */

static int forget(void *unused)
{
    char byte;

    (void)unused;
    cr_assert(eq(int, nido_pipe(fds), 0));
    cr_expect(eq(int, (int)write(fds[1], "x", 1), 1));
    hear_all();
    nidoi_reactor_find(&nidoi_loop_self()->reactor, fds[0])->ready = 0;
    return (int)nido_read(fds[0], &byte, 1);
}

NIDO_TEST(fd_edge, a_test_run_finds_a_reader_that_sleeps_over_bytes)
{
    EXPECT_LAST_WORDS(forget, "is readable and its reader sleeps");
}

static int forget_room(void *unused)
{
    (void)unused;
    cr_assert(eq(int, nido_pipe(fds), 0));
    hear_all();
    nidoi_reactor_find(&nidoi_loop_self()->reactor, fds[1])->ready = 0;
    return (int)nido_write(fds[1], "x", 1);
}

NIDO_TEST(fd_edge, a_test_run_finds_a_writer_that_sleeps_over_room)
{
    EXPECT_LAST_WORDS(forget_room, "is writable and its writer sleeps");
}

/* SPDX-License-Identifier: MIT */
/* nido/fd.h: foreign descriptors: their flags are never changed, and blocking ones never block the
 * loop. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

static int ends[2];
static char buf[PIPE_BUF * 4];
static int ticks; /* turns of another task while one waits */

enum kind { A_PIPE, A_SOCKET, KINDS };

static void make(enum kind kind)
{
    int err = kind == A_PIPE ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

    cr_assert(eq(int, err, 0));
}

static void expect_untouched(void)
{
    for (int i = 0; i < 2; i++) cr_expect(eq(int, fcntl(ends[i], F_GETFL) & O_NONBLOCK, 0));
}

/* Fills a blocking descriptor, whose flags are as before afterwards. */
static void fill_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    io_fill(fd);
    fcntl(fd, F_SETFL, flags);
}

/* Each call that waits for input in turn. */
static int input(int call)
{
    struct iovec iov[] = {{buf, 1}, {buf + 1, 1}};

    switch (call) {
    case 0:
        return (int)nido_read(ends[0], buf, 2);
    case 1:
        return (int)nido_readv(ends[0], iov, 2);
    default:
        return nido_read_full(ends[0], buf, 2, NULL) == 0 ? 2 : -EIO;
    }
}

static int which;

static int await_input(void *unused)
{
    (void)unused;
    cr_expect(eq(int, input(which), 2));
    expect_untouched();
    return 0;
}

static int tick_and_send(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++, ticks++) nido_sleep(NIDO_MS(1));
    expect_untouched();
    return write(ends[1], "ab", 2) == 2 ? 0 : -EIO;
}

static int read_by_every_call(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int kind = 0; kind < KINDS; kind++)
        for (which = 0; which < 3 && !rc; which++) {
            make(kind);
            ticks = 0;
            rc = TOGETHER(NULL, await_input, tick_and_send);
            cr_expect(eq(int, ticks, 3), "others have run");
            io_close_pair(ends);
        }
    return rc;
}

NIDO_TEST(fd_foreign, a_blocking_descriptor_without_data_blocks_its_reader_alone)
{
    cr_expect(eq(int, io_run(read_by_every_call), 0));
}

static int output(int call)
{
    struct iovec iov[] = {{buf, 1}, {buf + 1, sizeof buf - 1}};

    switch (call) {
    case 0:
        return (int)nido_write(ends[1], buf, sizeof buf);
    case 1:
        return (int)nido_writev(ends[1], iov, 2);
    default:
        return nido_write_all(ends[1], buf, sizeof buf, NULL) == 0 ? (int)sizeof buf : -EIO;
    }
}

static int await_room(void *unused)
{
    (void)unused;
    cr_expect(gt(int, output(which), 0));
    expect_untouched();
    return nido_close(ends[1]);
}

static int tick_and_drain(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++, ticks++) nido_sleep(NIDO_MS(1));
    expect_untouched();
    while (nido_read(ends[0], buf, sizeof buf) > 0) continue;
    return 0;
}

static int write_by_every_call(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int kind = 0; kind < KINDS; kind++)
        for (which = 0; which < 3 && !rc; which++) {
            make(kind);
            fill_blocking(ends[1]);
            ticks = 0;
            rc = TOGETHER(NULL, await_room, tick_and_drain);
            cr_expect(eq(int, ticks, 3), "others have run");
            nido_close(ends[0]);
        }
    return rc;
}

NIDO_TEST(fd_foreign, a_blocking_descriptor_without_room_blocks_its_writer_alone)
{
    cr_expect(eq(int, io_run(write_by_every_call), 0));
}

/* Room for PIPE_BUF bytes is all that poll(2) promises. */
static int write_much_into_little_room(void *unused)
{
    (void)unused;
    make(A_PIPE);
    fill_blocking(ends[1]);
    cr_expect(eq(int, (int)read(ends[0], buf, PIPE_BUF), PIPE_BUF));
    cr_expect(eq(int, (int)nido_write(ends[1], buf, sizeof buf), PIPE_BUF));
    expect_untouched();
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_foreign, a_large_write_into_a_nearly_full_pipe_does_not_block)
{
    cr_expect(eq(int, io_run(write_much_into_little_room), 0));
}

static int accept_blocking(void *unused)
{
    int fd = nido_accept(ends[0], NULL, NULL);

    (void)unused;
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(int, fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0));
    cr_expect(ne(int, fcntl(fd, F_GETFL) & O_NONBLOCK, 0), "what it returns is owned");
    return nido_close(fd);
}

static int tick_and_connect(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++, ticks++) nido_sleep(NIDO_MS(1));
    ends[1] = io_connect();
    return 0;
}

static int accept_on_a_foreign_listener(void *unused)
{
    int rc;

    (void)unused;
    ends[0] = io_listen();
    nido_fd_forget(ends[0]);
    fcntl(ends[0], F_SETFL, 0);
    rc = TOGETHER(NULL, accept_blocking, tick_and_connect);
    cr_expect(eq(int, ticks, 3));
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_foreign, a_blocking_listener_blocks_only_who_accepts)
{
    cr_expect(eq(int, io_run(accept_on_a_foreign_listener), 0));
}

static int await_message(void *unused)
{
    struct iovec iov = {buf, sizeof buf};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = which == 0   ? nido_recv(ends[0], buf, sizeof buf, 0)
                : which == 1 ? nido_recvfrom(ends[0], buf, sizeof buf, 0, NULL, NULL)
                             : nido_recvmsg(ends[0], &message, 0);

    (void)unused;
    cr_expect(eq(int, (int)n, 2));
    expect_untouched();
    return 0;
}

static int receive_by_every_call(void *unused)
{
    int rc = 0;

    (void)unused;
    for (which = 0; which < 3 && !rc; which++) {
        cr_assert(eq(int, socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0));
        ticks = 0;
        rc = TOGETHER(NULL, await_message, tick_and_send);
        cr_expect(eq(int, ticks, 3));
        io_close_pair(ends);
    }
    return rc;
}

NIDO_TEST(fd_foreign, a_blocking_datagram_socket_blocks_only_who_receives)
{
    cr_expect(eq(int, io_run(receive_by_every_call), 0));
}

static int write_beside_a_half_closed_peer(void *unused)
{
    unsigned long before;
    nido_scope scope;

    (void)unused;
    make(A_SOCKET);
    fill_blocking(ends[1]);
    shutdown(ends[0], SHUT_WR);
    nido_timeout_open(&scope, NIDO_SEC(1));
    before = faults_count(FAULT_backend_wait);
    cr_expect(eq(int, nido_scope_close(&scope, (int)nido_write(ends[1], buf, 1)), -ETIMEDOUT));
    cr_expect(le(ulong, faults_count(FAULT_backend_wait) - before, 3));
    io_close_pair(ends);
    return 0;
}

/* The loop sleeps while a writer waits for room, though the other direction has ended. */
NIDO_TEST(fd_foreign, a_writer_beside_an_ended_direction_does_not_spin)
{
    faults_begin();
    cr_expect(eq(int, nido_test_run(write_beside_a_half_closed_peer, NULL), 0));
    faults_end();
}

static int one_call_a_wait(void *unused)
{
    unsigned long before = faults_count(FAULT_backend_change);
    int rc = 0;

    (void)unused;
    make(A_SOCKET);
    which = 0;
    for (int i = 0; i < 10 && !rc; i++) rc = TOGETHER(NULL, await_input, tick_and_send);
    cr_expect(eq(ulong, faults_count(FAULT_backend_change) - before, CHANGES_A_DESCRIPTOR + 9));
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_foreign, each_wait_costs_one_call_to_the_kernel_more)
{
    faults_begin();
    cr_expect(eq(int, io_run(one_call_a_wait), 0));
    faults_end();
}

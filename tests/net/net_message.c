/* SPDX-License-Identifier: MIT */
/* nido/net.h: datagrams, messages, and descriptors that travel in them. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "faults.h"
#include "io_help.h"

enum { WAITERS = 3 };

static int ends[2];
static char buf[64];

/* ---- Datagrams ---- */

/* A datagram socket at a loopback port. */
static int bound(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = nido_socket(AF_INET, SOCK_DGRAM, 0);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_expect(eq(int, bind(fd, (struct sockaddr *)address, length), 0));
    cr_expect(eq(int, getsockname(fd, (struct sockaddr *)address, &length), 0));
    return fd;
}

static int send_and_look_at_the_sender(void *unused)
{
    struct sockaddr_in here, there, from = {0};
    socklen_t length = sizeof from;
    int server = bound(&here), client = bound(&there);

    (void)unused;
    for (int len = 0; len < 4; len += 3) {
        cr_expect(eq(
            int,
            (int)nido_sendto(client, "abc", (size_t)len, 0, (struct sockaddr *)&here, sizeof here),
            len));
        length = sizeof from;
        cr_expect(eq(
            int, (int)nido_recvfrom(server, buf, sizeof buf, 0, (struct sockaddr *)&from, &length),
            len));
        cr_expect(eq(int, (int)length, (int)sizeof from));
        cr_expect(eq(int, from.sin_port, there.sin_port));
        from.sin_port = 0;
    }
    nido_close(server);
    nido_close(client);
    return 0;
}

/* S269 */
NIDO_TEST(net_message, an_empty_datagram_arrives_with_its_sender)
{
    cr_expect(eq(int, nido_run(send_and_look_at_the_sender, NULL, NULL), 0));
}

static int await_empty(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], buf, sizeof buf, 0, NULL, NULL), 0));
    return 0;
}

static int send_empty(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_send(ends[1], "", 0, 0), 0));
    return 0;
}

static int park_for_an_empty_one(void *unused)
{
    int rc;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    rc = TOGETHER(NULL, await_empty, send_empty);
    io_close_pair(ends);
    return rc;
}

/* S269 */
NIDO_TEST(net_message, an_empty_datagram_wakes_who_waits)
{
    cr_expect(eq(int, io_run(park_for_an_empty_one), 0));
}

static int next_number, served;

static int receive_in_turn(void *unused)
{
    int me = next_number++;
    char byte = 0;

    (void)unused;
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], &byte, 1, 0, NULL, NULL), 1));
    cr_expect(eq(int, byte, 'a' + me), "first come, first served");
    served++;
    return 0;
}

static int send_slowly(void *unused)
{
    (void)unused;
    for (int i = 0; i < WAITERS; i++) {
        cr_expect(eq(int, (int)nido_send(ends[1], &"abc"[i], 1, 0), 1));
        nido_sleep(NIDO_MS(1));
    }
    return 0;
}

static int send_at_once(void *unused)
{
    (void)unused;
    for (int i = 0; i < WAITERS; i++) cr_expect(eq(int, (int)write(ends[1], &"abc"[i], 1), 1));
    return 0;
}

static nido_fn *sender;

static int serve_in_order(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int foreign = 0; foreign < 2 && !rc; foreign++) {
        int err = foreign ? socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)
                          : nido_socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);

        cr_assert(eq(int, err, 0));
        next_number = served = 0;
        rc = TOGETHER(NULL, receive_in_turn, receive_in_turn, receive_in_turn, sender);
        cr_expect(eq(int, served, WAITERS));
        io_close_pair(ends);
    }
    return rc;
}

NIDO_TEST(net_message, who_waits_first_gets_the_first_datagram)
{
    sender = send_slowly;
    cr_expect(eq(int, io_run(serve_in_order), 0));
}

NIDO_TEST(net_message, datagrams_that_come_at_once_serve_everybody)
{
    sender = send_at_once;
    cr_expect(eq(int, io_run(serve_in_order), 0));
}

static int send_until_read(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_send(ends[1], "last", 4, 0), 4));
    return 0;
}

static int read_some(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_MS(1));
    while (nido_recv(ends[0], buf, sizeof buf, 0) != 4) continue;
    return 0;
}

static int fill_a_queue(void *unused)
{
    int rc;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    while (write(ends[1], "x", 1) == 1) continue;
    rc = TOGETHER(NULL, send_until_read, read_some);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(net_message, a_full_queue_parks_the_sender)
{
    cr_expect(eq(int, io_run(fill_a_queue), 0));
}

static int refuse_what_is_too_large(void *unused)
{
    struct sockaddr_in here;
    int fd = bound(&here);
    static char huge[70000];

    (void)unused;
    cr_expect(eq(int,
                 (int)nido_sendto(fd, huge, sizeof huge, 0, (struct sockaddr *)&here, sizeof here),
                 -EMSGSIZE));
    cr_expect(eq(int, (int)nido_send(fd, "x", 1, 0), -EDESTADDRREQ));
    cr_expect(eq(int, nido_connect(fd, (struct sockaddr *)&here, sizeof here), 0));
    cr_expect(eq(int, (int)nido_send(fd, "x", 1, 0), 1), "connected to itself");
    cr_expect(eq(int, (int)nido_recv(fd, buf, sizeof buf, 0), 1));
    return nido_close(fd);
}

NIDO_TEST(net_message, the_kernels_own_errors_come_through)
{
    cr_expect(eq(int, nido_run(refuse_what_is_too_large, NULL, NULL), 0));
}

/* ---- Flags ---- */

static int peek(void *unused)
{
    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    cr_expect(eq(int, (int)nido_send(ends[1], "abc", 3, 0), 3));
    for (int i = 0; i < 2; i++)
        cr_expect(eq(int, (int)nido_recv(ends[0], buf, sizeof buf, MSG_PEEK), 3));
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, sizeof buf, 0), 3));
    io_close_pair(ends);
    nido_pipe(ends);
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 1, 0), -ENOTSOCK));
    cr_expect(eq(int, (int)nido_send(ends[1], buf, 1, 0), -ENOTSOCK));
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(net_message, a_peek_takes_nothing)
{
    cr_expect(eq(int, io_run(peek), 0));
}

/* An owned TCP socket's short read says that it is empty now; a look at the bytes does not. */
static ssize_t look_by_recv(int fd, int flags)
{
    return nido_recv(fd, buf, sizeof buf, flags);
}

static ssize_t look_by_recvfrom(int fd, int flags)
{
    return nido_recvfrom(fd, buf, sizeof buf, flags, NULL, NULL);
}

static ssize_t look_by_recvmsg(int fd, int flags)
{
    struct iovec iov = {buf, sizeof buf};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    return nido_recvmsg(fd, &message, flags);
}

static ssize_t (*const looks[])(int fd, int flags) = {look_by_recv, look_by_recvfrom,
                                                      look_by_recvmsg};

static void tcp_pair(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = nido_listen("127.0.0.1", "0", NULL);

    cr_assert(ge(int, listener, 0));
    getsockname(listener, (struct sockaddr *)&address, &length);
    ends[1] = nido_socket(AF_INET, SOCK_STREAM, 0);
    cr_expect(zero(int, nido_connect(ends[1], (struct sockaddr *)&address, length)));
    ends[0] = nido_accept(listener, NULL, NULL);
    nido_close(listener);
}

static int peek_at_tcp(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        nido_scope limit;

        tcp_pair();
        cr_expect(eq(int, (int)nido_send(ends[1], "abc", 3, 0), 3));
        nido_timeout_open(&limit, NIDO_SEC(5));
        for (int n = 0; n < 3; n++) cr_expect(eq(int, (int)looks[i](ends[0], MSG_PEEK), 3));
        cr_expect(eq(int, (int)looks[i](ends[0], 0), 3));
        cr_expect(zero(int, nido_scope_close(&limit, 0)));
        io_close_pair(ends);
    }
    return 0;
}

NIDO_TEST(net_message, what_was_only_looked_at_on_tcp_is_there_to_be_read)
{
    cr_expect(zero(int, nido_run(peek_at_tcp, NULL, NULL)));
}

static int send_to_nobody(void *unused)
{
    struct iovec iov = {"x", 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    (void)unused;
    for (int foreign = 0; foreign < 2; foreign++) {
        int err = foreign ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends)
                          : nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

        cr_assert(eq(int, err, 0));
        nido_close(ends[0]);
        cr_expect(eq(int, (int)nido_send(ends[1], "x", 1, 0), -EPIPE));
        cr_expect(eq(int, (int)nido_sendto(ends[1], "x", 1, 0, NULL, 0), -EPIPE));
        cr_expect(eq(int, (int)nido_sendmsg(ends[1], &message, 0), -EPIPE));
        nido_close(ends[1]);
    }
    return 0;
}

/* S266: SIGPIPE, at its default, would end the test. */
NIDO_TEST(net_message, no_kind_of_send_raises_sigpipe)
{
    cr_expect(eq(int, io_run(send_to_nobody), 0));
}

/* ---- One reader of a stream, any number of messages ---- */

static int receive_bytes(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, sizeof buf, 0), 1));
    return 0;
}

static int second_receiver(void *unused)
{
    struct iovec iov = {buf, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    (void)unused;
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 1, 0), -EBUSY));
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], buf, 1, 0, NULL, NULL), -EBUSY));
    cr_expect(eq(int, (int)nido_recvmsg(ends[0], &message, 0), -EBUSY));
    cr_expect(eq(int, (int)nido_send(ends[1], "x", 1, 0), 1));
    return 0;
}

static int two_receivers(void *unused)
{
    int rc;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    rc = TOGETHER(NULL, receive_bytes, second_receiver);
    io_close_pair(ends);
    return rc;
}

/* S263 */
NIDO_TEST(net_message, a_stream_has_one_receiver_by_whatever_call)
{
    cr_expect(eq(int, io_run(two_receivers), 0));
}

/* ---- Descriptors in messages ---- */

static union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr aligned;
} control;

static struct msghdr message_with(struct iovec *iov)
{
    return (struct msghdr){.msg_iov = iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
}

static int send_descriptor(void *fd)
{
    struct iovec iov = {"!", 1};
    struct msghdr message = message_with(&iov);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), fd, sizeof(int));
    cr_expect(eq(int, (int)nido_sendmsg(ends[1], &message, 0), 1));
    return 0;
}

static int received;

static int receive_descriptor(void *unused)
{
    struct iovec iov = {buf, 1};
    struct msghdr message = message_with(&iov);

    (void)unused;
    cr_expect(eq(int, (int)nido_recvmsg(ends[0], &message, 0), 1));
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
    cr_expect(ne(int, fcntl(received, F_GETFD) & FD_CLOEXEC, 0));
    return 0;
}

static int pass_a_descriptor(void *unused)
{
    int pipe_ends[2], rc;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    nido_pipe(pipe_ends);
    rc = TOGETHER(&pipe_ends[0], receive_descriptor, send_descriptor);
    nido_close(pipe_ends[0]);
    cr_expect(eq(int, (int)nido_write(pipe_ends[1], "x", 1), 1));
    cr_expect(eq(int, (int)nido_read(received, buf, 1), 1), "it is the same pipe");
    nido_close(received);
    nido_close(pipe_ends[1]);
    io_close_pair(ends);
    return rc;
}

/* S280 */
NIDO_TEST(net_message, a_received_descriptor_is_close_on_exec)
{
    cr_expect(eq(int, io_run(pass_a_descriptor), 0));
}

/* ---- Refused on entry ---- */

static int enter_cancelled(void *unused)
{
    struct iovec iov = {buf, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct sockaddr_in here = {.sin_family = AF_INET};
    struct addrinfo list = {
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&here, .ai_addrlen = sizeof here};
    unsigned long calls = 0;
    nido_scope scope;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    cr_expect(eq(int, (int)nido_send(ends[1], "abc", 3, 0), 3));
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, "test");
    for (int kind = 0; kind < FAULT_memory; kind++) calls -= faults_count((enum fault)kind);
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, 1, 0), -ECANCELED));
    cr_expect(eq(int, (int)nido_recvfrom(ends[0], buf, 1, 0, NULL, NULL), -ECANCELED));
    cr_expect(eq(int, (int)nido_recvmsg(ends[0], &message, 0), -ECANCELED));
    cr_expect(eq(int, (int)nido_send(ends[0], buf, 1, 0), -ECANCELED));
    cr_expect(eq(int, (int)nido_sendto(ends[0], buf, 1, 0, NULL, 0), -ECANCELED));
    cr_expect(eq(int, (int)nido_sendmsg(ends[0], &message, 0), -ECANCELED));
    cr_expect(eq(int, nido_accept(ends[0], NULL, NULL), -ECANCELED));
    cr_expect(eq(int, nido_connect(ends[0], list.ai_addr, sizeof here), -ECANCELED));
    cr_expect(eq(int, nido_dial("127.0.0.1", "1", NULL), -ECANCELED));
    cr_expect(eq(int, nido_dial_any(&list, NULL), -ECANCELED));
    cr_expect(eq(int, nido_listen("127.0.0.1", "0", NULL), -ECANCELED));
    for (int kind = 0; kind < FAULT_memory; kind++) calls += faults_count((enum fault)kind);
    cr_expect(eq(ulong, calls, 0), "no system call");
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), 0));
    cr_expect(eq(int, (int)nido_recv(ends[0], buf, sizeof buf, 0), 3), "the data stay");
    io_close_pair(ends);
    return 0;
}

/* S80 */
NIDO_TEST(net_message, in_a_cancelled_scope_every_socket_call_is_refused_without_effect)
{
    faults_begin();
    cr_expect(eq(int, io_run(enter_cancelled), 0));
    faults_end();
}

NIDO_TEST(net_message, outside_a_run_no_socket_is_made)
{
    cr_expect(eq(int, nido_socket(AF_INET, SOCK_STREAM, 0), -EPERM));
    cr_expect(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), -EPERM));
    cr_expect(eq(int, nido_listen("127.0.0.1", "0", NULL), -EPERM));
    cr_expect(eq(int, nido_dial("127.0.0.1", "1", NULL), -EPERM));
    cr_expect(eq(int, nido_accept(0, NULL, NULL), -EPERM));
}

/* SPDX-License-Identifier: MIT */
/* nido/net.h: listening and accepting. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "faults.h"
#include "io_help.h"

enum { WAITERS = 3 };

static int listener;
static int clients[WAITERS];
static int order[WAITERS * 2], served; /* who was served, in this order */

static void connect_client(int i)
{
    clients[i] = io_connect();
}

static void close_clients(void)
{
    for (int i = 0; i < WAITERS; i++) nido_close(clients[i]);
    nido_close(listener);
}

/* ---- Many who accept ---- */

static int next_number;

static int accept_one(void *unused)
{
    int me = next_number++;
    int fd = nido_accept(listener, NULL, NULL);

    (void)unused;
    cr_expect(ge(int, fd, 0));
    order[served++] = me;
    return nido_close(fd);
}

static void expect_order(void)
{
    cr_expect(eq(int, served, WAITERS));
    for (int i = 0; i < WAITERS; i++) cr_expect(eq(int, order[i], i));
}

static int connect_slowly(void *unused)
{
    (void)unused;
    for (int i = 0; i < WAITERS; i++) {
        connect_client(i);
        nido_sleep(NIDO_MS(1));
    }
    return 0;
}

static int connect_at_once(void *unused)
{
    (void)unused;
    for (int i = 0; i < WAITERS; i++) connect_client(i);
    return 0;
}

static nido_fn *connector;
static bool foreign;

static int serve_in_order(void *unused)
{
    int rc;

    (void)unused;
    listener = io_listen();
    if (foreign) nido_fd_forget(listener);
    rc = TOGETHER(NULL, accept_one, accept_one, accept_one, connector);
    expect_order();
    close_clients();
    return rc;
}

NIDO_TEST(net_accept, who_accepts_first_is_served_first)
{
    connector = connect_slowly;
    cr_expect(eq(int, io_run(serve_in_order), 0));
}

NIDO_TEST(net_accept, connections_that_come_at_once_serve_everybody)
{
    connector = connect_at_once;
    cr_expect(eq(int, io_run(serve_in_order), 0));
}

NIDO_TEST(net_accept, on_a_foreign_listener_who_accepts_first_is_served_first)
{
    foreign = true;
    connector = connect_slowly;
    cr_expect(eq(int, io_run(serve_in_order), 0));
}

NIDO_TEST(net_accept, on_a_foreign_listener_connections_at_once_serve_everybody)
{
    foreign = true;
    connector = connect_at_once;
    cr_expect(eq(int, io_run(serve_in_order), 0));
}

/* Two connections are there and the second waiter has not run yet when a third comes. */
static int come_late(void *unused)
{
    (void)unused;
    connect_at_once(NULL);
    return accept_one(NULL);
}

static int serve_the_late_last(void *unused)
{
    int rc;

    (void)unused;
    listener = io_listen();
    rc = TOGETHER(NULL, accept_one, accept_one, come_late);
    expect_order();
    close_clients();
    return rc;
}

NIDO_TEST(net_accept, who_comes_late_does_not_overtake_though_connections_are_there)
{
    cr_expect(eq(int, io_run(serve_the_late_last), 0));
}

/* Of those who wait one is cancelled; the others are served as if it had never been. */
static int cancelled_one(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    nido_timeout_open(&scope, NIDO_US(500));
    rc = nido_accept(listener, NULL, NULL);
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    return 0;
}

static int sleep_and_connect(void *unused)
{
    nido_sleep(NIDO_MS(1));
    return connect_at_once(unused);
}

static int skip_the_cancelled(void *unused)
{
    int rc;

    (void)unused;
    listener = io_listen();
    rc = TOGETHER(NULL, accept_one, cancelled_one, accept_one, accept_one, sleep_and_connect);
    expect_order();
    close_clients();
    return rc;
}

NIDO_TEST(net_accept, a_cancelled_accept_leaves_no_hole_in_the_queue)
{
    cr_expect(eq(int, io_run(skip_the_cancelled), 0));
}

/* ---- Shortage ---- */

static int reports;

static void count_report(void *ctx, const char *text)
{
    (void)ctx;
    reports++;
    cr_expect(ne(ptr, strstr(text, "accept"), NULL));
}

static int accept_in_shortage(void *unused)
{
    int64_t start = nido_now();
    int fd;

    (void)unused;
    listener = io_listen();
    connect_client(0);
    connect_client(1);
    connect_client(2);
    faults_fail(FAULT_accept, 1, -EMFILE);
    fd = nido_accept(listener, NULL, NULL);
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(i64, nido_now() - start, NIDO_MS(100)));
    nido_close(fd);
    faults_fail(FAULT_accept, 1, -ENFILE);
    fd = nido_accept(listener, NULL, NULL);
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(i64, nido_now() - start, NIDO_MS(200)));
    nido_close(fd);
    close_clients();
    return 0;
}

/* S271 */
NIDO_TEST(net_accept, without_free_descriptors_it_pauses_and_goes_on)
{
    nido_options options = nido_test_virtual();

    options.on_report = count_report;
    faults_begin();
    cr_expect(eq(int, nido_run(accept_in_shortage, NULL, &options), 0));
    faults_end();
    unlink(io_place() + 5);
    cr_expect(eq(int, reports, 1), "said once");
}

static int cancel_a_pause(void *unused)
{
    int64_t start = nido_now();
    nido_scope scope;

    (void)unused;
    listener = io_listen();
    connect_at_once(NULL);
    faults_fail(FAULT_accept, FAULT_ALWAYS, -EMFILE);
    nido_timeout_open(&scope, NIDO_MS(250));
    cr_expect(eq(int, nido_scope_close(&scope, nido_accept(listener, NULL, NULL)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now() - start, NIDO_MS(250)));
    cr_expect(eq(ulong, faults_count(FAULT_accept), 3));
    faults_forget(FAULT_accept);
    {
        int fd = nido_accept(listener, NULL, NULL);

        cr_expect(ge(int, fd, 0), "the connection is still there");
        nido_close(fd);
    }
    close_clients();
    return 0;
}

/* S271 */
NIDO_TEST(net_accept, a_cancel_interrupts_the_pause)
{
    nido_options options = nido_test_virtual();

    options.on_report = count_report;
    faults_begin();
    cr_expect(eq(int, nido_run(cancel_a_pause, NULL, &options), 0));
    faults_end();
    unlink(io_place() + 5);
}

static int accept_after_the_dead(void *unused)
{
    static const int codes[] = {
        -ECONNABORTED, -EPROTO,    -ENETDOWN,   -ENETUNREACH, -EHOSTUNREACH,
        -ENOPROTOOPT,  -EHOSTDOWN, -EOPNOTSUPP, -ETIMEDOUT,   -EPERM,
#ifdef ENONET
        -ENONET,
#endif
    };

    (void)unused;
    listener = io_listen();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        int fd;

        connect_client(0);
        faults_fail(FAULT_accept, 1, codes[i]);
        fd = nido_accept(listener, NULL, NULL);
        cr_expect(ge(int, fd, 0));
        nido_close(fd);
        nido_close(clients[0]);
    }
    faults_fail(FAULT_accept, 1, -EFAULT);
    cr_expect(eq(int, nido_accept(listener, NULL, NULL), -EFAULT), "others come through");
    return nido_close(listener);
}

NIDO_TEST(net_accept, connections_that_died_in_the_queue_are_skipped)
{
    faults_begin();
    cr_expect(eq(int, io_run(accept_after_the_dead), 0));
    faults_end();
}

/* What is refused again and again neither keeps the loop nor ends the server. */
static int accept_what_is_always_refused(void *unused)
{
    int64_t start = nido_now();
    nido_scope scope;

    (void)unused;
    listener = io_listen();
    connect_client(0);
    faults_fail(FAULT_accept, FAULT_ALWAYS, -EPERM);
    nido_timeout_open(&scope, NIDO_MS(250));
    cr_expect(eq(int, nido_scope_close(&scope, nido_accept(listener, NULL, NULL)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now() - start, NIDO_MS(250)));
    cr_expect(lt(ulong, faults_count(FAULT_accept), 1000));
    faults_forget(FAULT_accept);
    nido_close(nido_accept(listener, NULL, NULL));
    nido_close(clients[0]);
    return nido_close(listener);
}

NIDO_TEST(net_accept, what_is_refused_again_and_again_is_asked_with_pauses)
{
    nido_options options = nido_test_virtual();

    options.on_report = count_report;
    faults_begin();
    cr_expect(eq(int, nido_run(accept_what_is_always_refused, NULL, &options), 0));
    faults_end();
    unlink(io_place() + 5);
    cr_expect(eq(int, reports, 1), "said once");
}

static int accept_without_memory(void *unused)
{
    static const int codes[] = {-ENOBUFS, -ENOMEM};

    (void)unused;
    listener = io_listen();
    for (int i = 0; i < 2; i++) {
        int64_t start = nido_now();
        int fd;

        connect_client(0);
        faults_fail(FAULT_accept, 1, codes[i]);
        fd = nido_accept(listener, NULL, NULL);
        cr_expect(ge(int, fd, 0));
        cr_expect(eq(i64, nido_now() - start, NIDO_MS(100)));
        nido_close(fd);
        nido_close(clients[0]);
    }
    return nido_close(listener);
}

NIDO_TEST(net_accept, without_memory_it_pauses_and_goes_on)
{
    nido_options options = nido_test_virtual();

    options.on_report = count_report;
    faults_begin();
    cr_expect(eq(int, nido_run(accept_without_memory, NULL, &options), 0));
    faults_end();
    unlink(io_place() + 5);
}

/* ---- What it returns ---- */

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    cr_expect(eq(int, getsockname(fd, (struct sockaddr *)&address, &length), 0));
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* 0: there is nothing that listens; else what dialling says. */
static int visit(int listening, const char *host)
{
    int client, server, on = 0;
    socklen_t length = sizeof on;
    char port[8];

    snprintf(port, sizeof port, "%d", port_of(listening));
    client = nido_dial(host, port, NULL);
    if (client < 0) return client;
    server = nido_accept(listening, NULL, NULL);
    cr_expect(ge(int, server, 0));
    cr_expect(zero(int, getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, &length)));
    cr_expect(ne(int, on, 0), "bytes go when they are written");
    nido_close(server);
    nido_close(client);
    return 0;
}

/* Also from listeners that nido did not make. */
static int accept_promptly(void *unused)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)unused;
    listener = nido_listen("127.0.0.1", "0", NULL);
    cr_expect(zero(int, visit(listener, "127.0.0.1")));
    nido_close(listener);
    for (int is_foreign = 0; is_foreign < 2; is_foreign++) {
        listener = is_foreign ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
                              : nido_socket(AF_INET, SOCK_STREAM, 0);
        cr_expect(zero(int, bind(listener, (struct sockaddr *)&loopback, sizeof loopback)));
        cr_expect(zero(int, listen(listener, 1)));
        cr_expect(zero(int, visit(listener, "127.0.0.1")));
        nido_close(listener);
    }
    return 0;
}

NIDO_TEST(net_accept, what_is_accepted_sends_at_once)
{
    cr_expect(eq(int, nido_run(accept_promptly, NULL, NULL), 0));
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0;

    if (fd >= 0) close(fd);
    return has;
}

static int listen_everywhere(void *unused)
{
    nido_listen_options options;

    (void)unused;
    listener = nido_listen(NULL, "0", NULL);
    cr_expect(zero(int, visit(listener, "127.0.0.1")));
    if (has_ipv6()) cr_expect(zero(int, visit(listener, "::1")));
    nido_close(listener);
    if (!has_ipv6()) return 0;
    nido_listen_options_init(&options);
    options.v6_only = true;
    listener = nido_listen(NULL, "0", &options);
    cr_expect(zero(int, visit(listener, "::1")));
    cr_expect(eq(int, visit(listener, "127.0.0.1"), -ECONNREFUSED));
    return nido_close(listener);
}

NIDO_TEST(net_accept, every_address_is_of_both_families)
{
    cr_expect(eq(int, nido_run(listen_everywhere, NULL, NULL), 0));
}

/* A kernel without IPv6, and one where it is switched off. */
static int listen_without_ipv6(void *unused)
{
    static const enum fault steps[] = {FAULT_socket, FAULT_bind};
    static const int codes[] = {-EAFNOSUPPORT, -EADDRNOTAVAIL};
    nido_listen_options options;

    (void)unused;
    nido_listen_options_init(&options);
    options.v6_only = true;
    for (int i = 0; i < 2; i++) {
        faults_fail(steps[i], 1, codes[i]);
        listener = nido_listen(NULL, "0", NULL);
        cr_expect(zero(int, visit(listener, "127.0.0.1")));
        nido_close(listener);
        faults_fail(steps[i], 1, codes[i]);
        cr_expect(eq(int, nido_listen(NULL, "0", &options), codes[i]), "it was asked for");
    }
    faults_fail(FAULT_bind, 1, -EADDRINUSE);
    cr_expect(eq(int, nido_listen(NULL, "0", NULL), -EADDRINUSE), "not half of the addresses");
    return 0;
}

NIDO_TEST(net_accept, without_ipv6_every_address_is_of_ipv4)
{
    faults_begin();
    cr_expect(eq(int, nido_run(listen_without_ipv6, NULL, NULL), 0));
    faults_end();
}

static int look_at_what_comes(void *unused)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char port[8];
    int fd, client;

    (void)unused;
    listener = nido_listen("127.0.0.1", "0", NULL);
    cr_expect(eq(int, getsockname(listener, (struct sockaddr *)&address, &length), 0));
    snprintf(port, sizeof port, "%d", ntohs(((struct sockaddr_in *)&address)->sin_port));
    client = nido_dial("127.0.0.1", port, NULL);
    length = sizeof address;
    fd = nido_accept(listener, (struct sockaddr *)&address, &length);
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(int, address.ss_family, AF_INET));
    cr_expect(eq(int, (int)length, (int)sizeof(struct sockaddr_in)));
    cr_expect(ne(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, 0));
    cr_expect(ne(int, fcntl(fd, F_GETFL) & O_NONBLOCK, 0));
    nido_close(fd);
    nido_close(client);
    return nido_close(listener);
}

NIDO_TEST(net_accept, it_tells_who_has_come)
{
    cr_expect(eq(int, nido_run(look_at_what_comes, NULL, NULL), 0));
}

static int accept_nonsense(void *unused)
{
    int fds[2];

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    cr_expect(eq(int, nido_accept(fds[0], NULL, NULL), -EINVAL));
    io_close_pair(fds);
    cr_expect(eq(int, nido_accept(fds[0], NULL, NULL), -EBADF));
    cr_expect(eq(int, nido_accept(-1, NULL, NULL), -EBADF));
    nido_pipe(fds);
    cr_expect(eq(int, nido_accept(fds[0], NULL, NULL), -ENOTSOCK));
    io_close_pair(fds);
    fds[0] = nido_socket(AF_INET, SOCK_DGRAM, 0);
    cr_expect(eq(int, nido_accept(fds[0], NULL, NULL), -EOPNOTSUPP));
    nido_close(fds[0]);
    return 0;
}

NIDO_TEST(net_accept, what_does_not_listen_is_told)
{
    cr_expect(eq(int, io_run(accept_nonsense), 0));
}

/* ---- Listening ---- */

static int listen_wrongly(void *unused)
{
    nido_listen_options options;

    (void)unused;
    nido_listen_options_init(&options);
    cr_expect(eq(int, nido_listen("127.0.0.1", NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_listen("unix:", NULL, NULL), -EINVAL));
    options.backlog = -1;
    cr_expect(eq(int, nido_listen("127.0.0.1", "0", &options), -EINVAL));
    options.backlog = 0;
    options.size = 0;
    cr_expect(eq(int, nido_listen("127.0.0.1", "0", &options), -EINVAL));
    cr_expect(eq(int, nido_listen("192.0.2.1", "0", NULL), -EADDRNOTAVAIL));
    listener = io_listen();
    cr_expect(eq(int, nido_listen(io_place(), NULL, NULL), -EADDRINUSE));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), io_place()), NULL));
    return nido_close(listener);
}

NIDO_TEST(net_accept, a_listener_that_cannot_be_is_told)
{
    cr_expect(eq(int, io_run(listen_wrongly), 0));
}

static int fail_each_step(void *unused)
{
    static const enum fault steps[] = {FAULT_socket, FAULT_setsockopt, FAULT_bind, FAULT_listen};

    (void)unused;
    for (int i = 0; i < 4; i++) {
        faults_fail(steps[i], 1, -ENOBUFS);
        cr_expect(eq(int, nido_listen("127.0.0.1", "0", NULL), -ENOBUFS));
        faults_forget(steps[i]);
    }
    return 0;
}

NIDO_TEST(net_accept, a_listener_that_fails_at_any_step_leaves_nothing_open)
{
    faults_begin();
    cr_expect(eq(int, io_run(fail_each_step), 0));
    faults_end();
}

static int share_a_port(void *unused)
{
    nido_listen_options options;
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    char port[8];
    int second;

    (void)unused;
    nido_listen_options_init(&options);
    options.reuse_port = true;
    listener = nido_listen("127.0.0.1", "0", &options);
    cr_expect(eq(int, getsockname(listener, (struct sockaddr *)&address, &length), 0));
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    second = nido_listen("127.0.0.1", port, &options);
    cr_expect(ge(int, second, 0));
    cr_expect(eq(int, nido_listen("127.0.0.1", port, NULL), -EADDRINUSE), "not without it");
    nido_close(second);
    return nido_close(listener);
}

NIDO_TEST(net_accept, a_port_may_be_shared_where_all_ask_for_it)
{
    cr_expect(eq(int, io_run(share_a_port), 0));
}

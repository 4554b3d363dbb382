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
    static const int codes[] = {-ECONNABORTED, -EPROTO,       -ENETDOWN,
                                -ENETUNREACH,  -EHOSTUNREACH, -ENOPROTOOPT};

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
    faults_fail(FAULT_accept, 1, -ENOBUFS);
    cr_expect(eq(int, nido_accept(listener, NULL, NULL), -ENOBUFS), "others come through");
    return nido_close(listener);
}

NIDO_TEST(net_accept, connections_that_died_in_the_queue_are_skipped)
{
    faults_begin();
    cr_expect(eq(int, io_run(accept_after_the_dead), 0));
    faults_end();
}

/* ---- What it returns ---- */

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
    options.size--;
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

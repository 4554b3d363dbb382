/* SPDX-License-Identifier: MIT */
/* nido/net.h: connecting, to one address and to the first of several that answers. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "faults.h"
#include "io_help.h"

static int listener;

/* A loopback address with a port. */
struct place {
    struct sockaddr_in address;
    char port[8];
};

/* Where a listener stands. */
static struct place place_of(int fd)
{
    struct place place;
    socklen_t length = sizeof place.address;

    cr_expect(eq(int, getsockname(fd, (struct sockaddr *)&place.address, &length), 0));
    snprintf(place.port, sizeof place.port, "%d", ntohs(place.address.sin_port));
    return place;
}

static struct place listen_somewhere(void)
{
    listener = nido_listen("127.0.0.1", "0", NULL);
    cr_expect(ge(int, listener, 0));
    return place_of(listener);
}

static int dial_without_poll(void *unused)
{
    struct place place = listen_somewhere();

    (void)unused;
    faults_fail(FAULT_poll, FAULT_ALWAYS, -ENOMEM);
    cr_expect(eq(int, nido_dial("127.0.0.1", place.port, NULL), -ENOMEM));
    faults_forget(FAULT_poll);
    nido_close(listener);
    return 0;
}

static int within_ten_seconds(void *unused)
{
    return nido_with_timeout(NIDO_SEC(10), dial_without_poll, unused);
}

/* The report that it has connected is spent; to wait for another would last for ever. */
NIDO_TEST(net_dial, a_question_that_fails_is_an_error_and_no_sleep)
{
    faults_begin();
    cr_expect(eq(int, nido_run(within_ten_seconds, NULL, NULL), 0));
    faults_end();
}

static int dial_without_memory(void *unused)
{
    (void)unused;
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_dial("no-such-name.invalid", "80", NULL), -ENOMEM));
    cr_expect(eq(int, nido_error_code(nido_error_last()), -ENOMEM));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()),
                 "look-up of no-such-name.invalid port 80"));
    return 0;
}

NIDO_TEST(net_dial, a_dial_without_memory_keeps_a_text)
{
    faults_begin();
    cr_expect(eq(int, nido_run(dial_without_memory, NULL, NULL), 0));
    faults_end();
}

/* A port where nobody listens: it was free a moment ago. */
static struct place closed_place(void)
{
    struct place place = listen_somewhere();

    nido_close(listener);
    return place;
}

/* ---- One address ---- */

static int dial_and_talk(void *unused)
{
    struct place place = listen_somewhere();
    int client = nido_dial("127.0.0.1", place.port, NULL), server, on = 0;
    socklen_t length = sizeof on;
    char byte;

    (void)unused;
    cr_expect(ge(int, client, 0));
    cr_expect(eq(int, getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0));
    cr_expect(ne(int, on, 0));
    cr_expect(ne(int, fcntl(client, F_GETFD) & FD_CLOEXEC, 0));
    server = nido_accept(listener, NULL, NULL);
    cr_expect(eq(int, (int)nido_write(client, "x", 1), 1));
    cr_expect(eq(int, (int)nido_read(server, &byte, 1), 1));
    nido_close(client);
    cr_expect(eq(int, (int)nido_read(server, &byte, 1), 0));
    nido_close(server);
    return nido_close(listener);
}

NIDO_TEST(net_dial, a_dialled_socket_is_connected_and_owned)
{
    cr_expect(eq(int, nido_run(dial_and_talk, NULL, NULL), 0));
}

static int dial_a_closed_port(void *unused)
{
    struct place place = closed_place();

    (void)unused;
    cr_expect(eq(int, nido_dial("127.0.0.1", place.port, NULL), -ECONNREFUSED));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), place.port), NULL));
    return 0;
}

/* S272 */
NIDO_TEST(net_dial, a_closed_port_refuses_and_nothing_stays_open)
{
    cr_expect(eq(int, nido_run(dial_a_closed_port, NULL, NULL), 0));
}

/* The port is free, and of the range that the system draws from: bound first, it is the dial's own. */
static in_port_t own_port;

static int connect_from_own_port(int fd, const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = own_port};

    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address->sa_family == AF_INET)
        cr_expect(eq(int, bind(fd, (struct sockaddr *)&own, sizeof own), 0));
    return connect(fd, address, length) == 0 || errno == EINPROGRESS ? 0 : -errno;
}

static int dial_ones_own_port(void *unused)
{
    static const char *const hosts[] = {"127.0.0.1", "0.0.0.0"};

    (void)unused;
    for (int i = 0; i < 2; i++) {
        struct place place = closed_place();
        int again;

        own_port = place.address.sin_port;
        cr_expect(eq(int, nido_dial(hosts[i], place.port, NULL), -ECONNREFUSED));
        again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_expect(eq(int, bind(again, (struct sockaddr *)&place.address, sizeof place.address), 0),
                  "nothing holds the port");
        close(again);
    }
    return 0;
}

NIDO_TEST(net_dial, a_socket_is_never_connected_to_itself)
{
    faults_begin();
    nidoi_sys.connect = connect_from_own_port;
    cr_expect(eq(int, nido_run(dial_ones_own_port, NULL, NULL), 0));
    faults_end();
}

static int connect_to_a_closed_port(void *unused)
{
    struct place place = closed_place();
    struct sockaddr *address = (struct sockaddr *)&place.address;
    int fd = nido_socket(AF_INET, SOCK_STREAM, 0);

    (void)unused;
    cr_expect(eq(int, nido_connect(fd, address, sizeof place.address), -ECONNREFUSED));
    cr_expect(ge(int, fcntl(fd, F_GETFD), 0), "it is still open");
    return nido_close(fd);
}

/* S272 */
NIDO_TEST(net_dial, a_socket_of_the_callers_own_stays_open)
{
    cr_expect(eq(int, nido_run(connect_to_a_closed_port, NULL, NULL), 0));
}

static int connect_own_sockets(void *unused)
{
    struct place place = listen_somewhere();
    struct sockaddr *address = (struct sockaddr *)&place.address;
    char byte;

    (void)unused;
    for (int foreign = 0; foreign < 2; foreign++) {
        int fd = foreign ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
                         : nido_socket(AF_INET, SOCK_STREAM, 0);
        int server;

        nido_yield();
        cr_expect(eq(int, nido_connect(fd, address, sizeof place.address), 0));
        server = nido_accept(listener, NULL, NULL);
        cr_expect(eq(int, !(fcntl(fd, F_GETFL) & O_NONBLOCK), foreign));
        cr_expect(eq(int, (int)nido_write(server, "x", 1), 1));
        cr_expect(eq(int, (int)nido_read(fd, &byte, 1), 1));
        nido_close(fd);
        nido_close(server);
    }
    return nido_close(listener);
}

NIDO_TEST(net_dial, the_callers_own_socket_is_connected_owned_or_foreign)
{
    cr_expect(eq(int, nido_run(connect_own_sockets, NULL, NULL), 0));
}

static int dial_nonsense(void *unused)
{
    static const char *const no_ports[] = {"", "-1", "+80", " 80", "80 ", "65536", "70000"};
    nido_dial_options options;
    char path[200];

    (void)unused;
    nido_dial_options_init(&options);
    cr_expect(eq(int, nido_dial(NULL, "80", NULL), -EINVAL));
    cr_expect(eq(int, nido_dial("127.0.0.1", NULL, NULL), -EINVAL));
    for (size_t i = 0; i < sizeof no_ports / sizeof *no_ports; i++)
        cr_expect(eq(int, nido_dial("127.0.0.1", no_ports[i], NULL), -EINVAL), "%s", no_ports[i]);
    options.stagger_ns = -1;
    cr_expect(eq(int, nido_dial("127.0.0.1", "80", &options), -EINVAL));
    options.size = options.stagger_ns = 0;
    cr_expect(eq(int, nido_dial("127.0.0.1", "80", &options), -EINVAL));
    memset(path, 'a', sizeof path);
    memcpy(path, "unix:/", 6);
    path[sizeof path - 1] = 0;
    cr_expect(eq(int, nido_dial(path, NULL, NULL), -EINVAL), "too long");
    cr_expect(eq(int, nido_dial("unix:", NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_dial("unix:/nowhere/at/all", NULL, NULL), -ENOENT));
    return 0;
}

NIDO_TEST(net_dial, what_is_no_address_is_told)
{
    cr_expect(eq(int, io_run(dial_nonsense), 0));
}

static int dial_a_path(void *unused)
{
    int client, server;
    char byte;

    (void)unused;
    listener = io_listen();
    client = nido_dial(io_place(), NULL, NULL);
    server = nido_accept(listener, NULL, NULL);
    cr_expect(eq(int, (int)nido_write(client, "x", 1), 1));
    cr_expect(eq(int, (int)nido_read(server, &byte, 1), 1));
    nido_close(client);
    nido_close(server);
    nido_close(listener);
    cr_expect(eq(int, nido_dial(io_place(), NULL, NULL), -ECONNREFUSED), "a path left behind");
    return 0;
}

NIDO_TEST(net_dial, a_unix_path_is_dialled)
{
    cr_expect(eq(int, io_run(dial_a_path), 0));
}

/* The kernel has no way to tell when a full backlog of a Unix listener has room again. */
static int dial_a_full_backlog(void *unused)
{
    int64_t start = nido_now();
    int client;

    (void)unused;
    listener = io_listen();
    faults_fail(FAULT_connect, 1, -EAGAIN);
    client = nido_dial(io_place(), NULL, NULL);
    cr_expect(ge(int, client, 0));
    cr_expect(eq(ulong, faults_count(FAULT_connect), 2));
    cr_expect(gt(i64, nido_now(), start), "it has paused");
    nido_close(client);
    return nido_close(listener);
}

NIDO_TEST(net_dial, a_full_backlog_is_asked_again_after_a_pause)
{
    faults_begin();
    cr_expect(eq(int, io_run(dial_a_full_backlog), 0));
    faults_end();
}

static int fail_each_step(void *unused)
{
    static const enum fault steps[] = {FAULT_socket, FAULT_connect};

    (void)unused;
    listener = io_listen();
    for (int i = 0; i < 2; i++) {
        faults_fail(steps[i], 1, -ENOBUFS);
        cr_expect(eq(int, nido_dial(io_place(), NULL, NULL), -ENOBUFS));
    }
    return nido_close(listener);
}

NIDO_TEST(net_dial, a_dial_that_fails_at_any_step_leaves_nothing_open)
{
    faults_begin();
    cr_expect(eq(int, io_run(fail_each_step), 0));
    faults_end();
}

/* ---- Time ---- */

/* A place that never answers: its backlog is full, so that the kernel drops what asks. */
static int silent, stuffing[4];

static struct place silent_place(void)
{
    nido_listen_options options;
    struct place place;

    nido_listen_options_init(&options);
    options.backlog = 1;
    silent = nido_listen("127.0.0.1", "0", &options);
    place = place_of(silent);
    for (int i = 0; i < 4; i++) {
        stuffing[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(stuffing[i], (struct sockaddr *)&place.address, sizeof place.address);
    }
    return place;
}

static void close_silent(void)
{
    for (int i = 0; i < 4; i++) close(stuffing[i]);
    nido_close(silent);
}

static int dial_the_silent(void *unused)
{
    struct place place = silent_place();
    int64_t start = nido_now();
    nido_scope scope;
    int rc;

    (void)unused;
    nido_timeout_open(&scope, NIDO_MS(20));
    rc = nido_dial("127.0.0.1", place.port, NULL);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    cr_expect(nido_scope_fired(&scope));
    cr_expect(ge(i64, nido_now() - start, NIDO_MS(20)));
    close_silent();
    return 0;
}

NIDO_TEST(net_dial, a_deadline_ends_a_dial_and_closes_its_socket)
{
    cr_expect(eq(int, nido_test_run(dial_the_silent, NULL), 0));
}

static int time_out_in_the_kernel(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    listener = io_listen();
    nido_timeout_open(&scope, NIDO_SEC(3600));
    faults_fail(FAULT_connect, 1, -ETIMEDOUT);
    rc = nido_dial(io_place(), NULL, NULL);
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    cr_expect(not(nido_scope_fired(&scope)));
    return nido_close(listener);
}

/* S149 */
NIDO_TEST(net_dial, a_timeout_of_the_network_is_told_from_a_deadline)
{
    faults_begin();
    cr_expect(eq(int, io_run(time_out_in_the_kernel), 0));
    faults_end();
}

/* ---- Several addresses ---- */

static struct addrinfo entry(struct place *place, struct addrinfo *next)
{
    return (struct addrinfo){.ai_family = AF_INET,
                             .ai_socktype = SOCK_STREAM,
                             .ai_addr = (struct sockaddr *)&place->address,
                             .ai_addrlen = sizeof place->address,
                             .ai_next = next};
}

static uint16_t peer_port(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;

    cr_expect(eq(int, getpeername(fd, (struct sockaddr *)&address, &length), 0));
    return address.sin_port;
}

static int dial_past_the_silent(void *unused)
{
    struct place dead = silent_place(), alive = listen_somewhere();
    struct addrinfo second = entry(&alive, NULL), first = entry(&dead, &second);
    nido_dial_options options;
    int64_t start;
    int fd;

    (void)unused;
    nido_dial_options_init(&options);
    for (int i = 0; i < 2; i++) {
        options.stagger_ns = i ? NIDO_MS(40) : 0;
        start = nido_now();
        fd = nido_dial_any(&first, &options);
        cr_expect(eq(int, peer_port(fd), alive.address.sin_port));
        cr_expect(eq(i64, nido_now() - start, i ? NIDO_MS(40) : NIDO_MS(250)));
        nido_close(fd);
    }
    close_silent();
    return nido_close(listener);
}

NIDO_TEST(net_dial, the_next_address_is_tried_after_the_head_start)
{
    cr_expect(eq(int, nido_test_run(dial_past_the_silent, NULL), 0));
}

static int dial_past_the_closed(void *unused)
{
    struct place dead = closed_place(), alive = listen_somewhere();
    struct addrinfo second = entry(&alive, NULL), first = entry(&dead, &second);
    int64_t start = nido_now();
    int fd;

    (void)unused;
    faults_fail(FAULT_connect, 1, -ECONNREFUSED);
    fd = nido_dial_any(&first, NULL);
    cr_expect(eq(int, peer_port(fd), alive.address.sin_port));
    cr_expect(eq(i64, nido_now(), start), "at once");
    nido_close(fd);
    return nido_close(listener);
}

NIDO_TEST(net_dial, the_next_address_is_tried_at_once_when_one_fails)
{
    faults_begin();
    cr_expect(eq(int, nido_test_run(dial_past_the_closed, NULL), 0));
    faults_end();
}

/* A failure lets the next one start, and that one has its whole head start again. */
static int dial_past_a_closed_and_a_silent(void *unused)
{
    struct place closed = closed_place(), dead = silent_place(), alive = listen_somewhere();
    struct addrinfo third = entry(&alive, NULL), second = entry(&dead, &third);
    struct addrinfo first = entry(&closed, &second);
    int64_t start = nido_now();
    int fd;

    (void)unused;
    faults_fail(FAULT_connect, 1, -ECONNREFUSED);
    fd = nido_dial_any(&first, NULL);
    cr_expect(eq(int, peer_port(fd), alive.address.sin_port));
    cr_expect(eq(i64, nido_now() - start, NIDO_MS(250)));
    nido_close(fd);
    close_silent();
    return nido_close(listener);
}

NIDO_TEST(net_dial, after_a_failure_the_next_has_a_head_start_too)
{
    faults_begin();
    cr_expect(eq(int, nido_test_run(dial_past_a_closed_and_a_silent, NULL), 0));
    faults_end();
}

/* Of two addresses the first is refused, and the other does not answer before the deadline. */
static int dial_until_the_deadline(void *unused)
{
    struct place closed = closed_place(), dead = silent_place();
    struct addrinfo second = entry(&dead, NULL), first = entry(&closed, &second);
    nido_scope scope;
    int rc;

    (void)unused;
    faults_fail(FAULT_connect, 1, -ENETUNREACH);
    nido_timeout_open(&scope, NIDO_SEC(2));
    rc = nido_dial_any(&first, NULL);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_error_code(nido_error_last()), -ENETUNREACH));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    close_silent();
    return 0;
}

NIDO_TEST(net_dial, a_cancelled_dial_says_so_whatever_failed_before)
{
    faults_begin();
    cr_expect(eq(int, nido_test_run(dial_until_the_deadline, NULL), 0));
    faults_end();
}

enum { VERY_MANY = 70, MOST_TRIED = 64 };

static int dial_very_many(void *unused)
{
    static struct addrinfo list[VERY_MANY];
    struct place place = closed_place();

    (void)unused;
    for (int i = VERY_MANY; i-- > 0;)
        list[i] = entry(&place, i + 1 < VERY_MANY ? &list[i + 1] : NULL);
    faults_fail(FAULT_connect, FAULT_ALWAYS, -ECONNREFUSED);
    cr_expect(eq(int, nido_dial_any(list, NULL), -ECONNREFUSED));
    cr_expect(eq(ulong, faults_count(FAULT_connect), MOST_TRIED));
    return 0;
}

NIDO_TEST(net_dial, of_very_many_addresses_64_are_tried)
{
    faults_begin();
    cr_expect(eq(int, nido_test_run(dial_very_many, NULL), 0));
    faults_end();
}

static int dial_only_closed(void *unused)
{
    struct place place = closed_place();
    struct addrinfo second = entry(&place, NULL), first = entry(&place, &second);
    const nido_error *error;

    (void)unused;
    faults_fail(FAULT_connect, 1, -ENETUNREACH);
    cr_expect(eq(int, nido_dial_any(&first, NULL), -ENETUNREACH), "the first one's");
    error = nido_error_last();
    cr_expect(eq(int, nido_error_code(error), -ENETUNREACH));
    cr_expect(ne(ptr, (void *)nido_error_find(error, -ECONNREFUSED), NULL), "the second's");
    return 0;
}

NIDO_TEST(net_dial, when_all_fail_the_first_failure_is_the_answer_with_the_others)
{
    faults_begin();
    cr_expect(eq(int, nido_test_run(dial_only_closed, NULL), 0));
    faults_end();
}

static int dial_nobody(void *unused)
{
    struct place place = closed_place();
    struct addrinfo packet = entry(&place, NULL);

    (void)unused;
    packet.ai_socktype = SOCK_DGRAM;
    cr_expect(eq(int, nido_dial_any(NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_dial_any(&packet, NULL), -EINVAL), "no stream among them");
    return 0;
}

NIDO_TEST(net_dial, an_empty_list_is_refused)
{
    cr_expect(eq(int, io_run(dial_nobody), 0));
}

/* Families alternate, beginning with the first; within one the order is kept. */
static int families[8], attempts;
static struct nidoi_sys before_us;

static int note_family(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)length;
    families[attempts++] =
        address->sa_family == AF_INET6 ? 6 : ((const struct sockaddr_in *)address)->sin_port;
    return -ECONNREFUSED;
}

static int dial_both_families(void *unused)
{
    struct place one = {.address = {.sin_family = AF_INET, .sin_port = 1}};
    struct place two = {.address = {.sin_family = AF_INET, .sin_port = 2}};
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct addrinfo six = {.ai_family = AF_INET6,
                           .ai_addr = (struct sockaddr *)&loopback,
                           .ai_addrlen = sizeof loopback};
    struct addrinfo second = entry(&two, &six), first = entry(&one, &second);

    (void)unused;
    cr_expect(eq(int, nido_dial_any(&first, NULL), -ECONNREFUSED));
    cr_expect(eq(int, attempts, 3));
    cr_expect(families[0] == 1 && families[1] == 6 && families[2] == 2);
    return 0;
}

NIDO_TEST(net_dial, families_alternate)
{
    before_us = nidoi_sys;
    nidoi_sys.connect = note_family;
    cr_expect(eq(int, io_run(dial_both_families), 0));
    nidoi_sys = before_us;
}

static int cancel_a_race(void *unused)
{
    struct place dead = silent_place();
    struct addrinfo second = entry(&dead, NULL), first = entry(&dead, &second);
    nido_scope scope;
    int rc;

    (void)unused;
    nido_timeout_open(&scope, NIDO_MS(400));
    rc = nido_dial_any(&first, NULL);
    cr_expect(eq(int, rc, -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, rc), -ETIMEDOUT));
    close_silent();
    return 0;
}

NIDO_TEST(net_dial, a_cancelled_race_closes_every_attempt)
{
    cr_expect(eq(int, nido_test_run(cancel_a_race, NULL), 0));
}

static int win_twice(void *unused)
{
    struct place here = listen_somewhere();
    struct addrinfo second = entry(&here, NULL), first = entry(&here, &second);
    nido_dial_options options;
    int fd;

    (void)unused;
    nido_dial_options_init(&options);
    options.stagger_ns = 1;
    fd = nido_dial_any(&first, &options);
    cr_expect(ge(int, fd, 0));
    nido_close(fd);
    return nido_close(listener);
}

/* Whether one or two attempts succeed, one descriptor comes back: the others are counted by
 * NIDO_TEST. */
NIDO_TEST(net_dial, of_several_that_answer_one_stays_open)
{
    cr_expect(eq(int, nido_run(win_twice, NULL, NULL), 0));
}

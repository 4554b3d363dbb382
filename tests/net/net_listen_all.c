/* SPDX-License-Identifier: MIT */
/* A listener at each address of a name: the families, the port, what is taken or not there. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "faults.h"
#include "inside_help.h"
#include "io_help.h"

enum { MOST = 4 };

static int fds[MOST];

static void close_all(int n)
{
    for (int i = 0; i < n; i++) cr_expect(zero(int, nido_close(fds[i])));
}

static int family_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    cr_expect(zero(int, getsockname(fd, (struct sockaddr *)&address, &length)));
    return address.ss_family;
}

static bool has_ipv6(void)
{
    int fd = nido_listen("::1", "0", NULL);

    if (fd >= 0) nido_close(fd);
    return fd >= 0;
}

/* A task that accepts one connection, as a dial to that host reaches it. */
static int accept_one(void *fd)
{
    int accepted = nido_accept(*(int *)fd, NULL, NULL);

    if (accepted < 0) return accepted;
    return nido_close(accepted);
}

static void expect_reached(int *fd, const char *host)
{
    char port[8];
    nido_group group;
    int dialled;

    snprintf(port, sizeof port, "%d", nido_local_port(*fd));
    nido_group_open(&group, NIDO_FAIL_FAST, "pair");
    begin(&group, accept_one, fd);
    dialled = nido_dial(host, port, NULL);
    cr_expect(ge(int, dialled, 0), "%s", host);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    if (dialled >= 0) nido_close(dialled);
}

static int listen_everywhere(void *unused)
{
    bool both = has_ipv6();
    int n = nido_listen_all(NULL, "0", NULL, fds, MOST);

    (void)unused;
    cr_expect(eq(int, n, both ? 2 : 1));
    cr_expect(eq(int, family_of(fds[n - 1]), AF_INET));
    if (both) cr_expect(eq(int, family_of(fds[0]), AF_INET6));
    cr_expect(eq(int, nido_local_port(fds[0]), nido_local_port(fds[n - 1])), "the same port");
    cr_expect(gt(int, nido_local_port(fds[0]), 0));
    expect_reached(&fds[n - 1], "127.0.0.1");
    if (both) expect_reached(&fds[0], "::1");
    close_all(n);
    return 0;
}

NIDO_TEST(net_listen_all, both_families_get_the_same_free_port)
{
    cr_expect(zero(int, nido_run(listen_everywhere, NULL, NULL)));
}

INSIDE(net_listen_all, one_family_may_be_chosen)
{
    nido_listen_options options = NIDO_LISTEN_OPTIONS(.family = AF_INET);

    cr_expect(eq(int, nido_listen_all(NULL, "0", &options, fds, MOST), 1));
    cr_expect(eq(int, family_of(fds[0]), AF_INET));
    close_all(1);
    cr_expect(eq(int, nido_listen_all("::1", "0", &options, fds, MOST), -EAFNOSUPPORT));
    options.family = AF_INET6;
    if (has_ipv6()) {
        cr_expect(eq(int, nido_listen_all(NULL, "0", &options, fds, MOST), 1));
        cr_expect(eq(int, family_of(fds[0]), AF_INET6));
        close_all(1);
    }
}

INSIDE(net_listen_all, a_path_is_one_address)
{
    unlink(io_place() + 5);
    cr_expect(eq(int, nido_listen_all(io_place(), NULL, NULL, fds, MOST), 1));
    cr_expect(eq(int, family_of(fds[0]), AF_UNIX));
    close_all(1);
    unlink(io_place() + 5);
}

/* ---- Names ---- */

static int (*real_getaddrinfo)(const char *host, const char *service, const struct addrinfo *hints,
                               struct addrinfo **out, int *why);

/* The loopback addresses of both families, each more than once: as streams, as datagrams. */
static int resolve_both(const char *host, const char *service, const struct addrinfo *hints,
                        struct addrinfo **out, int *why)
{
    struct addrinfo loose = {.ai_flags = AI_NUMERICSERV, .ai_family = hints->ai_family};

    (void)host;
    return real_getaddrinfo(NULL, service, &loose, out, why);
}

static void resolve_begin(void)
{
    real_getaddrinfo = nidoi_sys.getaddrinfo;
    faults_begin();
    nidoi_sys.getaddrinfo = resolve_both;
}

static int listen_at_name(void *unused)
{
    int both = has_ipv6(), n;

    (void)unused;
    resolve_begin();
    n = nido_listen_all("both.test", "0", NULL, fds, MOST);
    faults_end();
    cr_expect(eq(int, n, both + 1), "each address once");
    if (n < 1) return n;
    cr_expect(eq(int, nido_local_port(fds[0]), nido_local_port(fds[n - 1])));
    for (int i = 0; i < n; i++)
        expect_reached(&fds[i], family_of(fds[i]) == AF_INET ? "127.0.0.1" : "::1");
    close_all(n);
    return 0;
}

NIDO_TEST(net_listen_all, every_address_of_a_name_is_listened_at_once)
{
    cr_expect(zero(int, nido_run(listen_at_name, NULL, NULL)));
}

INSIDE(net_listen_all, a_name_that_does_not_exist_is_told)
{
    faults_begin();
    faults_fail(FAULT_getaddrinfo, 1, -ENOENT);
    cr_expect(eq(int, nido_listen_all("no.test", "80", NULL, fds, MOST), -ENOENT));
    faults_end();
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), "no.test"), NULL));
}

/* ---- What is not there, or taken ---- */

INSIDE(net_listen_all, a_family_that_is_not_there_is_left_out)
{
    int both = has_ipv6(), n;

    faults_begin();
    faults_fail(FAULT_socket, 1, -EAFNOSUPPORT);
    n = nido_listen_all(NULL, "0", NULL, fds, MOST);
    cr_expect(eq(int, n, 1));
    cr_expect(eq(int, family_of(fds[0]), AF_INET));
    close_all(n);
    if (both) {
        faults_fail(FAULT_bind, 1, -EADDRNOTAVAIL);
        n = nido_listen_all(NULL, "0", NULL, fds, MOST);
        cr_expect(eq(int, n, 1), "the kernel knows IPv6 and has no address of it");
        close_all(n);
    }
    faults_fail(FAULT_socket, FAULT_ALWAYS, -EAFNOSUPPORT);
    cr_expect(eq(int, nido_listen_all(NULL, "0", NULL, fds, MOST), -EAFNOSUPPORT));
    faults_end();
}

INSIDE(net_listen_all, a_port_that_the_other_family_has_taken_is_given_up_for_another)
{
    int both = has_ipv6(), n;

    faults_begin();
    faults_fail(FAULT_bind, 2, -EADDRINUSE);
    n = nido_listen_all(NULL, "0", NULL, fds, MOST);
    cr_expect(eq(int, n, both + 1));
    if (both)
        cr_expect(ge(int, (int)faults_count(FAULT_bind), 4), "more if one was taken in truth");
    cr_expect(eq(int, nido_local_port(fds[0]), nido_local_port(fds[n - 1])));
    close_all(n);
    faults_end();
}

INSIDE(net_listen_all, a_port_that_was_asked_for_is_tried_once)
{
    faults_begin();
    faults_fail(FAULT_bind, FAULT_ALWAYS, -EADDRINUSE);
    cr_expect(eq(int, nido_listen_all("127.0.0.1", "7", NULL, fds, MOST), -EADDRINUSE));
    cr_expect(eq(int, (int)faults_count(FAULT_bind), 1));
    cr_expect(eq(int, nido_listen_all("127.0.0.1", "0", NULL, fds, MOST), -EADDRINUSE));
    cr_expect(le(int, (int)faults_count(FAULT_bind), 20), "not for ever");
    faults_end();
}

/* No descriptor is left: NIDO_TEST counts them. */
INSIDE(net_listen_all, a_failure_of_one_closes_the_others)
{
    int both = has_ipv6();

    faults_begin();
    faults_fail(FAULT_listen, (unsigned)both + 1, -EADDRINUSE);
    cr_expect(eq(int, nido_listen_all(NULL, "12345", NULL, fds, MOST), -EADDRINUSE));
    faults_fail(FAULT_memory, 1, -ENOMEM);
    cr_expect(eq(int, nido_listen_all(NULL, "0", NULL, fds, MOST), -ENOMEM));
    faults_end();
    cr_expect(eq(int, nido_listen_all(NULL, "0", NULL, fds, (size_t)both), -ENOSPC));
}

INSIDE(net_listen_all, bad_arguments_are_refused)
{
    nido_listen_options options = NIDO_LISTEN_OPTIONS(.backlog = -1);

    cr_expect(eq(int, nido_listen_all(NULL, "0", &options, fds, MOST), -EINVAL));
    cr_expect(eq(int, nido_listen_all(NULL, "0", NULL, NULL, MOST), -EINVAL));
    cr_expect(eq(int, nido_listen_all(NULL, "65536", NULL, fds, MOST), -EINVAL));
    cr_expect(eq(int, nido_listen_all("unix:", NULL, NULL, fds, MOST), -EINVAL));
    cr_expect(eq(int, nido_listen_all(NULL, NULL, NULL, fds, MOST), -EINVAL));
}

INSIDE(net_listen_all, a_cancelled_caller_listens_nowhere)
{
    nido_scope scope;
    int rc;

    nido_timeout_open(&scope, 0);
    rc = nido_listen_all(NULL, "0", NULL, fds, MOST);
    cr_expect(eq(int, rc, -ECANCELED));
    nido_scope_close(&scope, rc);
}

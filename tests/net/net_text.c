/* SPDX-License-Identifier: MIT */
/* Addresses as texts, and back; the options of sockets that are made for the caller. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/sys.h"
#include "nido_test.h"

/* ---- Texts ---- */

NIDO_TEST(net_text, each_kind_of_address_is_written_and_read)
{
    static const char *const texts[] = {"192.0.2.1:80",   "0.0.0.0:0", "[2001:db8::1]:65535",
                                        "[fe80::1%1]:80", "[::]:1",    "unix:/run/socket",
#ifdef __linux__
                                        "unix:@abstract",
#endif
                                        "unix:relative"};
    struct sockaddr_storage address;
    char text[NIDO_ADDRESS_TEXT];
    socklen_t length;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect(zero(int, nido_address_parse(texts[i], &address, &length)), "%s", texts[i]);
        cr_expect(eq(int, nido_address_text((void *)&address, length, text, sizeof text),
                     (int)strlen(texts[i])));
        cr_expect(eq(str, text, (char *)texts[i]));
    }
}

NIDO_TEST(net_text, what_is_no_address_is_refused)
{
    static const char *const texts[] = {"",
                                        "192.0.2.1",
                                        "192.0.2.1:",
                                        ":80",
                                        "::1:80",
                                        "[::1]",
                                        "[::1]80",
                                        "[192.0.2.1]:80",
                                        "name:80",
                                        "[::1]:http",
                                        "192.0.2.1:http",
                                        "192.0.2.1:65536",
                                        "192.0.2.1:-1",
                                        "unix:",
                                        "[::1:80",
                                        "1.2.3.4:80:90"};
    struct sockaddr_storage address;
    char longest[300];
    socklen_t length;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect(eq(int, nido_address_parse(texts[i], &address, &length), -EINVAL), "%s",
                  texts[i]);
    memset(longest, '1', sizeof longest);
    longest[sizeof longest - 1] = 0;
    cr_expect(eq(int, nido_address_parse(longest, &address, &length), -EINVAL));
    cr_expect(eq(int, nido_address_parse(NULL, &address, &length), -EINVAL));
}

NIDO_TEST(net_text, a_text_that_does_not_fit_or_has_no_address_says_so)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct sockaddr_un none = {.sun_family = AF_UNIX};
    char text[NIDO_ADDRESS_TEXT];

    inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
    cr_expect(eq(int, nido_address_text((void *)&in, sizeof in, text, 12), -ENOSPC));
    cr_expect(eq(str, text, "192.0.2.1:8"), "as far as it goes");
    cr_expect(eq(int, nido_address_text((void *)&in, sizeof in, text, 13), 12));
    cr_expect(eq(int, nido_address_text((void *)&in, 4, text, sizeof text), -EINVAL));
    cr_expect(eq(int, nido_address_text((void *)&in, 0, text, sizeof text), -EINVAL));
    in.sin_family = AF_UNSPEC;
    cr_expect(eq(int, nido_address_text((void *)&in, sizeof in, text, sizeof text), -EAFNOSUPPORT));
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.sin6_addr);
    nido_address_text((void *)&mapped, sizeof mapped, text, sizeof text);
    cr_expect(eq(str, text, "192.0.2.1:443"));
    cr_expect(eq(
        int,
        nido_address_text((void *)&none, offsetof(struct sockaddr_un, sun_path), text, sizeof text),
        5));
    cr_expect(eq(str, text, "unix:"));
    memset(none.sun_path, 'a', sizeof none.sun_path); /* no zero at its end, as the kernel allows */
    cr_expect(eq(int, nido_address_text((void *)&none, sizeof none, text, sizeof text),
                 5 + (int)sizeof none.sun_path));
}

static int tell_addresses(void *unused)
{
    int listener = nido_listen("127.0.0.1", "0", NULL), port = nido_local_port(listener);
    char service[8], own[NIDO_ADDRESS_TEXT], text[NIDO_ADDRESS_TEXT];
    int client, pair[2], pipes[2];

    (void)unused;
    cr_expect(gt(int, port, 0));
    snprintf(service, sizeof service, "%d", port);
    snprintf(own, sizeof own, "127.0.0.1:%d", port);
    cr_expect(gt(int, nido_local_text(listener, text, sizeof text), 0));
    cr_expect(eq(str, text, own));
    cr_expect(eq(int, nido_peer_text(listener, text, sizeof text), -ENOTCONN));
    client = nido_dial("127.0.0.1", service, NULL);
    cr_expect(gt(int, nido_peer_text(client, text, sizeof text), 0));
    cr_expect(eq(str, text, own));
    nido_close(client);
    nido_close(listener);
    cr_expect(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, pair)));
    cr_expect(eq(int, nido_local_port(pair[0]), -EAFNOSUPPORT));
    cr_expect(eq(int, nido_peer_text(pair[0], text, sizeof text), 5));
    cr_expect(eq(str, text, "unix:"));
    nido_close(pair[0]);
    nido_close(pair[1]);
    cr_expect(zero(int, pipe(pipes)));
    cr_expect(eq(int, nido_local_port(pipes[0]), -ENOTSOCK));
    close(pipes[0]);
    close(pipes[1]);
    cr_expect(eq(int, nido_local_text(pipes[0], text, sizeof text), -EBADF));
    return 0;
}

NIDO_TEST(net_text, a_socket_tells_its_address_its_peers_and_its_port)
{
    cr_expect(zero(int, nido_run(tell_addresses, NULL, NULL)));
}

static int no_peer(int fd, struct sockaddr_storage *own, struct sockaddr_storage *peer)
{
    socklen_t length = sizeof *own;

    memset(own, 0, sizeof *own);
    (void)peer;
    return getsockname(fd, (void *)own, &length) ? -errno : -ENOSYS;
}

/* A filter of system calls may refuse getpeername alone. */
static int tell_own_address_alone(void *unused)
{
    int (*addresses)(int, struct sockaddr_storage *, struct sockaddr_storage *) =
        nidoi_sys.addresses;
    int listener = nido_listen("127.0.0.1", "0", NULL);
    char text[NIDO_ADDRESS_TEXT];

    (void)unused;
    nidoi_sys.addresses = no_peer;
    cr_expect(gt(int, nido_local_port(listener), 0));
    cr_expect(gt(int, nido_local_text(listener, text, sizeof text), 0));
    cr_expect(eq(int, nido_peer_text(listener, text, sizeof text), -ENOSYS));
    nidoi_sys.addresses = addresses;
    return nido_close(listener);
}

NIDO_TEST(net_text, the_own_address_does_not_depend_on_the_peers)
{
    cr_expect(zero(int, nido_run(tell_own_address_alone, NULL, NULL)));
}

#ifdef __linux__
static int dial_abstract(void *unused)
{
    int listener, client;
    char text[NIDO_ADDRESS_TEXT], name[64];

    (void)unused;
    snprintf(name, sizeof name, "unix:@nido-test-%d", getpid());
    listener = nido_listen(name, NULL, NULL);
    cr_expect(ge(int, listener, 0));
    nido_local_text(listener, text, sizeof text);
    cr_expect(eq(str, text, name));
    client = nido_dial(name, NULL, NULL);
    cr_expect(ge(int, client, 0));
    nido_peer_text(client, text, sizeof text);
    cr_expect(eq(str, text, name));
    nido_close(client);
    nido_close(listener);
    cr_expect(eq(int, nido_dial(name, NULL, NULL), -ECONNREFUSED));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), name), NULL));
    return 0;
}

NIDO_TEST(net_text, an_abstract_name_is_listened_at_and_dialled)
{
    cr_expect(zero(int, nido_run(dial_abstract, NULL, NULL)));
}
#endif

/* ---- Sockets that are made for the caller ---- */

struct preparation {
    int calls, rc, family;
};

static int prepare(void *ctx, int fd, const struct sockaddr *address)
{
    struct preparation *preparation = ctx;
    int on = 1;

    preparation->calls++;
    preparation->family = address->sa_family;
    cr_expect(eq(int, nido_yield(), -EDEADLK), "it must not park");
    if (preparation->rc < 0) return preparation->rc;
    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) ? -errno : 0;
}

static bool keeps_alive(int fd)
{
    int on = 0;
    socklen_t length = sizeof on;

    return !getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &length) && on;
}

static int dial_prepared(void *unused)
{
    struct preparation listening = {0}, dialling = {0};
    nido_listen_options listen = NIDO_LISTEN_OPTIONS(.prepare = prepare, .ctx = &listening);
    nido_dial_options dial = NIDO_DIAL_OPTIONS(.prepare = prepare, .ctx = &dialling);
    int listener = nido_listen("127.0.0.1", "0", &listen), client;
    char service[8];

    (void)unused;
    cr_expect(ge(int, listener, 0));
    cr_expect(eq(int, listening.calls, 1));
    cr_expect(keeps_alive(listener));
    snprintf(service, sizeof service, "%d", nido_local_port(listener));
    client = nido_dial("127.0.0.1", service, &dial);
    cr_expect(ge(int, client, 0));
    cr_expect(keeps_alive(client));
    cr_expect(eq(int, dialling.family, AF_INET));
    nido_close(client);
    client = nido_dial("localhost", service, &dial);
    cr_expect(ge(int, client, 0), "each attempt has its own");
    cr_expect(keeps_alive(client));
    nido_close(client);
    nido_close(listener);
    listening.rc = dialling.rc = -EACCES;
    cr_expect(eq(int, nido_listen("127.0.0.1", "0", &listen), -EACCES));
    cr_expect(eq(int, nido_dial("127.0.0.1", service, &dial), -EACCES));
    return 0;
}

NIDO_TEST(net_text, a_socket_is_prepared_by_the_caller_before_it_is_bound_or_connected)
{
    cr_expect(zero(int, nido_run(dial_prepared, NULL, NULL)));
}

static int choose_family(void *unused)
{
    nido_listen_options listen = NIDO_LISTEN_OPTIONS(.family = AF_INET);
    nido_dial_options dial = NIDO_DIAL_OPTIONS(.family = AF_INET);
    int listener = nido_listen(NULL, "0", &listen), client;
    char service[8], text[NIDO_ADDRESS_TEXT];

    (void)unused;
    snprintf(service, sizeof service, "%d", nido_local_port(listener));
    nido_local_text(listener, text, sizeof text);
    cr_expect(eq(int, strncmp(text, "0.0.0.0:", 8), 0));
    client = nido_dial("localhost", service, &dial);
    cr_expect(ge(int, client, 0));
    nido_peer_text(client, text, sizeof text);
    cr_expect(eq(int, strncmp(text, "127.", 4), 0));
    nido_close(client);
    nido_close(listener);
    dial.family = listen.family = AF_INET6;
    cr_expect(eq(int, nido_dial("127.0.0.1", service, &dial), -EAFNOSUPPORT));
    cr_expect(eq(int, nido_listen("127.0.0.1", "0", &listen), -EAFNOSUPPORT));
    listener = nido_listen(NULL, "0", &listen);
    if (listener >= 0) { /* where there is IPv6 */
        int alone = 0;
        socklen_t size = sizeof alone;

        cr_expect(zero(int, getsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &alone, &size)));
        cr_expect(eq(int, alone, 1), "IPv4 peers are of another family");
        nido_close(listener);
    }
    dial.family = listen.family = AF_UNIX;
    cr_expect(eq(int, nido_dial("127.0.0.1", service, &dial), -EINVAL));
    cr_expect(eq(int, nido_listen("127.0.0.1", "0", &listen), -EINVAL));
    return 0;
}

NIDO_TEST(net_text, a_family_can_be_chosen)
{
    cr_expect(zero(int, nido_run(choose_family, NULL, NULL)));
}

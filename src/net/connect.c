/* SPDX-License-Identifier: MIT */
/* net/connect.c: a socket that listens at an address, a socket that is connected to one. */
#include "net/connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/sys.h"
#include "coro/scope/options.h"
#include "io/fd.h"
#include "net/address.h"
#include "net/names.h"
#include "net/socket.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"
#include "nido/time.h"

/* The caller's options of a socket. No text of its own: the caller's callback may have left one. */
static int prepare_socket(int fd, nido_prepare_fn *prepare, void *ctx,
                          const struct sockaddr *address)
{
    struct nidoi_sched *sched = nidoi_sched_self;
    int err;

    if (!prepare) return 0;
    nidoi_no_parking_begin(sched);
    err = prepare(ctx, fd, address);
    nidoi_no_parking_end(sched);
    return err > 0 ? 0 : err;
}

/* ---- Listening ---- */

static int listener_set_up_inet(int fd, int family, const nido_listen_options *options)
{
    int err = nidoi_sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (!err) err = nidoi_sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* inherited */
    if (!err && family == AF_INET6)
        err = nidoi_sys.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
                                   options->v6_only || options->family == AF_INET6);
    return err;
}

static int listener_set_up(int fd, const struct nidoi_address *address,
                           const nido_listen_options *options)
{
    int family = address->bytes.ss_family, err = 0;

    if (family != AF_UNIX) err = listener_set_up_inet(fd, family, options);
    if (!err && options->reuse_port) err = nidoi_sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!err)
        err = prepare_socket(fd, options->prepare, options->ctx, (const void *)&address->bytes);
    if (!err) err = nidoi_sys.bind(fd, (const void *)&address->bytes, address->length);
    return err ? err : nidoi_sys.listen(fd, options->backlog ? options->backlog : SOMAXCONN);
}

int nidoi_listen_at(struct nidoi_loop *loop, const struct nidoi_address *address,
                    const nido_listen_options *options)
{
    int family = address->bytes.ss_family, fd, err;

    if (options->family && options->family != family)
        return nidoi_address_fail(-EAFNOSUPPORT, "listen on", (const void *)&address->bytes,
                                  address->length);
    fd = nidoi_sys.socket(family, SOCK_STREAM, 0);
    if (fd < 0) return fd;
    err = listener_set_up(fd, address, options);
    if (err) {
        nidoi_sys.close(fd);
        return nidoi_address_fail(err, "listen on", (const void *)&address->bytes, address->length);
    }
    nidoi_fd_adopt(loop, fd, nidoi_fd_stream(fd, family) | NIDOI_FD_PROMPT);
    return fd;
}

/* Listens on the first of the name's addresses that the system accepts. */
static int listen_by_name(struct nidoi_loop *loop, const char *host, const char *service,
                          const nido_listen_options *options)
{
    struct addrinfo hints = {
        .ai_flags = AI_PASSIVE, .ai_family = options->family, .ai_socktype = SOCK_STREAM};
    struct nidoi_lookup lookup;
    int fd = nidoi_lookup(host, service, &hints, &lookup);

    if (fd) return nidoi_lookup_explained(&lookup, host, service);
    fd = -ENOENT;
    for (const struct addrinfo *at = lookup.found; at && fd < 0; at = at->ai_next) {
        struct nidoi_address address;

        fd = nidoi_address_copy(at, &address);
        if (!fd) fd = nidoi_listen_at(loop, &address, options);
    }
    freeaddrinfo(lookup.found);
    return fd;
}

static int listen_on(struct nidoi_loop *loop, const char *host, const char *service,
                     const nido_listen_options *options)
{
    struct nidoi_address address;
    int err = nidoi_address_parse(host, service, AI_PASSIVE, &address);

    if (!err) return nidoi_listen_at(loop, &address, options);
    if (err == -ENOMEM)
        return nido_fail(err, "listen on %s port %s", host, service ? service : "(none)");
    if (nidoi_address_is_path(host) || !nidoi_address_is_service(service))
        return nido_fail(-EINVAL, "listen on %s port %s: no such address", host,
                         service ? service : "(none)");
    return listen_by_name(loop, host, service, options);
}

bool nidoi_listen_options_valid(const nido_listen_options *options)
{
    return options->backlog >= 0 && nidoi_address_is_family(options->family);
}

/* The system has no IPv6, or no sockets that serve both. */
static bool is_for_ipv4_alone(int err)
{
    return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL || err == -EINVAL;
}

int nido_listen(const char *host, const char *service, const nido_listen_options *options)
{
    nido_listen_options room;
    struct nidoi_loop *loop;
    int fd = nidoi_io_enter(&loop);

    if (fd) return fd;
    options = NIDOI_OPTIONS(nido_listen_options, options, &room);
    if (!options || !nidoi_listen_options_valid(options)) return -EINVAL;
    if (!host && options->family == AF_INET) return listen_on(loop, "0.0.0.0", service, options);
    fd = listen_on(loop, host ? host : "::", service, options);
    if (!host && !options->v6_only && !options->family && is_for_ipv4_alone(fd))
        fd = listen_on(loop, "0.0.0.0", service, options);
    return fd;
}

/* ---- Connecting to one address ---- */

/* If nothing listens on the port, and the port is in the range from which the system takes local
 * ports, the socket may be given that very port and be connected to itself. Such a connection is
 * dissolved; an ordinary close would keep the port in use for a minute. */
static int refuse_self_connection(int fd)
{
    struct sockaddr_storage own, peer;

    if (nidoi_sys.addresses(fd, &own, &peer) || memcmp(&own, &peer, sizeof own) != 0) return 0;
    nidoi_sys.connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
    return -ECONNREFUSED;
}

/* The socket is registered after the attempt has begun: the kernel reports a hang-up of an
 * unconnected one. */
static int connect_socket(int fd, const struct sockaddr *address, socklen_t length)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err;

    while ((err = nidoi_sys.connect(fd, address, length)) == -EAGAIN) {
        err = nido_sleep(NIDO_MS(5)); /* a full Unix backlog; no report says when it has room */
        if (err) return err;
    }
    if (err && err != -EINPROGRESS) return err;
    nidoi_fd_adopt(loop, fd, nidoi_fd_stream(fd, address->sa_family));
    return err ? nidoi_socket_connected(loop, fd) : 0;
}

static int connect_inet_socket(int fd, const struct sockaddr *address, socklen_t length)
{
    int err = nidoi_sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);

    if (!err) err = connect_socket(fd, address, length);
    return err ? err : refuse_self_connection(fd);
}

int nidoi_connect_address(const struct sockaddr *address, socklen_t length,
                          const nido_dial_options *options)
{
    struct nidoi_loop *loop;
    int fd, err = nidoi_io_enter(&loop);

    if (err) return err;
    fd = nidoi_sys.socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0) return nidoi_address_fail(fd, "socket for", address, length);
    err = prepare_socket(fd, options->prepare, options->ctx, address);
    if (!err && address->sa_family == AF_UNIX)
        err = connect_socket(fd, address, length);
    else if (!err)
        err = connect_inet_socket(fd, address, length);
    if (!err) return fd;
    nido_close(fd);
    return nidoi_address_fail(err, "connect to", address, length);
}

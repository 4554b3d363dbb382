/* net/connect.c: from an address or a name to a socket. */
#include "net/connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/sys.h"
#include "io/fd.h"
#include "net/names.h"
#include "net/socket.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"
#include "nido/time.h"

void nido_listen_options_init(nido_listen_options *options)
{
    *options = (nido_listen_options){.size = sizeof *options};
}

void nido_dial_options_init(nido_dial_options *options)
{
    *options = (nido_dial_options){.size = sizeof *options};
}

/* ---- Addresses ---- */

struct target {
    struct sockaddr_storage address;
    socklen_t length;
};

static bool is_path(const char *host)
{
    return host && strncmp(host, "unix:", 5) == 0;
}

static int unix_target(const char *path, struct target *out)
{
    struct sockaddr_un *address = (void *)&out->address;
    size_t length = strlen(path);

    *out = (struct target){.length = sizeof *address};
    if (!length || length >= sizeof address->sun_path) return -EINVAL;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

/* How long an address is, the resolver says. */
static int target_of(const struct addrinfo *found, struct target *out)
{
    if (found->ai_addrlen > sizeof out->address) return -EAFNOSUPPORT;
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->length = found->ai_addrlen;
    return 0;
}

/* A name, or a number that is a port: getaddrinfo takes 70000 for 4464, -1 for 65535, and nothing at
 * all for 0. */
static bool is_service(const char *service)
{
    size_t digits = service ? strspn(service, "0123456789") : 0;

    if (!service || strpbrk(service, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        return service != NULL;
    return digits > 0 && digits <= 5 && !service[digits] && atoi(service) <= UINT16_MAX;
}

/* Numeric only, so it does not wait for anybody; -EINVAL: it is a name. */
static int parse(const char *host, const char *service, int flags, struct target *out)
{
    struct addrinfo hints = {.ai_flags = flags | AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int err;

    if (is_path(host)) return unix_target(host + 5, out);
    if (!is_service(service) || getaddrinfo(host, service, &hints, &found) != 0) return -EINVAL;
    err = target_of(found, out);
    freeaddrinfo(found);
    return err;
}

static int explained(int err, const char *what, const struct sockaddr *address, socklen_t length)
{
    char host[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?";

    if (err == -ECANCELED) return err;
    if (address->sa_family == AF_UNIX)
        return nido_fail(err, "%s unix:%s", what,
                         ((const struct sockaddr_un *)(const void *)address)->sun_path);
    getnameinfo(address, length, host, sizeof host, service, sizeof service,
                NI_NUMERICHOST | NI_NUMERICSERV);
    return nido_fail(err, "%s %s port %s", what, host, service);
}

/* ---- Listening ---- */

static int set_up_inet(int fd, int family, const nido_listen_options *options)
{
    int err = nidoi_sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (!err) err = nidoi_sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* inherited */
    if (!err && family == AF_INET6)
        err = nidoi_sys.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only);
    return err;
}

static int set_up_listener(int fd, const struct target *target, const nido_listen_options *options)
{
    int family = target->address.ss_family, err = 0;

    if (family != AF_UNIX) err = set_up_inet(fd, family, options);
    if (!err && options->reuse_port) err = nidoi_sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!err) err = nidoi_sys.bind(fd, (const void *)&target->address, target->length);
    return err ? err : nidoi_sys.listen(fd, options->backlog ? options->backlog : SOMAXCONN);
}

static int listen_at(struct nidoi_loop *loop, const struct target *target,
                     const nido_listen_options *options)
{
    int fd = nidoi_sys.socket(target->address.ss_family, SOCK_STREAM, 0);
    int err;

    if (fd < 0) return fd;
    err = set_up_listener(fd, target, options);
    if (err) {
        nidoi_sys.close(fd);
        return explained(err, "listen on", (const void *)&target->address, target->length);
    }
    nidoi_fd_adopt(loop, fd, nidoi_fd_stream(fd, target->address.ss_family) | NIDOI_FD_PROMPT);
    return fd;
}

/* The first of a name's addresses where it can be. */
static int listen_by_name(struct nidoi_loop *loop, const char *host, const char *service,
                          const nido_listen_options *options)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct nidoi_lookup lookup;
    int fd = nidoi_lookup(host, service, &hints, &lookup);

    if (fd) return nidoi_lookup_explained(&lookup, host, service);
    fd = -ENOENT;
    for (const struct addrinfo *at = lookup.found; at && fd < 0; at = at->ai_next) {
        struct target target;

        fd = target_of(at, &target);
        if (!fd) fd = listen_at(loop, &target, options);
    }
    freeaddrinfo(lookup.found);
    return fd;
}

static int listen_on(struct nidoi_loop *loop, const char *host, const char *service,
                     const nido_listen_options *options)
{
    struct target target;
    int err = parse(host, service, AI_PASSIVE, &target);

    if (!err) return listen_at(loop, &target, options);
    if (is_path(host) || !is_service(service))
        return nido_fail(-EINVAL, "listen on %s port %s: no such address", host,
                         service ? service : "(none)");
    return listen_by_name(loop, host, service, options);
}

/* The system has no IPv6, or no socket for both. */
static bool is_for_ipv4_alone(int err)
{
    return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL || err == -EINVAL;
}

int nido_listen(const char *host, const char *service, const nido_listen_options *options)
{
    nido_listen_options defaults;
    struct nidoi_loop *loop;
    int fd = nidoi_io_enter(&loop);

    if (fd) return fd;
    nido_listen_options_init(&defaults);
    if (!options) options = &defaults;
    if (options->size != sizeof *options || options->backlog < 0) return -EINVAL;
    fd = listen_on(loop, host ? host : "::", service, options);
    if (!host && !options->v6_only && is_for_ipv4_alone(fd))
        fd = listen_on(loop, "0.0.0.0", service, options);
    return fd;
}

/* ---- Dialling one ---- */

/* An attempt at a closed port of the range that the system draws from may be given that very port as its
 * own, and then meets itself: no other socket listens there. The connection is dissolved: closed in good
 * order, it would hold the port for a minute. */
static int refuse_itself(int fd)
{
    struct sockaddr_storage own, peer;

    if (nidoi_sys.ends(fd, &own, &peer) || memcmp(&own, &peer, sizeof own) != 0) return 0;
    nidoi_sys.connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
    return -ECONNREFUSED;
}

/* Registered only after the attempt began: of an unconnected socket the kernel reports a hang-up.
 */
static int finish(int fd, const struct sockaddr *address, socklen_t length)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err;

    while ((err = nidoi_sys.connect(fd, address, length)) == -EAGAIN) {
        err = nido_sleep(NIDO_MS(5)); /* a full Unix backlog; nothing tells when it has room */
        if (err) return err;
    }
    if (err && err != -EINPROGRESS) return err;
    nidoi_fd_adopt(loop, fd, nidoi_fd_stream(fd, address->sa_family));
    return err ? nidoi_socket_connected(loop, fd) : 0;
}

static int finish_inet(int fd, const struct sockaddr *address, socklen_t length)
{
    int err = nidoi_sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);

    if (!err) err = finish(fd, address, length);
    return err ? err : refuse_itself(fd);
}

int nidoi_dial_address(const struct sockaddr *address, socklen_t length)
{
    struct nidoi_loop *loop;
    int fd, err = nidoi_io_enter(&loop);

    if (err) return err;
    fd = nidoi_sys.socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0) return explained(fd, "socket for", address, length);
    if (address->sa_family == AF_UNIX)
        err = finish(fd, address, length);
    else
        err = finish_inet(fd, address, length);
    if (!err) return fd;
    nido_close(fd);
    return explained(err, "connect to", address, length);
}

bool nidoi_dial_sound(const nido_dial_options *options)
{
    return !options || (options->size == sizeof *options && options->stagger_ns >= 0);
}

int nido_dial(const char *host, const char *service, const nido_dial_options *options)
{
    struct nidoi_loop *loop;
    struct target target;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    if (!nidoi_dial_sound(options)) return -EINVAL;
    err = host ? parse(host, service, 0, &target) : -EINVAL;
    if (!err) return nidoi_dial_address((const void *)&target.address, target.length);
    if (!host || is_path(host) || !is_service(service))
        return nido_fail(err, "dial %s port %s: no such address", host ? host : "(none)",
                         service ? service : "(none)");
    return nidoi_dial_by_name(host, service, options);
}

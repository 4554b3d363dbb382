/* io/dial.c: from an address to a socket: listening, and connecting to the first of several that
 * answers. */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/sys.h"
#include "io/fd.h"
#include "nido/error.h"
#include "nido/event.h"
#include "nido/fd.h"
#include "nido/group.h"
#include "nido/net.h"
#include "nido/time.h"

enum { MOST_ADDRESSES = 64 };
#define STAGGER NIDO_MS(250)

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

/* Numeric only, so it does not wait for anybody. */
static int parse(const char *host, const char *service, int flags, struct target *out)
{
    struct addrinfo hints = {.ai_flags = flags | AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    if (host && strncmp(host, "unix:", 5) == 0) return unix_target(host + 5, out);
    if (!service || getaddrinfo(host, service, &hints, &found) != 0) return -EINVAL;
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
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

static int set_up_listener(int fd, const struct target *target, const nido_listen_options *options)
{
    int family = target->address.ss_family, err = 0;

    if (family != AF_UNIX) err = nidoi_sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!err && options->reuse_port) err = nidoi_sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!err && family == AF_INET6)
        err = nidoi_sys.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only);
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
    nidoi_fd_adopt(loop, fd, nidoi_fd_stream(target->address.ss_family));
    return fd;
}

int nido_listen(const char *host, const char *service, const nido_listen_options *options)
{
    nido_listen_options defaults;
    struct nidoi_loop *loop;
    struct target target;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    nido_listen_options_init(&defaults);
    if (!options) options = &defaults;
    if (options->size != sizeof *options || options->backlog < 0) return -EINVAL;
    err = parse(host, service, AI_PASSIVE, &target);
    if (!err) return listen_at(loop, &target, options);
    return nido_fail(err, "listen on %s port %s: not a numeric address and port, nor unix:/path",
                     host ? host : "*", service ? service : "(none)");
}

/* ---- Dialling one ---- */

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
    nidoi_fd_adopt(loop, fd, nidoi_fd_stream(address->sa_family));
    return err ? nidoi_io_connected(fd) : 0;
}

static int dial_address(const struct sockaddr *address, socklen_t length)
{
    struct nidoi_loop *loop;
    int fd, err = nidoi_io_enter(&loop);

    if (err) return err;
    fd = nidoi_sys.socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0) return explained(fd, "socket for", address, length);
    err = finish(fd, address, length);
    if (!err && address->sa_family != AF_UNIX)
        err = nidoi_sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!err) return fd;
    nido_close(fd);
    return explained(err, "connect to", address, length);
}

static bool sound(const nido_dial_options *options)
{
    return !options || (options->size == sizeof *options && options->stagger_ns >= 0);
}

int nido_dial(const char *host, const char *service, const nido_dial_options *options)
{
    struct nidoi_loop *loop;
    struct target target;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    if (!sound(options)) return -EINVAL;
    err = host ? parse(host, service, 0, &target) : -EINVAL;
    if (!err) return dial_address((const void *)&target.address, target.length);
    return nido_fail(err, "dial %s port %s: not a numeric address and port, nor unix:/path",
                     host ? host : "(none)", service ? service : "(none)");
}

/* ---- Dialling several: RFC 8305 ---- */

struct race {
    const struct addrinfo *order[MOST_ADDRESSES];
    size_t count;
    nido_event failed; /* set whenever an attempt has failed: the next may start */
};

struct attempt {
    struct race *race;
    const struct addrinfo *address;
};

static int attempt(void *arg)
{
    const struct attempt *me = arg;
    int fd = dial_address(me->address->ai_addr, me->address->ai_addrlen);

    if (fd < 0) nido_event_set(&me->race->failed);
    return fd;
}

static void close_late(void *ctx, void *arg, int fd)
{
    (void)ctx, (void)arg;
    nido_close(fd);
}

/* The next address of a list that is a stream's and of this family, or of any other. */
static const struct addrinfo *pick(const struct addrinfo *from, int family, bool same)
{
    while (from && ((from->ai_family == family) != same ||
                    (from->ai_socktype && from->ai_socktype != SOCK_STREAM)))
        from = from->ai_next;
    return from;
}

static const struct addrinfo *add(struct race *race, const struct addrinfo *address)
{
    if (!address || race->count == MOST_ADDRESSES) return NULL;
    race->order[race->count++] = address;
    return address->ai_next;
}

/* Families alternate, beginning with the first address's; each keeps its order (section 4). */
static void interleave(struct race *race, const struct addrinfo *list)
{
    const struct addrinfo *first = list, *other = list;

    while (first || other) {
        first = add(race, pick(first, list->ai_family, true));
        other = add(race, pick(other, list->ai_family, false));
    }
}

/* The head start of an attempt: until it (or another) fails, or the time is up. */
static int head_start(struct race *race, int64_t ns)
{
    nido_scope scope;
    int rc;

    nido_timeout_open(&scope, ns);
    rc = nido_scope_close(&scope, nido_event_wait(&race->failed));
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int start_all(nido_group *group, struct race *race, int64_t stagger)
{
    int rc = 0;

    for (size_t i = 0; i < race->count && !rc; i++) {
        struct attempt me = {race, race->order[i]};

        nido_event_reset(&race->failed);
        rc = nido_spawn_copy(group, attempt, &me, sizeof me);
        if (!rc && i + 1 < race->count) rc = head_start(race, stagger);
    }
    return rc;
}

int nido_dial_any(const struct addrinfo *list, const nido_dial_options *options)
{
    nido_group_options race_options = {
        .size = sizeof race_options, .policy = NIDO_RACE, .name = "dial", .drop = close_late};
    struct nidoi_loop *loop;
    struct race race = {.count = 0};
    nido_group group;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    if (!list || !sound(options)) return -EINVAL;
    interleave(&race, list);
    if (!race.count) return -EINVAL;
    nido_event_init(&race.failed, "failed attempt");
    nido_group_open_with(&group, &race_options);
    return nido_group_close(
        &group,
        start_all(&group, &race, options && options->stagger_ns ? options->stagger_ns : STAGGER));
}

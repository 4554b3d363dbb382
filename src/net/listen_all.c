/* SPDX-License-Identifier: MIT */
/* net/listen_all.c: a listener at each address that a name has. */
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "coro/scope/options.h"
#include "io/fd.h"
#include "net/address.h"
#include "net/connect.h"
#include "net/names.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/net.h"

enum {
    MOST_ADDRESSES = 64,
    MOST_TRIES = 10 /* with another free port */
};

struct listeners {
    struct nidoi_loop *loop;
    const nido_listen_options *options;
    struct nidoi_address *addresses; /* where to listen, each once */
    size_t wanted;
    int *out;
    size_t most, n;
    in_port_t port; /* that the first has got at port 0, as the network has it; 0: none yet */
};

/* ---- The addresses ---- */

/* A list of the resolver may name one twice. */
static bool listeners_want(const struct listeners *all, const struct nidoi_address *address)
{
    for (size_t i = 0; i < all->wanted; i++)
        if (all->addresses[i].length == address->length &&
            memcmp(&all->addresses[i].bytes, &address->bytes, address->length) == 0)
            return true;
    return false;
}

static int listeners_note(struct listeners *all, const struct nidoi_address *address)
{
    if (listeners_want(all, address)) return 0;
    if (all->wanted == MOST_ADDRESSES)
        return nido_fail(-ENOSPC, "more than %d addresses", MOST_ADDRESSES);
    all->addresses[all->wanted++] = *address;
    return 0;
}

static int listeners_look_up(struct listeners *all, const char *host, const char *service)
{
    struct addrinfo hints = {
        .ai_flags = AI_PASSIVE, .ai_family = all->options->family, .ai_socktype = SOCK_STREAM};
    struct nidoi_lookup lookup;
    int err = nidoi_lookup(host, service, &hints, &lookup);

    if (err) return nidoi_lookup_explained(&lookup, host, service);
    for (const struct addrinfo *at = lookup.found; at && !err; at = at->ai_next) {
        struct nidoi_address address;

        err = nidoi_address_copy(at, &address);
        if (!err) err = listeners_note(all, &address);
    }
    freeaddrinfo(lookup.found);
    return err;
}

static int listeners_find(struct listeners *all, const char *host, const char *service)
{
    struct nidoi_address address;
    int err = nidoi_address_parse(host, service, AI_PASSIVE, &address);

    if (!err) return listeners_note(all, &address);
    if (err == -ENOMEM || nidoi_address_is_path(host) || !nidoi_address_is_service(service))
        return nido_fail(err, "listen on %s port %s", host, service ? service : "(none)");
    return listeners_look_up(all, host, service);
}

static int listeners_find_all(struct listeners *all, const char *host, const char *service)
{
    int family = all->options->family, err = 0;

    if (host) return listeners_find(all, host, service);
    if (family != AF_INET) err = listeners_find(all, "::", service);
    if (!err && family != AF_INET6) err = listeners_find(all, "0.0.0.0", service);
    return err;
}

/* ---- The sockets ---- */

/* Where the address has its port; NULL: it has none. */
static in_port_t *address_port(struct nidoi_address *address)
{
    void *bytes = &address->bytes;

    if (address->bytes.ss_family == AF_INET) return &((struct sockaddr_in *)bytes)->sin_port;
    if (address->bytes.ss_family == AF_INET6) return &((struct sockaddr_in6 *)bytes)->sin6_port;
    return NULL;
}

/* At port 0 the first gets any, and the others the same. */
static int listeners_add(struct listeners *all, struct nidoi_address address)
{
    in_port_t *port = address_port(&address);
    bool is_any = port && !*port;
    int fd;

    if (all->n == all->most) return nido_fail(-ENOSPC, "more than %zu addresses", all->most);
    if (is_any) *port = all->port;
    fd = nidoi_listen_at(all->loop, &address, all->options);
    if (fd < 0) return fd;
    if (is_any) all->port = htons((uint16_t)nido_local_port(fd));
    all->out[all->n++] = fd;
    return 0;
}

/* :: and ::1 are there wherever there is IPv6. */
static bool family_is_absent(const struct nidoi_address *address, int err)
{
    const struct sockaddr_in6 *v6 = (const void *)&address->bytes;

    if (err == -EAFNOSUPPORT) return true;
    return err == -EADDRNOTAVAIL && v6->sin6_family == AF_INET6 &&
           (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) || IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
}

static int listeners_try(struct listeners *all)
{
    int err = 0, absent = -ENOENT;

    all->port = 0;
    for (size_t i = 0; i < all->wanted && !err; i++) {
        err = listeners_add(all, all->addresses[i]);
        if (!family_is_absent(&all->addresses[i], err)) continue;
        absent = err;
        err = 0;
    }
    if (!err && !all->n) err = absent;
    if (!err) return (int)all->n;
    while (all->n) nido_close(all->out[--all->n]);
    return err;
}

/* A port that is free in one family may be taken in the other. */
static int listeners_open(struct listeners *all)
{
    int n = listeners_try(all);

    for (int tries = 1; n == -EADDRINUSE && all->port && tries < MOST_TRIES; tries++)
        n = listeners_try(all);
    return n;
}

/* ---- The call ---- */

static int listeners_make(struct listeners *all, const char *host, const char *service)
{
    int err;

    all->addresses = nidoi_mem.alloc(MOST_ADDRESSES * sizeof *all->addresses);
    if (!all->addresses) return -ENOMEM;
    err = listeners_find_all(all, host, service);
    if (!err) err = listeners_open(all);
    nidoi_mem.release(all->addresses);
    return err;
}

int nido_listen_all(const char *host, const char *service, const nido_listen_options *options,
                    int *out, size_t most)
{
    nido_listen_options room, alone;
    struct listeners all = {.options = &alone, .out = out, .most = most};
    int err = nidoi_io_enter(&all.loop);

    if (err) return err;
    options = NIDOI_OPTIONS(nido_listen_options, options, &room);
    if (!options || !nidoi_listen_options_valid(options) || !out) return -EINVAL;
    alone = *options;
    alone.v6_only = true;
    return listeners_make(&all, host, service);
}

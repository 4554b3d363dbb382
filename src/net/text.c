/* SPDX-License-Identifier: MIT */
/* net/text.c: addresses as texts, and back. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/address_text.h"
#include "base/sys.h"
#include "net/address.h"
#include "nido/net.h"

int nido_address_text(const struct sockaddr *address, socklen_t length, char *text, size_t size)
{
    return nidoi_address_text(address, length, text, size);
}

/* Of a listener the peer is an error, of other sockets it may be one, but that is not asked here. */
static int own_address(int fd, struct sockaddr_storage *own)
{
    struct sockaddr_storage peer;
    int err;

    own->ss_family = AF_UNSPEC;
    err = nidoi_sys.addresses(fd, own, &peer);
    return own->ss_family == AF_UNSPEC ? err : 0;
}

int nido_local_text(int fd, char *text, size_t size)
{
    struct sockaddr_storage own;
    int err = own_address(fd, &own);

    return err ? err : nidoi_address_text((const void *)&own, sizeof own, text, size);
}

int nido_peer_text(int fd, char *text, size_t size)
{
    struct sockaddr_storage own, peer;
    int err = nidoi_sys.addresses(fd, &own, &peer);

    if (!err && !peer.ss_family)
        peer.ss_family = own.ss_family; /* BSD: of a Unix socket without a name */
    return err ? err : nidoi_address_text((const void *)&peer, sizeof peer, text, size);
}

int nido_local_port(int fd)
{
    struct sockaddr_storage own;
    int err = own_address(fd, &own);

    if (err) return err;
    if (own.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&own)->sin_port);
    if (own.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&own)->sin6_port);
    return -EAFNOSUPPORT;
}

/* "host:port" or "[host]:port" in two; a host without brackets has no colon. */
static int split_text(const char *text, char host[64], const char **port)
{
    bool bracket = text[0] == '[';
    const char *begin = text + bracket, *end = begin + strcspn(begin, bracket ? "]" : ":");
    size_t length = (size_t)(end - begin);

    if (!*end || length >= 64) return -EINVAL;
    if (bracket && *++end != ':') return -EINVAL;
    memcpy(host, begin, length);
    host[length] = 0;
    *port = end + 1;
    return bracket && !strchr(host, ':') ? -EINVAL : 0;
}

int nido_address_parse(const char *text, struct sockaddr_storage *address, socklen_t *length)
{
    struct nidoi_address parsed;
    char host[64];
    const char *port = NULL;
    int err;

    if (!text) return -EINVAL;
    if (nidoi_address_is_path(text)) {
        err = nidoi_address_parse(text, NULL, 0, &parsed);
    } else {
        err = split_text(text, host, &port);
        if (!err && strspn(port, "0123456789") != strlen(port)) err = -EINVAL;
        if (!err) err = nidoi_address_parse(host, port, 0, &parsed);
    }
    if (err) return err;
    *address = parsed.bytes;
    *length = parsed.length;
    return 0;
}

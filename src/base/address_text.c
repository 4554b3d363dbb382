/* SPDX-License-Identifier: MIT */
#include "base/address_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static int text_v4(const void *host, in_port_t port, char *text, size_t size)
{
    char digits[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, host, digits, sizeof digits);
    return snprintf(text, size, "%s:%u", digits, ntohs(port));
}

/* An IPv4 peer of a socket for both families is an IPv4 peer. The address of a link goes with the
 * interface's number: its name may have changed since. */
static int text_v6(const struct sockaddr_in6 *in, char *text, size_t size)
{
    char digits[INET6_ADDRSTRLEN], interface[16] = "";

    if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr))
        return text_v4(in->sin6_addr.s6_addr + 12, in->sin6_port, text, size);
    inet_ntop(AF_INET6, &in->sin6_addr, digits, sizeof digits);
    if (in->sin6_scope_id) snprintf(interface, sizeof interface, "%%%u", in->sin6_scope_id);
    return snprintf(text, size, "[%s%s]:%u", digits, interface, ntohs(in->sin6_port));
}

/* An abstract name begins with a zero byte (unix(7)). */
static int text_unix(const struct sockaddr_un *local, socklen_t length, char *text, size_t size)
{
    size_t most = length - offsetof(struct sockaddr_un, sun_path);

    if (most > sizeof local->sun_path) most = sizeof local->sun_path;
    if (most && local->sun_path[0])
        return snprintf(text, size, "unix:%.*s", (int)most, local->sun_path);
    if (most > 1 && local->sun_path[1])
        return snprintf(text, size, "unix:@%.*s", (int)most - 1, local->sun_path + 1);
    return snprintf(text, size, "unix:");
}

static socklen_t least_length(sa_family_t family)
{
    switch (family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return offsetof(struct sockaddr_un, sun_path);
    }
}

int nidoi_address_text(const struct sockaddr *address, socklen_t length, char *text, size_t size)
{
    const struct sockaddr_in *in = (const void *)address;
    int used;

    if (length < offsetof(struct sockaddr, sa_data)) return -EINVAL;
    if (length < least_length(address->sa_family)) return -EINVAL;
    if (address->sa_family == AF_INET)
        used = text_v4(&in->sin_addr, in->sin_port, text, size);
    else if (address->sa_family == AF_INET6)
        used = text_v6((const void *)address, text, size);
    else if (address->sa_family == AF_UNIX)
        used = text_unix((const void *)address, length, text, size);
    else
        return -EAFNOSUPPORT;
    return (size_t)used < size ? used : -ENOSPC;
}

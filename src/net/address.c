/* SPDX-License-Identifier: MIT */
#include "net/address.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/address_text.h"
#include "nido/error.h"
#include "nido/net.h"

bool nidoi_address_is_family(int family)
{
    return family == 0 || family == AF_INET || family == AF_INET6;
}

bool nidoi_address_is_path(const char *host)
{
    return host && strncmp(host, "unix:", 5) == 0;
}

/* "@name" is an abstract name, whose bytes begin with a zero (unix(7)), where there are such names. */
static int address_of_path(const char *path, struct nidoi_address *out)
{
    struct sockaddr_un *address = (void *)&out->bytes;
    size_t length = strlen(path);

    *out = (struct nidoi_address){.length = sizeof *address};
    if (!length || length >= sizeof address->sun_path) return -EINVAL;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
#ifdef __linux__
    if (path[0] != '@') return 0;
    address->sun_path[0] = 0;
    out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
#endif
    return 0;
}

int nidoi_address_copy(const struct addrinfo *found, struct nidoi_address *out)
{
    if (found->ai_addrlen > sizeof out->bytes) return -EAFNOSUPPORT;
    memcpy(&out->bytes, found->ai_addr, found->ai_addrlen);
    out->length = found->ai_addrlen;
    return 0;
}

/* getaddrinfo takes 70000 for 4464, -1 for 65535, and the empty string for 0. */
bool nidoi_address_is_service(const char *service)
{
    size_t digits = service ? strspn(service, "0123456789") : 0;

    if (!service || strpbrk(service, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        return service != NULL;
    return digits > 0 && digits <= 5 && !service[digits] && atoi(service) <= UINT16_MAX;
}

/* With these flags getaddrinfo asks no server, so it does not wait. */
int nidoi_address_parse(const char *host, const char *service, int flags, struct nidoi_address *out)
{
    struct addrinfo hints = {.ai_flags = flags | AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int err;

    if (nidoi_address_is_path(host)) return address_of_path(host + 5, out);
    if (!nidoi_address_is_service(service)) return -EINVAL;
    err = getaddrinfo(host, service, &hints, &found);
    if (err) return err == EAI_MEMORY ? -ENOMEM : -EINVAL;
    err = nidoi_address_copy(found, out);
    freeaddrinfo(found);
    return err;
}

int nidoi_address_fail(int err, const char *what, const struct sockaddr *address, socklen_t length)
{
    char host[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?", text[NIDO_ADDRESS_TEXT] = "unix:";

    if (err == -ECANCELED) return err;
    if (address->sa_family == AF_UNIX) {
        nidoi_address_text(address, length, text, sizeof text);
        return nido_fail(err, "%s %s", what, text);
    }
    getnameinfo(address, length, host, sizeof host, service, sizeof service,
                NI_NUMERICHOST | NI_NUMERICSERV);
    return nido_fail(err, "%s %s port %s", what, host, service);
}

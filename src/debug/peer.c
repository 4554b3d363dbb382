/* SPDX-License-Identifier: MIT */
#include "debug/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "base/sys.h"
#include "coro/group/waits.h"

#define ADD(text, ...) nidoi_text_add((text)->text, (text)->size, &(text)->used, __VA_ARGS__)

static bool add_inet(struct nidoi_text *text, const struct sockaddr_in *in)
{
    char host[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    ADD(text, "%s:%u", host, ntohs(in->sin_port));
    return true;
}

static bool add_inet6(struct nidoi_text *text, const struct sockaddr_in6 *in)
{
    char host[INET6_ADDRSTRLEN];

    inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
    ADD(text, "[%s]:%u", host, ntohs(in->sin6_port));
    return true;
}

/* The rest of the struct is zero. An abstract name begins with a zero byte (unix(7)). */
static bool add_unix(struct nidoi_text *text, const struct sockaddr_un *local, int fd)
{
    int most = (int)(sizeof *local - offsetof(struct sockaddr_un, sun_path)), pid;

    if (local->sun_path[0])
        ADD(text, "%.*s", most, local->sun_path);
    else if (local->sun_path[1])
        ADD(text, "@%.*s", most - 1, local->sun_path + 1);
    else if ((pid = nidoi_sys.peer_process(fd)) > 0)
        ADD(text, "process %d", pid);
    else
        return false;
    return true;
}

bool nidoi_debug_add_peer(struct nidoi_text *text, int fd)
{
    struct sockaddr_storage own, peer;

    if (nidoi_sys.addresses(fd, &own, &peer)) return false;
    if (peer.ss_family == AF_INET) return add_inet(text, (const void *)&peer);
    if (peer.ss_family == AF_INET6) return add_inet6(text, (const void *)&peer);
    return own.ss_family == AF_UNIX && add_unix(text, (const void *)&peer, fd);
}

/* SPDX-License-Identifier: MIT */
#include "debug/peer.h"

#include <stddef.h>
#include <sys/un.h>

#include "base/address_text.h"
#include "base/sys.h"
#include "coro/group/waits.h"
#include "nido/net.h"

#define ADD(text, ...) nidoi_text_add((text)->text, (text)->size, &(text)->used, __VA_ARGS__)

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
    char words[NIDO_ADDRESS_TEXT];

    if (nidoi_sys.addresses(fd, &own, &peer)) return false;
    if (own.ss_family == AF_UNIX) return add_unix(text, (const void *)&peer, fd);
    if (nidoi_address_text((const void *)&peer, sizeof peer, words, sizeof words) < 0) return false;
    ADD(text, "%s", words);
    return true;
}

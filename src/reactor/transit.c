/* SPDX-License-Identifier: MIT */
#include "reactor/transit.h"

#include <string.h>

#include "base/list.h"
#include "base/sys.h"

struct connection {
    struct sockaddr_storage own, peer;
};

static bool connection_ends(int fd, struct connection *out)
{
    return nidoi_sys.addresses(fd, &out->own, &out->peer) == 0;
}

static bool address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static int transit_number_count(const struct nidoi_reactor *reactor)
{
    return (int)reactor->chunk_count * NIDOI_FD_CHUNK;
}

static bool transit_has_reader(const struct nidoi_reactor *reactor, int fd)
{
    const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

    return slot && !nidoi_list_empty(&slot->watches[NIDOI_READING]);
}

/* True: a task waits to read at the other end of `from`. */
static bool transit_is_awaited(const struct nidoi_reactor *reactor, int from)
{
    struct connection sender, reader;

    if (!connection_ends(from, &sender) || sender.own.ss_family == AF_UNIX) return false;
    for (int fd = 0; fd < transit_number_count(reactor); fd++)
        if (transit_has_reader(reactor, fd) && connection_ends(fd, &reader) &&
            address_equal(&sender.own, &reader.peer) && address_equal(&sender.peer, &reader.own))
            return true;
    return false;
}

bool nidoi_reactor_in_transit(const struct nidoi_reactor *reactor)
{
    for (int fd = 0; fd < transit_number_count(reactor); fd++)
        if (nidoi_reactor_find(reactor, fd) && nidoi_sys.unconfirmed(fd) > 0 &&
            transit_is_awaited(reactor, fd))
            return true;
    return false;
}

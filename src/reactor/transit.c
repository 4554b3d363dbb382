#include "reactor/transit.h"

#include <string.h>

#include "base/list.h"
#include "base/sys.h"

struct connection {
    struct sockaddr_storage own, peer;
};

static bool ends_of(int fd, struct connection *out)
{
    return nidoi_sys.ends(fd, &out->own, &out->peer) == 0;
}

static bool same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static int numbers(const struct nidoi_reactor *reactor)
{
    return (int)reactor->chunk_count * NIDOI_FD_CHUNK;
}

static bool is_read_from(const struct nidoi_reactor *reactor, int fd)
{
    const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

    return slot && !nidoi_list_empty(&slot->watches[NIDOI_READING]);
}

/* Whoever is at the other end of `from` waits to read. */
static bool is_awaited(const struct nidoi_reactor *reactor, int from)
{
    struct connection sender, reader;

    if (!ends_of(from, &sender) || sender.own.ss_family == AF_UNIX) return false;
    for (int fd = 0; fd < numbers(reactor); fd++)
        if (is_read_from(reactor, fd) && ends_of(fd, &reader) && same(&sender.own, &reader.peer) &&
            same(&sender.peer, &reader.own))
            return true;
    return false;
}

bool nidoi_reactor_in_transit(const struct nidoi_reactor *reactor)
{
    for (int fd = 0; fd < numbers(reactor); fd++)
        if (nidoi_reactor_find(reactor, fd) && nidoi_sys.unconfirmed(fd) > 0 &&
            is_awaited(reactor, fd))
            return true;
    return false;
}

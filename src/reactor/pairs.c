/* SPDX-License-Identifier: MIT */
#include "reactor/pairs.h"

#include <fcntl.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/sys.h"

enum { ENDS = 512, KEY = sizeof(struct sockaddr_storage) };

enum end_kind { END_OF_PIPE, END_OF_TCP, END_OF_UNIX };

static const char *const kind_names[] = {
    [END_OF_PIPE] = "pipe", [END_OF_TCP] = "TCP connection", [END_OF_UNIX] = "Unix connection"};

/* Two ends belong together if the `own` of each is the `peer` of the other: addresses, or numbers in the kernel and, of
 * a pipe, how it is open. */
struct end {
    int fd;
    enum end_kind kind;
    unsigned char own[KEY], peer[KEY];
};

struct ends {
    size_t count;
    struct end of[ENDS];
};

/* ---- One end ---- */

static void key_set(unsigned char *key, uint64_t inode, int access)
{
    memcpy(key, &inode, sizeof inode);
    memcpy(key + sizeof inode, &access, sizeof access);
}

static bool end_read_pipe(struct end *end)
{
    uint64_t inode;
    int access = nidoi_sys.pipe_end(end->fd, &inode);

    if (access != O_RDONLY && access != O_WRONLY) return false;
    end->kind = END_OF_PIPE;
    key_set(end->own, inode, access);
    key_set(end->peer, inode, access == O_RDONLY ? O_WRONLY : O_RDONLY);
    return true;
}

static bool end_read_unix(struct end *end)
{
    uint64_t own, peer;

    if (nidoi_sys.unix_inodes(end->fd, &own, &peer)) return false;
    end->kind = END_OF_UNIX;
    key_set(end->own, own, 0);
    key_set(end->peer, peer, 0);
    return true;
}

static bool end_read_socket(struct end *end)
{
    struct sockaddr_storage own, peer;
    int type;

    if (nidoi_sys.addresses(end->fd, &own, &peer)) return false;
    if (nidoi_sys.getsockopt(end->fd, SOL_SOCKET, SO_TYPE, &type) || type != SOCK_STREAM)
        return false;
    if (own.ss_family == AF_UNIX) return end_read_unix(end);
    end->kind = END_OF_TCP;
    memcpy(end->own, &own, KEY);
    memcpy(end->peer, &peer, KEY);
    return true;
}

/* False: it is none, or cannot be told. */
static bool end_read(struct end *end, int fd)
{
    memset(end, 0, sizeof *end);
    end->fd = fd;
    return end_read_pipe(end) || end_read_socket(end);
}

static bool ends_belong(const struct end *a, const struct end *b)
{
    return a->kind == b->kind && a->fd != b->fd && !memcmp(a->own, b->peer, KEY) &&
           !memcmp(a->peer, b->own, KEY);
}

/* ---- All of a reactor ---- */

static bool slot_is_waited_for(const struct nidoi_fd *slot)
{
    for (int i = 0; i <= NIDOI_NEITHER; i++)
        if (!nidoi_list_empty(&slot->watches[i])) return true;
    return false;
}

static bool slot_is_registered(const struct nidoi_fd *slot)
{
    return slot->flags & (NIDOI_FD_OWNED | NIDOI_FD_KNOWN) && !(slot->flags & NIDOI_FD_FILE);
}

/* Those that are waited for, or the others that are registered. False: of one that is waited for it cannot be told,
 * or there are too many. */
static bool ends_collect(struct ends *ends, const struct nidoi_reactor *reactor, bool waited_for)
{
    int numbers = (int)reactor->chunk_count * NIDOI_FD_CHUNK;

    for (int fd = 0; fd < numbers; fd++) {
        const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

        if (!slot || slot_is_waited_for(slot) != waited_for) continue;
        if (!waited_for && !slot_is_registered(slot)) continue;
        if (ends->count == ENDS) return false;
        if (end_read(&ends->of[ends->count], fd))
            ends->count++;
        else if (waited_for)
            return false;
    }
    return true;
}

static const struct end *ends_find_other(const struct ends *ends, const struct end *end)
{
    for (size_t i = 0; i < ends->count; i++)
        if (ends_belong(&ends->of[i], end)) return &ends->of[i];
    return NULL;
}

/* Those that are waited for come first. */
static bool ends_are_paired(const struct ends *ends, size_t waited_for,
                            void (*found)(void *ctx, const struct nidoi_pair *pair), void *ctx)
{
    for (size_t i = 0; i < waited_for; i++) {
        const struct end *end = &ends->of[i], *other = ends_find_other(ends, end);

        if (!other) return false;
        if (found) found(ctx, &(struct nidoi_pair){end->fd, other->fd, kind_names[end->kind]});
    }
    return true;
}

bool nidoi_reactor_is_paired(const struct nidoi_reactor *reactor,
                             void (*found)(void *ctx, const struct nidoi_pair *pair), void *ctx)
{
    struct ends *ends = nidoi_mem.alloc(sizeof *ends);
    size_t waited_for;
    bool paired = false;

    if (!ends) return false;
    ends->count = 0;
    if (ends_collect(ends, reactor, true)) {
        waited_for = ends->count;
        paired =
            ends_collect(ends, reactor, false) && ends_are_paired(ends, waited_for, found, ctx);
    }
    nidoi_mem.release(ends);
    return paired;
}

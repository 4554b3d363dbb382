/* SPDX-License-Identifier: MIT */
/* reactor/asleep.c: poll(2) may see that a descriptor is ready a moment before the kernel reports
 * it, and another process may read the bytes a moment later. So a task that seems to sleep wrongly
 * is watched for a second, and the panic comes only if no report of anything came in all that time.
 *
 * These calls of poll(2) do not go through nidoi_sys: a test must not count or disturb them. */
#include "reactor/asleep.h"

#include <poll.h>

#include "nido/types.h"

enum { ENTRIES = 64, ROUNDS = 50, ROUND_MS = 20 };

_Thread_local bool nidoi_asleep_watched;

static size_t asleep_count(const struct nidoi_link *watches)
{
    size_t n = 0;

    for (const struct nidoi_link *link = watches->next; link != watches; link = link->next) n++;
    return n;
}

/* The events of poll(2) that would have to wake a waiter; 0: it cannot be said. Not for foreign
 * descriptors, for which the kernel is asked at each wait; not for writers of datagrams, because
 * the receiver may have no room; not for children, because another thread may have to reap them. */
static short asleep_wanted(const struct nidoi_fd *slot)
{
    short events = 0;

    if (!(slot->flags & NIDOI_FD_OWNED) || !(slot->flags & (NIDOI_FD_STREAM | NIDOI_FD_SOCKET)))
        return 0;
    if (asleep_count(&slot->watches[NIDOI_READING])) events |= POLLIN;
    if (slot->flags & NIDOI_FD_STREAM && asleep_count(&slot->watches[NIDOI_WRITING]))
        events |= POLLOUT;
    return events;
}

/* The events of a pollfd that should have woken a task. */
static int asleep_missed(const struct pollfd *entry)
{
    int hang_up = entry->events & POLLIN ? POLLHUP : 0;

    return entry->revents & (entry->events | hang_up);
}

static bool asleep_find_missed(struct pollfd *entries, nfds_t count, struct pollfd *out)
{
    if (!count || poll(entries, count, 0) <= 0) return false;
    for (nfds_t i = 0; i < count; i++) {
        if (!asleep_missed(&entries[i])) continue;
        *out = entries[i];
        return true;
    }
    return false;
}

/* All watches are in slots, so the search ends when all are counted. */
static bool asleep_find_task(const struct nidoi_reactor *reactor, struct pollfd *out)
{
    struct pollfd entries[ENTRIES];
    size_t left = reactor->watching;
    nfds_t count = 0;

    for (int fd = 0; left > 0; fd++) {
        const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

        if (!slot) continue;
        for (int i = 0; i <= NIDOI_NEITHER; i++) left -= asleep_count(&slot->watches[i]);
        if (!asleep_wanted(slot)) continue;
        entries[count++] = (struct pollfd){.fd = fd, .events = asleep_wanted(slot)};
        if (count < ENTRIES) continue;
        if (asleep_find_missed(entries, count, out)) return true;
        count = 0;
    }
    return asleep_find_missed(entries, count, out);
}

/* False: the descriptor was closed without nido_close, and the number is another file's. */
static bool asleep_is_registered(struct nidoi_reactor *reactor, int fd)
{
    const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

    return nidoi_backend_has(&reactor->backend, fd, slot->generation);
}

int nidoi_asleep_ask(struct nidoi_reactor *reactor)
{
    struct pollfd found;
    bool reading;

    for (int round = 0; round <= ROUNDS; round++) {
        int reports;

        if (!asleep_find_task(reactor, &found)) return 0;
        reports = nidoi_reactor_poll(reactor, round ? ROUND_MS * INT64_C(1000000) : 0);
        if (reports) return reports;
    }
    if (!asleep_find_task(reactor, &found) || !asleep_is_registered(reactor, found.fd)) return 0;
    reading = asleep_missed(&found) & (POLLIN | POLLHUP);
    nidoi_panic("descriptor %d is %s and its %s sleeps: a report was lost", found.fd,
                reading ? "readable" : "writable", reading ? "reader" : "writer");
}

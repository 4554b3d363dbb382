/* reactor/asleep.c: the kernel says that a descriptor is ready a moment before it reports it, and
 * another process may have taken what was there a moment later. So who seems to sleep wrongly is
 * looked at for a second, and a panic comes only if all that time nothing was reported of anything.
 *
 * These calls of poll(2) go past nidoi_sys: they are no part of what a test counts or disturbs. */
#include "reactor/asleep.h"

#include <poll.h>

#include "nido/types.h"

enum { ENTRIES = 64, ROUNDS = 50, ROUND_MS = 20 };

_Thread_local bool nidoi_asleep_watched;

static size_t waiting(const struct nidoi_link *watches)
{
    size_t n = 0;

    for (const struct nidoi_link *link = watches->next; link != watches; link = link->next) n++;
    return n;
}

/* What the waiters of a descriptor wait for, as far as it can be judged. Foreign ones are asked by the
 * kernel itself each time; there may be room for a datagram that its receiver has none for; a child that has ended may be
 * another's to reap. */
static short wanted(const struct nidoi_fd *slot)
{
    short events = 0;

    if (!(slot->flags & NIDOI_FD_OWNED) || !(slot->flags & (NIDOI_FD_STREAM | NIDOI_FD_SOCKET)))
        return 0;
    if (waiting(&slot->watches[NIDOI_READING])) events |= POLLIN;
    if (slot->flags & NIDOI_FD_STREAM && waiting(&slot->watches[NIDOI_WRITING])) events |= POLLOUT;
    return events;
}

/* A pollfd's events that should have woken a task. */
static int missed(const struct pollfd *entry)
{
    int hang_up = entry->events & POLLIN ? POLLHUP : 0;

    return entry->revents & (entry->events | hang_up);
}

static bool find_missed(struct pollfd *entries, nfds_t count, struct pollfd *out)
{
    if (!count || poll(entries, count, 0) <= 0) return false;
    for (nfds_t i = 0; i < count; i++) {
        if (!missed(&entries[i])) continue;
        *out = entries[i];
        return true;
    }
    return false;
}

/* All watches are in slots, so counting them ends the search. */
static bool find_sleeper(const struct nidoi_reactor *reactor, struct pollfd *out)
{
    struct pollfd entries[ENTRIES];
    size_t left = reactor->watching;
    nfds_t count = 0;

    for (int fd = 0; left > 0; fd++) {
        const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

        if (!slot) continue;
        for (int i = 0; i <= NIDOI_NEITHER; i++) left -= waiting(&slot->watches[i]);
        if (!wanted(slot)) continue;
        entries[count++] = (struct pollfd){.fd = fd, .events = wanted(slot)};
        if (count < ENTRIES) continue;
        if (find_missed(entries, count, out)) return true;
        count = 0;
    }
    return find_missed(entries, count, out);
}

/* Closed behind our back, the number is another file's. */
static bool is_ours(struct nidoi_reactor *reactor, int fd)
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

        if (!find_sleeper(reactor, &found)) return 0;
        reports = nidoi_reactor_poll(reactor, round ? ROUND_MS * INT64_C(1000000) : 0);
        if (reports) return reports;
    }
    if (!find_sleeper(reactor, &found) || !is_ours(reactor, found.fd)) return 0;
    reading = missed(&found) & (POLLIN | POLLHUP);
    nidoi_panic("descriptor %d is %s and its %s sleeps: a report was forgotten", found.fd,
                reading ? "readable" : "writable", reading ? "reader" : "writer");
}

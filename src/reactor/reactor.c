/* SPDX-License-Identifier: MIT */
#include "reactor/reactor.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"

enum { CHUNK = NIDOI_FD_CHUNK, MOST_REPORTS = 64 * NIDOI_REPORTS, DIRECTIONS = 3 };

int nidoi_reactor_init(struct nidoi_reactor *reactor, const struct nidoi_wakeup *wakeup)
{
    memset(reactor, 0, sizeof *reactor); /* no copy of it on the thread's stack */
    return nidoi_backend_open(&reactor->backend, wakeup);
}

void nidoi_reactor_deinit(struct nidoi_reactor *reactor)
{
    nidoi_assert(reactor->watching == 0);
    nidoi_backend_close(&reactor->backend);
    for (size_t i = 0; i < reactor->chunk_count; i++) nidoi_mem.release(reactor->chunks[i]);
    nidoi_mem.release(reactor->chunks);
}

struct nidoi_fd *nidoi_reactor_find(const struct nidoi_reactor *reactor, int fd)
{
    size_t chunk = (size_t)fd / CHUNK;

    if (fd < 0 || chunk >= reactor->chunk_count || !reactor->chunks[chunk]) return NULL;
    return &reactor->chunks[chunk][fd % CHUNK];
}

void nidoi_reactor_closing(struct nidoi_reactor *reactor, struct nidoi_fd *slot, bool closing)
{
    slot->closing = closing;
    slot->renewed = closing ? UINT64_MAX : ++reactor->renewals;
}

bool nidoi_reactor_renewed(const struct nidoi_reactor *reactor, int fd, uint64_t since)
{
    const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

    return slot && slot->renewed > since;
}

static struct nidoi_fd *reactor_new_chunk(void)
{
    struct nidoi_fd *slots = nidoi_mem_zeroed(CHUNK * sizeof *slots);

    for (int i = 0; slots && i < CHUNK; i++) {
        for (int direction = 0; direction < DIRECTIONS; direction++)
            nidoi_list_init(&slots[i].watches[direction]);
        slots[i].generation = 1;
    }
    return slots;
}

int nidoi_reactor_slot(struct nidoi_reactor *reactor, int fd, struct nidoi_fd **out)
{
    size_t chunk = (size_t)fd / CHUNK;
    int err;

    if (fd < 0) return -EBADF;
    err = nidoi_mem_grow((void **)&reactor->chunks, &reactor->chunk_count, chunk + 1,
                         sizeof *reactor->chunks);
    if (err) return err;
    if (!reactor->chunks[chunk] && !(reactor->chunks[chunk] = reactor_new_chunk())) return -ENOMEM;
    *out = &reactor->chunks[chunk][fd % CHUNK];
    return 0;
}

/* A shared watch that was fired keeps its place in the queue until its task has run. */
static void watch_fire(struct nidoi_reactor *reactor, struct nidoi_watch *watch, int result)
{
    if (watch->shared && !result)
        nidoi_reactor_find(reactor, watch->fd)->called[watch->direction]++;
    nidoi_reactor_unwatch(reactor, watch);
    watch->fire(watch, result);
}

/* Firing one watch may unlink others (a poll of several descriptors), so start at the head each
 * time. */
static void watches_fire_all(struct nidoi_reactor *reactor, struct nidoi_link *watches, int result)
{
    while (!nidoi_list_empty(watches))
        watch_fire(reactor, nidoi_container(watches->next, struct nidoi_watch, link), result);
}

static void slot_fire_all(struct nidoi_reactor *reactor, struct nidoi_fd *slot, int result)
{
    for (int direction = 0; direction < DIRECTIONS; direction++)
        watches_fire_all(reactor, &slot->watches[direction], result);
}

/* Fires all watches that are not shared, and the first one that is. */
static void watches_fire_ready(struct nidoi_reactor *reactor, struct nidoi_link *watches)
{
    struct nidoi_link shared;
    bool fired_shared = false;

    nidoi_list_init(&shared);
    while (!nidoi_list_empty(watches)) {
        struct nidoi_watch *watch = nidoi_container(watches->next, struct nidoi_watch, link);

        if (watch->shared && fired_shared) {
            nidoi_list_remove(&watch->link);
            nidoi_list_append(&shared, &watch->link);
            continue;
        }
        fired_shared |= watch->shared;
        watch_fire(reactor, watch, 0);
    }
    nidoi_list_splice(watches, &shared);
}

static uint32_t slot_next_generation(const struct nidoi_fd *slot)
{
    return slot->generation + 1 ? slot->generation + 1 : 1;
}

/* The number may have another file now: nothing that was known of the old one is true of it. */
static void slot_renew(struct nidoi_reactor *reactor, struct nidoi_fd *slot)
{
    slot->generation = slot_next_generation(slot);
    slot->renewed = ++reactor->renewals;
    slot->flags = slot->ready = slot->sticky = slot->armed = slot->busy = 0;
    slot->called[NIDOI_READING] = slot->called[NIDOI_WRITING] = 0;
    slot_fire_all(reactor, slot, -EBADF);
}

/* A foreign descriptor has lost its registration: its waiters arm it again, or get the error of
 * that. */
static void slot_rearm_all(struct nidoi_reactor *reactor, struct nidoi_fd *slot)
{
    slot->flags &= (uint8_t)~NIDOI_FD_KNOWN;
    slot->armed = 0;
    slot_fire_all(reactor, slot, 0);
}

int nidoi_reactor_own(struct nidoi_reactor *reactor, int fd, unsigned kind)
{
    struct nidoi_fd *slot;
    int err = nidoi_reactor_slot(reactor, fd, &slot);

    if (err) return err;
    if (slot->flags & NIDOI_FD_OWNED &&
        nidoi_backend_has(&reactor->backend, fd, slot->generation)) {
        slot->flags =
            (uint8_t)((slot->flags & ~(unsigned)NIDOI_FD_DRAINS) | (kind & NIDOI_FD_DRAINS));
        return 0;
    }
    if (slot->flags & NIDOI_FD_KNOWN) nidoi_backend_remove(&reactor->backend, fd);
    err = nidoi_backend_add(&reactor->backend, fd, slot_next_generation(slot));
    if (err) {
        slot_rearm_all(reactor, slot);
        return err;
    }
    slot_renew(reactor, slot);
    slot->flags = (uint8_t)(NIDOI_FD_OWNED | kind);
    slot->closing = false;
    slot->ready = 1 << NIDOI_READING | 1 << NIDOI_WRITING;
    return 0;
}

int nidoi_reactor_own_file(struct nidoi_reactor *reactor, int fd)
{
    struct nidoi_fd *slot;
    int err = nidoi_reactor_slot(reactor, fd, &slot);

    if (err) return err;
    slot_renew(reactor, slot);
    slot->flags = NIDOI_FD_FILE;
    slot->closing = false;
    return 0;
}

/* The reports that a watch waits for. */
static unsigned watch_wanted(const struct nidoi_watch *watch)
{
    return watch->direction == NIDOI_NEITHER ? watch->also | NIDOI_BROKEN : 1u << watch->direction;
}

static unsigned slot_wanted(const struct nidoi_fd *slot)
{
    const struct nidoi_link *quiet = &slot->watches[NIDOI_NEITHER];
    unsigned all = (nidoi_list_empty(&slot->watches[NIDOI_READING]) ? 0 : 1u << NIDOI_READING) |
                   (nidoi_list_empty(&slot->watches[NIDOI_WRITING]) ? 0 : 1u << NIDOI_WRITING);

    for (const struct nidoi_link *link = quiet->next; link != quiet; link = link->next)
        all |= watch_wanted(nidoi_container(link, struct nidoi_watch, link));
    return all;
}

static int slot_arm_known(struct nidoi_reactor *reactor, int fd, struct nidoi_fd *slot,
                          unsigned directions)
{
    int err = nidoi_backend_arm(&reactor->backend, fd, slot->generation, directions, true);

    if (err == -ENOENT) slot_renew(reactor, slot);
    return err;
}

/* Asks the kernel for one report about a foreign descriptor. If the kernel does not know the number
 * any more, it was closed without nido_close: the waiters for the old file get -EBADF, and the slot
 * is renewed. */
static int slot_arm(struct nidoi_reactor *reactor, int fd, struct nidoi_fd *slot,
                    unsigned directions)
{
    int err = -ENOENT;

    directions |= slot->armed & slot_wanted(slot);
    if (slot->flags & NIDOI_FD_KNOWN) err = slot_arm_known(reactor, fd, slot, directions);
    if (err == -ENOENT) {
        err = nidoi_backend_arm(&reactor->backend, fd, slot->generation, directions, false);
        if (!err) slot->flags |= NIDOI_FD_KNOWN;
    }
    if (!err) slot->armed = (uint8_t)directions;
    return err;
}

bool nidoi_reactor_stale(struct nidoi_reactor *reactor, int fd)
{
    struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

    return slot && slot->flags & NIDOI_FD_KNOWN && slot->armed &&
           slot_arm_known(reactor, fd, slot, slot->armed) == -ENOENT;
}

static void watch_enlist(struct nidoi_reactor *reactor, struct nidoi_link *watches,
                         struct nidoi_watch *watch)
{
    struct nidoi_link *before = watches->prev;

    if (!watch->ticket) watch->ticket = ++reactor->tickets;
    while (before != watches &&
           nidoi_container(before, struct nidoi_watch, link)->ticket > watch->ticket)
        before = before->prev;
    watch->link = (struct nidoi_link){0};
    nidoi_list_insert_before(before->next, &watch->link);
    reactor->watching++;
}

int nidoi_reactor_watch(struct nidoi_reactor *reactor, struct nidoi_watch *watch)
{
    struct nidoi_fd *slot;
    int err = nidoi_reactor_slot(reactor, watch->fd, &slot);

    if (err) return err;
    if (!(slot->flags & NIDOI_FD_OWNED)) {
        err = slot_arm(reactor, watch->fd, slot, watch_wanted(watch));
        if (err) return err;
    } else if (nidoi_strict && !nidoi_backend_has(&reactor->backend, watch->fd, slot->generation)) {
        nidoi_panic("descriptor %d is owned by nido but was closed by something other than "
                    "nido_close; use nido_fd_forget before you give one away",
                    watch->fd);
    }
    watch_enlist(reactor, &slot->watches[watch->direction], watch);
    return 0;
}

void nidoi_reactor_unwatch(struct nidoi_reactor *reactor, struct nidoi_watch *watch)
{
    nidoi_list_remove(&watch->link);
    reactor->watching--;
}

void nidoi_reactor_pass(struct nidoi_reactor *reactor, int fd, enum nidoi_direction direction)
{
    struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);
    struct nidoi_link *watches;

    if (!slot || !(slot->ready & 1u << direction)) return;
    watches = &slot->watches[direction];
    for (struct nidoi_link *link = watches->next; link != watches; link = link->next) {
        struct nidoi_watch *watch = nidoi_container(link, struct nidoi_watch, link);

        if (!watch->shared) continue;
        watch_fire(reactor, watch, 0);
        return;
    }
}

void nidoi_reactor_drop(struct nidoi_reactor *reactor, int fd)
{
    struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);

    if (!slot) return;
    if (slot->flags & (NIDOI_FD_OWNED | NIDOI_FD_KNOWN))
        nidoi_backend_remove(&reactor->backend, fd);
    slot_renew(reactor, slot);
}

static void slot_fire_direction(struct nidoi_reactor *reactor, struct nidoi_fd *slot,
                                enum nidoi_direction direction)
{
    slot->reports[direction]++;
    slot->ready |= (uint8_t)(1u << direction);
    watches_fire_ready(reactor, &slot->watches[direction]);
}

/* True: a report of bytes or room that were not asked for, by a kernel that cannot report an end
 * alone. The waiters for the end have to look themselves: armed again at once, the report would
 * come again at once, as long as the bytes are not read. */
static bool report_is_early(const struct nidoi_fd *slot, const struct nidoi_ready *report)
{
    return !(slot->flags & NIDOI_FD_OWNED) &&
           !(report->events & slot->armed & (NIDOI_READABLE | NIDOI_WRITABLE));
}

static void report_dispatch(struct nidoi_reactor *reactor, const struct nidoi_ready *report)
{
    struct nidoi_fd *slot = nidoi_reactor_find(reactor, report->fd);
    bool early;

    if (!slot || slot->generation != report->generation) return;
    early = report_is_early(slot, report);
    slot->armed &= (uint8_t)~report->spent;
    slot->sticky =
        (uint8_t)(slot->sticky | (report->events & (NIDOI_ENDING | NIDOI_BROKEN | NIDOI_URGENT)));
    if (report->events & NIDOI_READABLE) slot_fire_direction(reactor, slot, NIDOI_READING);
    if (report->events & NIDOI_WRITABLE) slot_fire_direction(reactor, slot, NIDOI_WRITING);
    if (early || report->events & (NIDOI_ENDING | NIDOI_BROKEN | NIDOI_URGENT))
        watches_fire_all(reactor, &slot->watches[NIDOI_NEITHER], 0);
    if (!(slot->flags & NIDOI_FD_OWNED) && slot_wanted(slot) & ~slot->armed &&
        slot_arm(reactor, report->fd, slot, slot_wanted(slot)) != 0)
        slot_renew(reactor, slot); /* no report will come: the waiters have to look themselves */
}

void nidoi_reactor_nudge(struct nidoi_reactor *reactor, int fd)
{
    const struct nidoi_fd *slot = nidoi_reactor_find(reactor, fd);
    struct nidoi_ready report = {.fd = fd, .events = NIDOI_READABLE | NIDOI_WRITABLE};

    if (!slot || !(slot->flags & NIDOI_FD_OWNED)) return;
    report.generation = slot->generation;
    report_dispatch(reactor, &report);
}

/* A signal has ended the wait: it is followed by a second one that does not wait, because the
 * handler, or a stop of the process, may have taken long. */
static NIDOI_RARE int reactor_wait_failed(struct nidoi_reactor *reactor, int err)
{
    if (err == -EINTR)
        err = nidoi_backend_wait(&reactor->backend, reactor->reports, NIDOI_REPORTS, 0);
    if (err == -EBADF || err == -EINVAL) nidoi_own_fd_was_closed(reactor->backend.fd);
    if (err == -ENOSYS || err == -EPERM)
        nidoi_panic("the system refuses the call that waits for descriptors (errno %d): a filter "
                    "of system calls denies it",
                    -err);
    nidoi_assert(err >= 0 || err == -EINTR);
    return err < 0 ? 0 : err;
}

static int reactor_wait(struct nidoi_reactor *reactor, int64_t ns)
{
    struct nidoi_ready *reports = reactor->reports;
    int count = nidoi_backend_wait(&reactor->backend, reports, NIDOI_REPORTS, ns);

    if (count < 0) count = reactor_wait_failed(reactor, count);
    for (int i = 0; i < count; i++) report_dispatch(reactor, &reports[i]);
    reactor->polls++;
    reactor->reported += (uint64_t)count;
    return count;
}

int nidoi_reactor_poll(struct nidoi_reactor *reactor, int64_t ns)
{
    int count = reactor_wait(reactor, ns), all = count;

    for (; count == NIDOI_REPORTS && all < MOST_REPORTS; all += count)
        count = reactor_wait(reactor, 0); /* there may be more than fit */
    return all;
}

/* SPDX-License-Identifier: MIT */
/* reactor/reactor.h: the watches of each descriptor. Knows nothing of tasks.
 *
 * 1. While the kernel's reports are dispatched no user code runs: firing a watch makes a task
 * runnable, no more.
 * 2. A watch is linked exactly while a task waits by it; it leaves its slot before it fires.
 * 3. A slot is renewed, and its generation changes, whenever its number may have become another
 * file's. Reports of another generation are dropped. A call notes the count of renewals when it
 * begins, and asks after every sleep whether one of its numbers was renewed since.
 * 4. Owned descriptors are registered once, edge-triggered: `ready` keeps the report of an edge
 * until a system call finds nothing (reactor/edge.h). Foreign ones are armed for one report at a
 * time, and nothing is kept.
 * 5. Slots never move. */
#ifndef NIDOI_REACTOR_H
#define NIDOI_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nido/impl.h"
#include "reactor/backend.h"

enum {
    NIDOI_FD_OWNED = 1,   /* nido closes it; it stays registered */
    NIDOI_FD_KNOWN = 2,   /* foreign, and registered once */
    NIDOI_FD_SOCKET = 4,  /* owned: what it is */
    NIDOI_FD_STREAM = 8,  /* owned: bytes without message bounds, so one reader and one writer */
    NIDOI_FD_DRAINS = 16, /* owned: a short read means empty */
    NIDOI_FD_FILE = 32,   /* nido closes it, and it is a file: the kernel reports nothing of it */
    NIDOI_FD_PROMPT = 64  /* a listener whose connections need no TCP_NODELAY any more */
};

enum { NIDOI_FD_CHUNK = 64 }; /* slots that are allocated together */

struct nidoi_fd {
    struct nidoi_link watches[3]; /* by direction */
    uint32_t generation;          /* never 0 */
    uint8_t flags;
    uint8_t ready; /* owned: 1 << direction: a try may succeed */
    uint8_t
        sticky; /* NIDOI_ENDING, _BROKEN, _URGENT: once seen, a short read means nothing any more */
    uint8_t armed;       /* foreign: NIDOI_READABLE and so on that will be reported */
    uint8_t busy;        /* 1 << direction: an exclusive call is under way; kept by the caller */
    bool closing;        /* it was closed while jobs used the number: the last one closes it */
    uint32_t jobs;       /* on workers, that use the number; kept by the caller */
    uint32_t called[2];  /* by direction: shared waiters that were fired and have not run yet */
    uint32_t reports[2]; /* by direction: how many there were */
    uint64_t renewed;    /* the reactor's count of renewals at its last; 0: never */
};

enum { NIDOI_REPORTS = 256 };

struct nidoi_reactor {
    struct nidoi_backend backend;
    struct nidoi_fd **chunks; /* by number; a chunk is NULL until one of its numbers is used */
    size_t chunk_count;
    size_t watching;                           /* linked watches */
    uint64_t polls, reported;                  /* ever: waits, and what they have reported */
    uint64_t tickets;                          /* drawn so far */
    uint64_t renewals;                         /* of slots, so far */
    struct nidoi_ready reports[NIDOI_REPORTS]; /* of one poll: a thread's stack may be small */
};

int nidoi_reactor_init(struct nidoi_reactor *reactor, const struct nidoi_wakeup *wakeup);
void nidoi_reactor_deinit(struct nidoi_reactor *reactor);

/* The slot of a number; NULL if it was never used here. */
struct nidoi_fd *nidoi_reactor_find(const struct nidoi_reactor *reactor, int fd);

/* The slot of a number, made if need be. 0, -EBADF: negative; -ENOMEM. */
int nidoi_reactor_slot(struct nidoi_reactor *reactor, int fd, struct nidoi_fd **out);

/* closing: every call finds the number renewed, until the jobs that use it are over. */
void nidoi_reactor_closing(struct nidoi_reactor *reactor, struct nidoi_fd *slot, bool closing);

/* True: the number may be another file's than when the count of renewals was `since`. */
bool nidoi_reactor_renewed(const struct nidoi_reactor *reactor, int fd, uint64_t since);

/* Registers a descriptor that nido owns. `kind`: the NIDOI_FD_ bits SOCKET, STREAM, DRAINS. 0; if
 * it is owned already, only DRAINS is set again. If the old descriptor of the number was closed
 * without nido_close, its waiters get -EBADF. Errors of nidoi_backend_add. */
int nidoi_reactor_own(struct nidoi_reactor *reactor, int fd, unsigned kind);

/* A file that nido owns: nothing is registered. 0, -EBADF, -ENOMEM. */
int nidoi_reactor_own_file(struct nidoi_reactor *reactor, int fd);

/* Links a watch, all of whose fields but `link` are set, in the order of the tickets: a task that
 * was woken, found nothing and waits again with its ticket keeps its place. 0; on an error nothing
 * is linked: -EPERM: always ready; -EBADF, -ENOMEM, -ENOSPC. */
int nidoi_reactor_watch(struct nidoi_reactor *reactor, struct nidoi_watch *watch);
void nidoi_reactor_unwatch(struct nidoi_reactor *reactor, struct nidoi_watch *watch);

/* True: a foreign descriptor was armed and the kernel does not know it any more, so it was closed.
 * Its waiters get -EBADF and the slot is renewed. */
bool nidoi_reactor_stale(struct nidoi_reactor *reactor, int fd);

/* Fires the first shared watch of a direction if a try may succeed: a task that took one of several
 * items (connections, datagrams) wakes the next task so. */
void nidoi_reactor_pass(struct nidoi_reactor *reactor, int fd, enum nidoi_direction direction);

/* nido does not own the number any more: fires all its watches with -EBADF, ends its registration,
 * changes the generation. */
void nidoi_reactor_drop(struct nidoi_reactor *reactor, int fd);

/* As if the kernel had reported both directions of an owned descriptor: its waiters try again. For
 * tests. */
void nidoi_reactor_nudge(struct nidoi_reactor *reactor, int fd);

/* Waits at most ns (0: not at all, < 0: no limit) and fires the watches of all reports. Returns the
 * number of reports; 0 too if a signal ended the wait. */
int nidoi_reactor_poll(struct nidoi_reactor *reactor, int64_t ns);

#endif

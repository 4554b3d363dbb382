/* reactor/reactor.h: who waits for which descriptor. Knows nothing of tasks.
 *
 * 1. While the kernel's reports are dispatched no user code runs: firing a watch makes a task
 * runnable, no more.
 * 2. A watch is linked exactly while somebody waits by it; it leaves its slot before it fires.
 * 3. A slot is renewed, and its generation changes, whenever its number may have changed hands.
 * Reports of another generation are dropped; a call notes how many renewals there were when it was
 * handed its numbers, and after every sleep asks whether one of them has been renewed since.
 * 4. Owned descriptors are registered once, edge-triggered: `ready` remembers what an edge said
 * until a system call finds it empty (reactor/edge.h). Foreign ones are armed for one report at a
 * time and nothing is remembered.
 * 5. Slots never move. */
#ifndef NIDOI_REACTOR_H
#define NIDOI_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nido/impl.h"
#include "reactor/backend.h"

enum {
    NIDOI_FD_OWNED = 1,   /* ours to close; registered for good */
    NIDOI_FD_KNOWN = 2,   /* foreign, and the kernel was told of it */
    NIDOI_FD_SOCKET = 4,  /* owned: what it is */
    NIDOI_FD_STREAM = 8,  /* owned: bytes without bounds, so one reader and one writer */
    NIDOI_FD_DRAINS = 16, /* owned: a short read means empty */
    NIDOI_FD_FILE = 32,   /* ours to close, and a file: the kernel has nothing to tell of it */
    NIDOI_FD_PROMPT = 64  /* a listener whose connections need no TCP_NODELAY any more */
};

enum { NIDOI_FD_CHUNK = 64 }; /* slots that are made at once */

struct nidoi_fd {
    struct nidoi_link watches[3]; /* by direction */
    uint32_t generation;          /* never 0 */
    uint8_t flags;
    uint8_t ready;  /* owned: 1 << direction: a try may succeed */
    uint8_t sticky; /* NIDOI_ENDING, _BROKEN, _URGENT: once seen, reads find the truth by probing */
    uint8_t armed;  /* foreign: NIDOI_READABLE and its kin: will be reported */
    uint8_t busy;   /* 1 << direction: an exclusive call is under way; kept by the caller */
    bool closing;   /* it was closed while jobs used the number: the last one closes it */
    uint32_t jobs;  /* on workers, that use the number; so too */
    uint32_t called[2];  /* by direction: woken from the line, and their turn has not come yet */
    uint32_t reports[2]; /* by direction: how many there were */
    uint64_t renewed;    /* the reactor's count of renewals at its last; 0: never */
};

enum { NIDOI_REPORTS = 256 };

struct nidoi_reactor {
    struct nidoi_backend backend;
    struct nidoi_fd **chunks; /* by number; a chunk is NULL until one of its numbers is used */
    size_t chunk_count;
    size_t watching;                           /* linked watches */
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

/* A number is closed for everybody until jobs that use it are done: every call finds it renewed. Or
 * no longer. */
void nidoi_reactor_closing(struct nidoi_reactor *reactor, struct nidoi_fd *slot, bool closing);

/* The number may have changed hands since there were so many renewals. */
bool nidoi_reactor_renewed(const struct nidoi_reactor *reactor, int fd, uint64_t since);

/* Registers for good. `kind`: the NIDOI_FD_ bits SOCKET, STREAM, DRAINS. 0, also if it is owned
 * already, when only DRAINS is told anew; a slot whose old descriptor was closed behind our back starts
 * anew, its waiters get -EBADF. Errors of nidoi_backend_add. */
int nidoi_reactor_own(struct nidoi_reactor *reactor, int fd, unsigned kind);

/* A file of ours: nothing is registered. 0, -EBADF, -ENOMEM. */
int nidoi_reactor_own_file(struct nidoi_reactor *reactor, int fd);

/* Links a watch whose fields but link are set, in the order of the tickets: who was fired, found
 * nothing and comes back with his ticket has not lost his turn. 0, or nothing is linked: -EPERM:
 * always ready; -EBADF, -ENOMEM, -ENOSPC. */
int nidoi_reactor_watch(struct nidoi_reactor *reactor, struct nidoi_watch *watch);
void nidoi_reactor_unwatch(struct nidoi_reactor *reactor, struct nidoi_watch *watch);

/* True if the kernel has forgotten a foreign descriptor that was armed: it was closed behind our
 * back. Its waiters then get -EBADF and the slot starts anew. */
bool nidoi_reactor_stale(struct nidoi_reactor *reactor, int fd);

/* Fires the first shared watch of a direction if a try may succeed: whoever took one of many passes
 * the edge on. */
void nidoi_reactor_pass(struct nidoi_reactor *reactor, int fd, enum nidoi_direction direction);

/* The number leaves our hands: fires all its watches with -EBADF, ends its registration, changes
 * the generation. */
void nidoi_reactor_drop(struct nidoi_reactor *reactor, int fd);

/* As if the kernel had reported an owned descriptor for both directions: who waits tries again. For
 * tests. */
void nidoi_reactor_nudge(struct nidoi_reactor *reactor, int fd);

/* Waits up to ns (0: not at all, < 0: no limit) and fires all that has come. How many reports that
 * were; 0 too if a signal ended the wait. */
int nidoi_reactor_poll(struct nidoi_reactor *reactor, int64_t ns);

#endif

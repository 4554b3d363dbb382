/* SPDX-License-Identifier: MIT */
/* reactor/backend.h: what the reactor asks of a kernel. epoll.c and kqueue.c implement it, the
 * build chooses one of them. A backend translates and decides nothing: it knows no watches, no
 * tasks, no policy.
 *
 * A descriptor is registered with {fd, generation}. Each report carries the pair, so that a report
 * about an earlier owner of the number can be told from one about the present owner. All functions
 * but nidoi_wakeup_send are for the loop's thread. All return 0 or more, or a negated errno. */
#ifndef NIDOI_BACKEND_H
#define NIDOI_BACKEND_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    NIDOI_READABLE = 1,
    NIDOI_WRITABLE = 2,
    NIDOI_ENDING = 4, /* no more bytes will come (the peer has shut down its side): sticky */
    NIDOI_BROKEN = 8, /* error or hang-up: sticky, and both directions are reported */
    NIDOI_URGENT = 16 /* something beside the bytes: urgent data, at whose mark reads stop short, an
                         exception of a device: sticky */
};

/* The two directions of a descriptor may come in one report or in two: that depends on the
 * kernel. */
struct nidoi_ready {
    int fd;
    uint32_t generation;
    unsigned events;
    unsigned spent; /* which events of nidoi_backend_arm are used up by this report */
};

/* The wake-up: the only thing here that other threads may touch. It is opened before its backend
 * and closed after it, and may hold the kernel's set of the backend: so it serves one backend
 * only. */
struct nidoi_wakeup {
    int fd;
};

struct nidoi_backend {
    int fd;
};

int nidoi_wakeup_open(struct nidoi_wakeup *wakeup);
/* Any thread, and signal handlers: one system call. Ends the present nidoi_backend_wait, or else
 * the next one. Never fails. */
void nidoi_wakeup_send(const struct nidoi_wakeup *wakeup);
void nidoi_wakeup_close(struct nidoi_wakeup *wakeup);

/* Opens a set that the wake-up belongs to. -EMFILE, -ENFILE, -ENOMEM: nothing is open. */
int nidoi_backend_open(struct nidoi_backend *backend, const struct nidoi_wakeup *wakeup);
void nidoi_backend_close(struct nidoi_backend *backend);

/* In a child made by fork: closes what both share with the parent, without an effect on the
 * parent. */
void nidoi_backend_abandon(struct nidoi_backend *backend, struct nidoi_wakeup *wakeup);

/* Registers both directions, edge-triggered, until nidoi_backend_remove; the state at this moment
 * is reported as a first edge. Replaces a registration that an earlier owner of the number has
 * left. -EPERM: it cannot be watched, it is always ready; -EBADF, -ENOMEM, -ENOSPC. */
int nidoi_backend_add(struct nidoi_backend *backend, int fd, uint32_t generation);

/* Asks for one report of `events`: one for all of them, or one for each direction. BROKEN is always
 * reported. A kernel that cannot report an end alone may report bytes or room that were not asked
 * for. `known`: it was registered by an earlier call. -ENOENT: known, but the kernel has no
 * registration any more (it was closed meanwhile); -EPIPE: the reading side is closed; otherwise as
 * nidoi_backend_add. */
int nidoi_backend_arm(struct nidoi_backend *backend, int fd, uint32_t generation, unsigned events,
                      bool known);

/* Ends a registration, if the kernel still has it. */
void nidoi_backend_remove(struct nidoi_backend *backend, int fd);

/* True: the kernel still has the registration of nidoi_backend_add. */
bool nidoi_backend_has(struct nidoi_backend *backend, int fd, uint32_t generation);

/* For a stream socket of the internet families. True: the kernel promises that a read of fewer
 * bytes than were asked for has emptied it, unless the backend has reported urgent bytes. */
bool nidoi_backend_drains(int fd);

/* Waits for reports, at most `ns` but not shorter (0: not at all, < 0: no limit). Fills at most n
 * and returns their number. -EINTR. The wake-up is not reported, it only ends the wait. */
int nidoi_backend_wait(struct nidoi_backend *backend, struct nidoi_ready *out, int n, int64_t ns);

/* ---- Child processes. Any thread. ---- */

/* A descriptor, close-on-exec, that becomes readable when a child of this process has ended, and
 * stays so. -ESRCH: it has ended and is reaped; -EMFILE, -ENFILE, -ENOMEM. */
int nidoi_child_open(int pid);

/* waitid(2) for this child alone. 0; -ECHILD: it was reaped already. */
int nidoi_child_ask(int fd, int pid, int options, siginfo_t *out);

/* Sends a signal to a child. -ESRCH: it was reaped, so another process may have its number:
 * nothing was sent. -EPERM. */
int nidoi_child_signal(int fd, int pid, int signal);

#endif

/* reactor/backend.h: what the reactor asks of a kernel. epoll.c and kqueue.c implement it, the build
 * chooses one of them. A backend translates and decides nothing: it knows no watches, no tasks, no
 * policy.
 *
 * Descriptors are registered under {fd, generation}; the pair comes back with every report, so that
 * reports about an earlier owner of a number can be told from those about the present one. All
 * calls but nidoi_wakeup_send belong to the loop's thread. All return 0 or more, or a negated errno.
 */
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

/* The directions of one descriptor may come in one report or in one each: as the kernel has it. */
struct nidoi_ready {
    int fd;
    uint32_t generation;
    unsigned events;
    unsigned spent; /* what nidoi_backend_arm asked for and this used up */
};

/* The doorbell: the one thing another thread may touch. It outlives its backend, which may live in
 * it: a bell serves one backend in its life. */
struct nidoi_wakeup {
    int fd;
};

struct nidoi_backend {
    int fd;
};

int nidoi_wakeup_open(struct nidoi_wakeup *wakeup);
/* Any thread, and a signal handler: one system call. Makes a nidoi_backend_wait that is under way or
 * comes next return. Never fails. */
void nidoi_wakeup_send(const struct nidoi_wakeup *wakeup);
void nidoi_wakeup_close(struct nidoi_wakeup *wakeup);

/* Opens, and listens to the bell. -EMFILE, -ENFILE, -ENOMEM: nothing is open. */
int nidoi_backend_open(struct nidoi_backend *backend, const struct nidoi_wakeup *wakeup);
void nidoi_backend_close(struct nidoi_backend *backend);

/* In a child made by fork: lets go of what the two share with the parent, which must not notice. */
void nidoi_backend_abandon(struct nidoi_backend *backend, struct nidoi_wakeup *wakeup);

/* Registers for good, edge-triggered, both directions; the state at this moment is reported as a
 * first edge. A registration that an earlier owner of the number left in the kernel is taken over.
 * -EPERM: cannot be watched, it is always ready; -EBADF, -ENOMEM, -ENOSPC. */
int nidoi_backend_add(struct nidoi_backend *backend, int fd, uint32_t generation);

/* Reports of `events` until they are spent: one for all of them, or one for each direction. BROKEN
 * is always reported; a kernel that knows no report of an end alone gives early ones, of bytes and
 * room that were not asked for. `known`: it was registered by an earlier call. -ENOENT: known, but
 * the kernel has forgotten it (it was closed meanwhile); -EPIPE: nobody is left to write to;
 * otherwise as nidoi_backend_add. */
int nidoi_backend_arm(struct nidoi_backend *backend, int fd, uint32_t generation, unsigned events,
                      bool known);

/* Ends a registration; one that the kernel has forgotten is fine. */
void nidoi_backend_remove(struct nidoi_backend *backend, int fd);

/* Does the kernel still have what nidoi_backend_add registered? */
bool nidoi_backend_has(struct nidoi_backend *backend, int fd, uint32_t generation);

/* A claim about the kernel: a read of this stream socket of the internet families that brings fewer
 * bytes than asked for has emptied it, unless the backend has reported urgent bytes. False where
 * that cannot be known. */
bool nidoi_backend_drains(int fd);

/* Waits up to `ns` (0: not at all, < 0: no limit) for reports, never shorter; fills at most n and
 * returns how many. -EINTR. The bell is not reported, it only ends the wait. */
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

/* SPDX-License-Identifier: MIT */
/* nido/signal.h: signals as values.
 *
 *     sigset_t set;
 *     nido_signal hangups;
 *
 *     sigemptyset(&set);
 *     sigaddset(&set, SIGHUP);
 *     nido_signal_open(&hangups, &set);
 *     while (nido_signal_wait(&hangups) == SIGHUP) reload();
 *     nido_signal_close(&hangups);
 *
 * While a receiver is open, its signals have no other effect. Equal signals that arrive close
 * together may count as one, as with the kernel. Every open receiver of a number gets the signal.
 * To end the whole run on Ctrl-C, nido_options.signals is enough. */
#ifndef NIDO_SIGNAL_H
#define NIDO_SIGNAL_H

#include <sys/select.h> /* sigset_t, in every mode of C */

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nido_arm;

/* A receiver for a set of signals. Caller's memory; fields are private. It belongs to the task that
 * opened it, and is closed when that task ends; any task of the run may wait on it. */
typedef struct nido_signal {
    struct nidoi_sync sync;
    struct nidoi_held held;
    struct nidoi_receiver receiver;
    uint8_t pending[64]; /* numbers that no task has taken, oldest first */
    uint32_t count;
    uint32_t spare;
    uint64_t spare64;
} nido_signal;

/* Opens a receiver for the signals in `set`, which is copied. Not a cancellation point. 0, and it
 * must be closed; or an error, and it is not open: -EINVAL: the set is empty or has a signal that
 * cannot be received (SIGKILL, SIGSTOP, and those that a fault of the program raises: SIGSEGV,
 * SIGBUS, SIGFPE, SIGILL); -ENOMEM; -EPERM: not in a task. */
NIDO_API int nido_signal_open(nido_signal *signal, const sigset_t *set);

/* Waits for the next signal of the set, oldest first; tasks are served in the order in which they
 * came. Cancellation point. Its number; -ECANCELED: none was taken; -EBADF: it is not open, or was
 * closed meanwhile; -EXDEV: another thread's. While a task waits here, no deadlock is reported. */
NIDO_API int nido_signal_wait(nido_signal *signal);

/* The same without waiting. Not a cancellation point. Its number; -EAGAIN: none has come; -EBADF,
 * -EXDEV. */
NIDO_API int nido_signal_try(nido_signal *signal);

/* Closes it: tasks that wait get -EBADF, and the signals have their former disposition again; a
 * handler that the program has set meanwhile stays. A signal that no receiver has taken is raised
 * again when the last receiver of its number closes. Not a cancellation point. 0; -EBADF: it is not
 * open; -EXDEV. */
NIDO_API int nido_signal_close(nido_signal *signal);

/* An arm of nido_select: waits for a signal as nido_signal_wait does, the number is the arm's
 * status. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_signal(struct nido_arm *arm, nido_signal *signal);

#ifdef __cplusplus
}
#endif

#endif

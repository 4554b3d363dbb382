/* SPDX-License-Identifier: MIT */
/* nido/barrier.h: a fixed number of tasks wait for each other, round after round. */
#ifndef NIDO_BARRIER_H
#define NIDO_BARRIER_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

enum nido_barrier_flags {
    NIDO_BARRIER_BREAKS = 1 /* a waiter that is cancelled aborts the barrier for all */
};

/* Caller's memory; fields are private. It must stay at its address while tasks wait. */
typedef struct nido_barrier {
    struct nidoi_sync sync;
    uint32_t size;
    uint32_t arrived; /* tasks that wait now */
    uint32_t flags;
    uint32_t aborted;
    uint64_t spare[2];
} nido_barrier;

/* As nido_barrier_init makes it, of constants, for what is initialised before main. What would be
 * -EINVAL there does not compile. */
#define NIDO_BARRIER_INIT(n, flags, name)                                                       \
    {                                                                                           \
        NIDOI_SYNC_INIT(name), NIDOI_CHECKED(n, (n) > 0), 0,                                    \
            NIDOI_CHECKED(flags, (flags) == ((flags)&NIDO_BARRIER_BREAKS)), 0, NIDOI_SPARE_INIT \
    }

/* Makes a barrier for n tasks; `flags`: enum nido_barrier_flags; `name` (for reports) outlives it,
 * or is NULL. Not a cancellation point. 0; -EINVAL: n is 0, or an unknown flag. */
NIDO_API int nido_barrier_init(nido_barrier *barrier, uint32_t n, uint32_t flags, const char *name);

/* Waits until n tasks have arrived; then all go on and the next round begins. A task that is
 * cancelled while it waits is not counted any more; with NIDO_BARRIER_BREAKS it aborts the barrier
 * instead. Cancellation point. 1 for the task that arrived last, 0 for the others; -ECANCELED;
 * -EPIPE: aborted; -EXDEV: another thread's. A round that was complete gives 0 even to a task that
 * is cancelled before it runs. */
NIDO_API int nido_barrier_wait(nido_barrier *barrier);

/* Arrives if that completes the round, whatever the scope says; else it has not arrived. Never waits.
 * Not a cancellation point. 1: the round is complete, as for the task that arrived last; -EAGAIN:
 * more than one task is missing; -EPIPE: aborted; -EXDEV; -EPERM: tasks wait and this thread has no
 * runtime. */
NIDO_API int nido_barrier_try_wait(nido_barrier *barrier);

/* Aborts the barrier: tasks that wait, and tasks that arrive before the reset, get -EPIPE. Not a
 * cancellation point. 0; -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_barrier_abort(nido_barrier *barrier);

/* Makes an aborted barrier usable again; does nothing to any other. Not a cancellation point. 0;
 * -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_barrier_reset(nido_barrier *barrier);

/* How many tasks wait for the rest of their round. Cannot fail. Not a cancellation point. */
NIDO_API uint32_t nido_barrier_waiting(const nido_barrier *barrier);

/* True from an abort to the reset. Cannot fail. Not a cancellation point. */
NIDO_API bool nido_barrier_is_aborted(const nido_barrier *barrier);

/* Ends the use of the barrier. Not a cancellation point. 0; -EBUSY: tasks wait, nothing is done. */
NIDO_API int nido_barrier_deinit(nido_barrier *barrier);

#ifdef __cplusplus
}
#endif

#endif

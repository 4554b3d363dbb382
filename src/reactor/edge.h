/* SPDX-License-Identifier: MIT */
/* reactor/edge.h: the readiness of an owned descriptor that nido keeps between two system calls.
 *
 * The kernel reports a change once. `ready` of the slot keeps it, so that most waits cost no call.
 * If `ready` is cleared after a report that no task has acted on, a task sleeps for ever. So these
 * are the only functions that clear it, and they keep four rules:
 *
 * 1. Try, register, try: a call that tried before the descriptor was registered tries once more
 * after that, before it sleeps.
 * 2. A refusal (-EAGAIN) clears only what it has seen: an attempt takes the count of reports before
 * its system call, and clears `ready` only if the count is still the same. On the loop it always
 * is; on a worker, across a yield or a callback it may not be.
 * 3. A short read means empty only where the kernel promises it: NIDOI_FD_DRAINS, see
 * nidoi_backend_drains. A short write never means full.
 * 4. Only the descriptor itself can refuse: a pool without threads returns the same number.
 *
 * tests/model/edge.pml is their model. */
#ifndef NIDOI_EDGE_H
#define NIDOI_EDGE_H

#include "reactor/reactor.h"

static inline bool nidoi_edge_may_try(const struct nidoi_fd *slot, enum nidoi_direction direction)
{
    return slot->ready & 1u << direction;
}

/* Taken before the system call of an attempt. */
static inline uint32_t nidoi_edge_count(const struct nidoi_fd *slot, enum nidoi_direction direction)
{
    return slot->reports[direction];
}

/* The attempt that began at `count` was refused. False: a report has come meanwhile, which the
 * refusal has not seen; try again. */
static inline bool nidoi_edge_spend(struct nidoi_fd *slot, enum nidoi_direction direction,
                                    uint32_t count)
{
    if (slot->reports[direction] != count) return false;
    slot->ready &= (uint8_t) ~(1u << direction);
    return true;
}

/* A read that began at `count` got fewer bytes than it asked for: for some kinds there are no more
 * then, and the next try is not needed. After an end, an error or urgent bytes it means nothing. */
static inline void nidoi_edge_short(struct nidoi_fd *slot, uint32_t count)
{
    if (slot->flags & NIDOI_FD_DRAINS && !slot->sticky)
        (void)nidoi_edge_spend(slot, NIDOI_READING, count);
}

/* The state is not known: the next call has to try. */
static inline void nidoi_edge_doubt(struct nidoi_fd *slot, enum nidoi_direction direction)
{
    slot->ready |= (uint8_t)(1u << direction);
}

#endif

/* reactor/edge.h: what nido remembers of an owned descriptor between two system calls.
 *
 * The kernel reports a change once. `ready` of the slot remembers it, so that most waits cost no
 * call; a memory that is cleared over a report that nobody has acted on is a task that sleeps for
 * ever. So these are the only functions that clear it, and they keep four rules:
 *
 * 1. Ask, register, ask: who did something to a descriptor before it was registered tries once more
 * after that, before it sleeps.
 * 2. A refusal forgets only what it has seen: an attempt takes the count of reports before its
 * system call, and clears `ready` under the same count alone. On the loop the two are always equal;
 * on a worker, across a yield or a callback they are not.
 * 3. Short means empty only where the kernel says so: NIDOI_FD_DRAINS, see nidoi_backend_drains; of
 * writes never.
 * 4. Only the descriptor's own refusal is one: a pool without threads answers with the same number.
 *
 * tests/model/edge.pml is their model. */
#ifndef NIDOI_EDGE_H
#define NIDOI_EDGE_H

#include "reactor/reactor.h"

static inline bool nidoi_edge_may_try(const struct nidoi_fd *slot, enum nidoi_direction direction)
{
    return slot->ready & 1u << direction;
}

/* To be taken before an attempt's system call. */
static inline uint32_t nidoi_edge_count(const struct nidoi_fd *slot, enum nidoi_direction direction)
{
    return slot->reports[direction];
}

/* The attempt that began under `count` was refused. False: a report has come meanwhile, which the
 * refusal has not seen; try again. */
static inline bool nidoi_edge_spend(struct nidoi_fd *slot, enum nidoi_direction direction,
                                    uint32_t count)
{
    if (slot->reports[direction] != count) return false;
    slot->ready &= (uint8_t) ~(1u << direction);
    return true;
}

/* A read that began under `count` brought fewer bytes than asked for: for some kinds that means
 * there are no more, and the next try can be spared. After an end, an error or urgent bytes it
 * means nothing. */
static inline void nidoi_edge_short(struct nidoi_fd *slot, uint32_t count)
{
    if (slot->flags & NIDOI_FD_DRAINS && !slot->sticky)
        (void)nidoi_edge_spend(slot, NIDOI_READING, count);
}

/* Nobody knows what is true now: an attempt will tell. */
static inline void nidoi_edge_doubt(struct nidoi_fd *slot, enum nidoi_direction direction)
{
    slot->ready |= (uint8_t)(1u << direction);
}

#endif

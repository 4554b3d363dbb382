/* base/mpsc.h: many threads push, one takes everything at once.
 *
 * A stack of links swapped out whole and turned round (R. K. Treiber, "Systems Programming: Coping
 * with Parallelism", 1986), so one exchange takes a batch of any size and the order of each pusher
 * is kept. Closing swaps in an end mark that no push can pass: whoever pushes later is told so and
 * keeps the link. */
#ifndef NIDOI_MPSC_H
#define NIDOI_MPSC_H

#include <stdbool.h>
#include <stddef.h>

struct nidoi_mpsc_link {
    struct nidoi_mpsc_link *next;
};

struct nidoi_mpsc {
    struct nidoi_mpsc_link *top; /* atomic: pushers and the taker */
};

/* Any thread. False: closed, the link is still the caller's. */
bool nidoi_mpsc_push(struct nidoi_mpsc *queue, struct nidoi_mpsc_link *link);

/* The taker: everything pushed so far, oldest first, linked by `next`. */
struct nidoi_mpsc_link *nidoi_mpsc_take(struct nidoi_mpsc *queue);

/* The taker: the same, and no push succeeds from now on. */
struct nidoi_mpsc_link *nidoi_mpsc_close(struct nidoi_mpsc *queue);

/* Any thread; a hint unless the caller orders it otherwise. */
bool nidoi_mpsc_empty(const struct nidoi_mpsc *queue);

#endif

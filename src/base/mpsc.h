/* SPDX-License-Identifier: MIT */
/* base/mpsc.h: a queue that many threads push to, and of which one thread takes everything at once.
 *
 * A stack of links (R. K. Treiber, "Systems Programming: Coping with Parallelism", 1986) that is
 * taken as a whole and reversed: so one exchange takes a batch of any size, and the order of each
 * pusher is kept. Closing exchanges the stack for a mark: every later push fails, and its link
 * stays the caller's. */
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

/* The taker: the same, and every later push fails. */
struct nidoi_mpsc_link *nidoi_mpsc_close(struct nidoi_mpsc *queue);

/* Any thread; a hint, unless the caller synchronises it. */
bool nidoi_mpsc_empty(const struct nidoi_mpsc *queue);

#endif

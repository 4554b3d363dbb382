/* SPDX-License-Identifier: MIT */
/* coro/run/signals.h: signals of the process as posts to the loops that want them.
 *
 * 1. The handler posts, by a post that is kept for each number, and does nothing else; a number that
 * is on its way already is not posted again, as the kernel would have it.
 * 2. On the loop's thread every receiver that wants the number is told. Nothing is lost silently:
 * what no receiver in the process has taken when the last of them goes is raised anew, for the handler that was there before. Arrivals are counted, so that a taken one is known wherever else it was told.
 * 3. A disposition is changed while a receiver in the process wants the number, then put back, unless
 * the program has set a handler of its own meanwhile.
 * 4. The root's receiver of the Ctrl-C kind stands back while the program has a receiver of its own;
 * when it acts, the default disposition comes back at once, for the second signal. */
#ifndef NIDOI_SIGNALS_H
#define NIDOI_SIGNALS_H

#include "coro/runtime/loop.h"

/* The bit of a number; 0 if it is no signal that can be handled and survived. */
uint64_t nidoi_signal_bit(int number);

/* Has the program left the signal its default action? Ours, for another runtime, is none of its. True
 * if the system does not tell: the opening of a receiver says why. */
bool nidoi_signal_is_default(int number);

/* `set`, `root` and `arrived` are set; arrived runs on the loop's thread and may only wake or cancel.
 * 0; -ENOMEM, or what sigaction(2) says: nothing has changed. */
int nidoi_receiver_open(struct nidoi_loop *loop, struct nidoi_receiver *receiver);

/* How often each signal had arrived at a moment, as far as a receiver wanted it. */
struct nidoi_arrivals {
    uint32_t counts[64];
};
void nidoi_arrivals_read(struct nidoi_arrivals *out);

/* This thread is one of several that began together then (nido_shards), or NULL: it is on its own. */
void nidoi_signals_together(const struct nidoi_arrivals *since);

/* Has the signal arrived, at any of those threads, since they began? A receiver that is opened after
 * it is not told of it. */
bool nidoi_signal_missed(int number);

/* On the loop's thread: the last of these signals that its receivers were told of is taken. */
void nidoi_signal_taken(struct nidoi_loop *loop, int number);

/* Numbers in `unclaimed` are raised anew if no receiver has taken them and none is left that could. */
void nidoi_receiver_close(struct nidoi_loop *loop, struct nidoi_receiver *receiver,
                          uint64_t unclaimed);

#endif

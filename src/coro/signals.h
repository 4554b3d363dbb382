/* coro/signals.h: signals of the process as posts to the loops that want them.
 *
 * 1. The handler posts, by a post that is kept for each number, and does nothing else; a number that
 * is on its way already is not posted again, as the kernel would have it.
 * 2. On the loop's thread every receiver that wants the number is told. Nothing is lost silently:
 * what arrives when the last receiver in the process has gone is raised anew, for whoever had the
 * signal before us.
 * 3. A disposition is changed while somebody in the process wants the number, then put back.
 * 4. The root's receiver of the Ctrl-C kind stands back while the program has a receiver of its own;
 * when it acts, the default disposition comes back at once, for the second signal. */
#ifndef NIDOI_SIGNALS_H
#define NIDOI_SIGNALS_H

#include "coro/loop.h"

/* The bit of a number; 0 if it is no signal that can be handled and survived. */
uint64_t nidoi_signal_bit(int number);

/* `set`, `root` and `arrived` are set; arrived runs on the loop's thread and may only wake or cancel.
 * 0; -ENOMEM, or what sigaction(2) says: nothing has changed. */
int nidoi_receiver_open(struct nidoi_loop *loop, struct nidoi_receiver *receiver);

/* In a forked child: signals do what they did before there were receivers; those are the parent's. */
void nidoi_signals_forked(void);

/* Numbers in `unclaimed` are raised anew if nobody else had them. */
void nidoi_receiver_close(struct nidoi_loop *loop, struct nidoi_receiver *receiver,
                          uint64_t unclaimed);

#endif

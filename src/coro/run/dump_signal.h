/* SPDX-License-Identifier: MIT */
/* coro/run/dump_signal.h: SIGQUIT prints the tree of tasks of each runtime that asks for it. */
#ifndef NIDOI_DUMP_SIGNAL_H
#define NIDOI_DUMP_SIGNAL_H

#include "coro/run/signals.h"

/* If the options or the environment ask for it, and the program neither handles nor ignores the signal.
 * `receiver` is then linked. 0, or as nidoi_receiver_open. */
int nidoi_dump_on_signal(struct nidoi_loop *loop, struct nidoi_receiver *receiver);

#endif

/* SPDX-License-Identifier: MIT */
/* coro/run/cancel.h: what cancels a whole run: a signal, a shutdown, a deadlock. */
#ifndef NIDOI_CANCEL_H
#define NIDOI_CANCEL_H

#include "coro/runtime/loop.h"
#include "nido/error.h"

/* Cancels the root and the tasks that run for other threads. */
void nidoi_run_cancel(struct nidoi_loop *loop, enum nido_cause_kind kind, int code,
                      const char *reason);

/* If options.signals asks for it, SIGINT and SIGTERM cancel the run; `receiver` is then linked. 0, or
 * as nidoi_receiver_open. */
int nidoi_cancel_on_signals(struct nidoi_loop *loop, struct nidoi_receiver *receiver);

#endif

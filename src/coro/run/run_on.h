/* coro/run/run_on.h: tasks that other threads have a runtime run, and cancelling all that runs in one.
 *
 * A hidden task, the host, holds the group of the guests; it comes with the first of them and ends when the
 * root has ended, which cancels the guests. */
#ifndef NIDOI_GUESTS_H
#define NIDOI_GUESTS_H

#include "coro/scope/scope.h"

/* Cancels the root, if it has not ended, and the guests. */
void nidoi_run_cancel(struct nidoi_loop *loop, enum nido_cause_kind kind, int code,
                      const char *reason);

#endif

/* coro/fork.h: what a fork makes of a runtime: in the child it is dead, in the parent nothing has
 * changed. */
#ifndef NIDOI_FORK_H
#define NIDOI_FORK_H

#include <stdbool.h>

/* From the first call on the process's children find their copies of runtimes dead. */
void nidoi_fork_watch(void);

/* Has this thread inherited a runtime that nido_after_fork_reset has not yet cleared away? */
bool nidoi_fork_pending(void);

#endif

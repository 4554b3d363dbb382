/* SPDX-License-Identifier: MIT */
/* coro/run/aside.h: what the signal handlers of reports stand on: an alternate stack of the run's thread, for
 * a task's own may be used up, and room for the frames of what was interrupted. */
#ifndef NIDOI_ASIDE_H
#define NIDOI_ASIDE_H

#include <stdbool.h>

struct nidoi_aside_memory;

/* Of a run. */
struct nidoi_aside {
    struct nidoi_aside_memory *memory; /* NULL: no report needs it */
};

/* From now on handlers with SA_ONSTACK run aside on this thread: on the stack that the thread has for it
 * already if that is large enough, else on one of ours. Again is fine. 0 or -ENOMEM. */
int nidoi_aside_need(struct nidoi_aside *aside);
void nidoi_aside_end(struct nidoi_aside *aside);

/* In a handler on this thread: the frames of what it interrupted, the innermost first; how many. `context`
 * is its third argument. *cut: there are more. */
int nidoi_aside_frames(const struct nidoi_aside *aside, const void *context, void ***out,
                       bool *cut);

#endif

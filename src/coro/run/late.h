/* SPDX-License-Identifier: MIT */
/* coro/run/late.h: tasks that go on long after their cancel: the loop looks for them whenever the watchdog posts.
 * A task that holds the loop gives it its turn at the next call that is refused, and at its end. */
#ifndef NIDOI_LATE_H
#define NIDOI_LATE_H

#include "coro/runtime/loop.h"

struct nidoi_run;

/* Of a run. */
struct nidoi_late {
    int64_t limit;          /* 0: not looked for */
    struct nidoi_post post; /* on its way while the remote's late_asked is set */
};

void nidoi_late_begin(struct nidoi_run *run, struct nidoi_late *late);

/* By the watchdog: has the loop look. After how long again. */
int64_t nidoi_late_look(struct nidoi_run *run, struct nidoi_late *late);

#endif

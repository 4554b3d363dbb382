/* SPDX-License-Identifier: MIT */
/* coro/run/watchdog.h: one thread of the process, which looks at the runs that ask for it: whether their loops get
 * on (coro/run/stall.h), whether their cancelled tasks end (coro/run/late.h). It ends with the last such run. */
#ifndef NIDOI_WATCHDOG_H
#define NIDOI_WATCHDOG_H

#include "coro/run/late.h"
#include "coro/run/stall.h"

struct nidoi_run;

/* Of a run. */
struct nidoi_watched {
    struct nidoi_link link; /* among the runs that are watched */
    struct nidoi_stall stall;
    struct nidoi_late late;
};

/* If the options or the environment ask for it, and the clock is real. 0, -ENOMEM, -EAGAIN. */
int nidoi_watchdog_begin(struct nidoi_run *run);
void nidoi_watchdog_end(struct nidoi_run *run);

#endif

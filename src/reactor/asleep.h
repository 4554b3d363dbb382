/* SPDX-License-Identifier: MIT */
/* reactor/asleep.h: a check before the loop sleeps: is an owned descriptor ready while a task waits
 * for just that? poll(2) answers, which knows nothing of edges. The check is done in strict runs
 * and in those of the test kit, so that every test of a user looks for reports that nido has
 * lost. */
#ifndef NIDOI_ASLEEP_H
#define NIDOI_ASLEEP_H

#include "base/assert.h"
#include "reactor/reactor.h"

/* The check is done in this thread's runs though they are not strict. */
extern _Thread_local bool nidoi_asleep_watched;

static inline bool nidoi_asleep_asks(void)
{
    return nidoi_strict || nidoi_asleep_watched;
}

/* The number of reports that came; if there are any, no further check is needed. Panics if a task
 * sleeps although its descriptor is ready. It may consume a wake-up, so the loop calls it before it
 * announces that it is about to sleep. */
int nidoi_asleep_ask(struct nidoi_reactor *reactor);

#endif

/* reactor/asleep.h: the question before the loop sleeps: is an owned descriptor ready while a task
 * waits for just that? poll(2) is asked, which knows nothing of edges. It is asked in strict runs and
 * in those of the test kit, so that every test of every user looks for what the kernel has told and
 * nido has forgotten. */
#ifndef NIDOI_ASLEEP_H
#define NIDOI_ASLEEP_H

#include "base/assert.h"
#include "reactor/reactor.h"

/* This thread's runs are asked though they are not strict. */
extern _Thread_local bool nidoi_asleep_watched;

static inline bool nidoi_asleep_asks(void)
{
    return nidoi_strict || nidoi_asleep_watched;
}

/* How many reports came: none are needed any more. Panics if a task sleeps that should not. May take a
 * ring of the bell away, so it is asked before the loop says that it sleeps. */
int nidoi_asleep_ask(struct nidoi_reactor *reactor);

#endif

/* SPDX-License-Identifier: MIT */
/* base/held_signal.h: a call that does not raise a certain signal: it is blocked around the call and, if the call
 * raised one, taken back. The handler of the process is never touched. */
#ifndef NIDOI_HELD_SIGNAL_H
#define NIDOI_HELD_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct nidoi_held_signal {
    sigset_t before;
    bool pending; /* one was pending before us: it is not ours to take */
};

static inline void nidoi_held_signal_set(sigset_t *set, int number)
{
    sigemptyset(set);
    sigaddset(set, number);
}

static inline void nidoi_signal_hold(struct nidoi_held_signal *held, int number)
{
    sigset_t set;

    nidoi_held_signal_set(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, &held->before);
    held->pending =
        sigismember(&held->before, number) && sigpending(&set) == 0 && sigismember(&set, number);
}

/* Takes a pending signal back, if there is one. */
static inline void nidoi_held_signal_take(const sigset_t *set, int number)
{
#ifdef __APPLE__
    sigset_t pending;
    int taken;

    if (sigpending(&pending) == 0 && sigismember(&pending, number)) sigwait(set, &taken);
#else
    static const struct timespec now;

    (void)number;
    sigtimedwait(set, NULL, &now);
#endif
}

/* `raised`: the call may have raised it. */
static inline void nidoi_signal_release(struct nidoi_held_signal *held, int number, bool raised)
{
    sigset_t set;

    nidoi_held_signal_set(&set, number);
    if (raised && !held->pending) nidoi_held_signal_take(&set, number);
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

#endif

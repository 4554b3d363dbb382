/* SPDX-License-Identifier: MIT */
/* wake.h: how long the waiter for a descriptor waits on after it has become ready. */
#ifndef NIDO_BENCH_WAKE_H
#define NIDO_BENCH_WAKE_H

#include "bench.h"

enum { WAKE_STAMPS = 64 }; /* room for a read of those that have come in the meantime */

/* What the waking took, in order. */
struct wake_log {
    double *us;
    size_t count, room;
};

/* Writes a byte to fd when it is ready to be woken, then reads stamps, notes them, and returns at
 * the end of the stream. All the while `ask->count` others are to be busy: wake_work, then the next
 * one's turn. 0, or a negated errno. */
typedef int wake_fn(const struct bench_ask *ask, int fd, struct wake_log *log);

/* Computes for a microsecond. */
void wake_work(void);

/* Now is when what was stamped is at work. */
void wake_note(struct wake_log *log, const int64_t *stamps, ssize_t bytes);

wake_fn floor_wake;

/* Forks the process that wakes: on the second CPU, it sleeps for 50 to 150 us, writes the time into
 * a socket, and so on. The sample is the 50th, the 99th and the 99.9th percentile of the time from
 * there to wake_note, without the first fifth. */
void wake_measure(const struct bench_ask *ask, wake_fn *fn, struct bench_sample *out);

/* The same of a peer, whose stdin is the socket; it finds the percentiles itself. */
bench_peer_fn wake_measure_peer;

#endif

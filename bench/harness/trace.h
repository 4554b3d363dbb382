/* SPDX-License-Identifier: MIT */
/* trace.h: counts the system calls of a process. */
#ifndef NIDO_BENCH_TRACE_H
#define NIDO_BENCH_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>

struct trace_count {
    _Atomic long calls; /* all but the polls */
    _Atomic long polls; /* epoll_wait and its kin */
};

/* Counts that this process and those it forks share; they begin with 0. NULL without memory. */
struct trace_count *trace_count_new(void);

/* True if a process may be traced here: containers often forbid it. */
bool trace_allowed(void);

/* Runs fn(arg) in a child and counts its system calls. Returns the child's exit status, -1 if it
 * was killed. */
int trace_run(int (*fn)(void *arg), void *arg, struct trace_count *count);

#endif

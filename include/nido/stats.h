/* SPDX-License-Identifier: MIT */
/* nido/stats.h: numbers of a runtime, and of all runtimes of the process. Those of nido_stats are counted anyway, so there
 * is nothing to switch on. Lengths of time, in histograms and by the names of groups, are those of runs with
 * NIDO_RUN_MEASURE (nido_options.flags, or NIDO_DEBUG=measure in the environment), whose switches go by way of the loop
 * and cost some readings of the processor's clock. */
#ifndef NIDO_STATS_H
#define NIDO_STATS_H

#include <string.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "Ever" is since the beginning of the run, and of the process in nido_stats_process; all else is now. */
typedef struct nido_stats {
    size_t size;            /* sizeof(nido_stats); nido_stats_init sets it */
    uint64_t runtimes;      /* that these numbers are of, those that are over left out */
    uint64_t tasks_spawned; /* ever */
    uint64_t tasks_live;
    uint64_t tasks_ready; /* wait for their turn */
    uint64_t
        tasks_most; /* at once, alive or ended with a handle that is kept; of a process: the sum over its
                             runtimes */
    uint64_t
        resumes; /* ever: a task went on. Those of the batch that runs, with the caller's own, 64 at most,
                  count when it ends; one that yields while it is the only one may not count */
    uint64_t turns;       /* ever: of the loop, with a look at the world */
    uint64_t polls;       /* ever: system calls that asked for reports of descriptors */
    uint64_t reports;     /* ever: what they have reported */
    uint64_t cancels;     /* ever: of scopes, groups and tasks, of whatever cause */
    uint64_t timers;      /* tasks that sleep, or have a deadline that is armed */
    uint64_t fd_waits;    /* directions of descriptors that tasks wait for */
    uint64_t jobs;        /* ever: nido_offload and what stands on it */
    uint64_t jobs_out;    /* jobs and child processes that are expected to end */
    uint64_t stacks;      /* in use */
    uint64_t stack_bytes; /* of address space for stacks, in use or not */
} nido_stats;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_stats_init(nido_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->size = sizeof *stats;
}

/* The numbers of the calling thread's runtime. Fills as much as out->size says, with zeros beyond what this library
 * knows. Not a cancellation point. 0; -EINVAL: out is NULL, or its size makes no sense; -EPERM: the thread has no
 * runtime. */
NIDO_API int nido_stats_get(nido_stats *out);

/* The sum over all runtimes of the process. Those of other threads have told their numbers when they last slept, or
 * at most 10 ms ago if they are busy and no task holds the loop; those that are over count in what is "ever". Any
 * thread. Not a cancellation point. 0; -EINVAL. */
NIDO_API int nido_stats_process(nido_stats *out);

/* ---- Measured runs ---- */

enum nido_histogram_kind {
    NIDO_HISTOGRAM_TURN, /* of a turn of the loop: from the end of its sleep, or of the turn before if it did not
                             sleep, to its own end: for so long new reports and deadlines had to wait */
    NIDO_HISTOGRAM_READY, /* from when a task is made ready (woken, spawned, it yielded) until it runs */
    NIDO_HISTOGRAMS
};

enum { NIDO_HISTOGRAM_BUCKETS = 40 };

typedef struct nido_histogram {
    size_t size; /* sizeof(nido_histogram); nido_histogram_init sets it */
    uint64_t count, sum_ns, most_ns;
    uint64_t
        of[NIDO_HISTOGRAM_BUCKETS]; /* of[i]: how many took at most 2^i ns, and more than half as
                                            much; the last one: all that took longer too */
    uint64_t spare[4];              /* 0 */
} nido_histogram;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_histogram_init(nido_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->size = sizeof *histogram;
}

/* What the calling thread's runtime has measured since its beginning. Fills as much as out->size says, with zeros beyond
 * what this library knows. Not a cancellation point. 0; -EINVAL: out is NULL, its size makes no sense, or there is no such
 * kind; -EPERM: the thread has no runtime; -ENODATA: it is not measured. */
NIDO_API int nido_histogram_get(enum nido_histogram_kind kind, nido_histogram *out);

/* The sum over all measured runtimes of the process, also those that are over; of other threads' as in nido_stats_process.
 * Any thread. Not a cancellation point. 0; -EINVAL; -ENOMEM. */
NIDO_API int nido_histogram_process(enum nido_histogram_kind kind, nido_histogram *out);

enum { NIDO_TIMES_MOST = 32 };

/* What all tasks of one name have done for how long, ended ones too: the name of their group, or a task's own if that has
 * none. The first 31 names of a runtime have an entry each, by their first 31 bytes; the rest is together in "other". */
typedef struct nido_times {
    char name[32];
    uint64_t tasks; /* that have ever had the name */
    uint64_t running_ns, ready_ns, waiting_ns;
    uint64_t
        cpu_ns; /* processor time, with NIDO_RUN_CPU_TIME, up to each task's last switch; else 0 */
    uint64_t spare[3]; /* 0 */
} nido_times;

/* Fills the first n entries, in the order in which the names appeared. Not a cancellation point. How many there are, at
 * most NIDO_TIMES_MOST; -EINVAL: out is NULL and n is not 0; -EPERM: the thread has no runtime; -ENODATA: it is not
 * measured. */
NIDO_API int nido_times_get(nido_times *out, size_t n);

/* The same of all measured runtimes of the process, as nido_histogram_process. Any thread. Not a cancellation point. How
 * many there are; -EINVAL; -ENOMEM. */
NIDO_API int nido_times_process(nido_times *out, size_t n);

#ifdef __cplusplus
}
#endif

#endif

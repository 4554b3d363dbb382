/* nido/stats.h: numbers of a runtime, and of all runtimes of the process. They are counted anyway, so there is
 * nothing to switch on. */
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

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* debug/trace_tasks.h: what is known of each task while a trace is read, in memory that the trace has for its
 * reader: a table that does not grow. */
#ifndef NIDOI_TRACE_TASKS_H
#define NIDOI_TRACE_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nidoi_task;

enum nidoi_trace_state {
    NIDOI_TRACE_UNKNOWN, /* nothing was told of it yet */
    NIDOI_TRACE_PARKED,
    NIDOI_TRACE_WAITED, /* parked, and what for is not known */
    NIDOI_TRACE_READY,
    NIDOI_TRACE_RUNNING,
    NIDOI_TRACE_OVER
};

/* Slices that nest: how many are open, and the fewest that were: those below 0 began before the trace. */
struct nidoi_trace_nest {
    int32_t depth, lowest;
    uint32_t top;    /* the open slice that began last (debug/trace_nests.h); 0: none is known */
    uint32_t unseen; /* so many above it are not shown: there was no room for them */
};

struct nidoi_trace_task {
    uint64_t id;                   /* 0: free */
    const struct nidoi_task *live; /* NULL: it has ended */
    uint64_t named_by;             /* the cell of the event that names it, and 1; 0: none */
    uint64_t function;             /* 0: not known */
    uint64_t arrow;                /* it was made ready by this event, and 1; 0: not told */
    uint64_t parked_by;            /* and parked by this one, and 1; 0: see `live` */
    int64_t since;                 /* in its present state; 0: since before the trace */
    struct nidoi_trace_nest scopes, marks;
    uint32_t number; /* of its tracks */
    uint8_t state;
    bool named; /* its track has a name */
};

struct nidoi_trace_tasks {
    struct nidoi_trace_task *table;
    size_t size, used;
};

void nidoi_trace_tasks_init(struct nidoi_trace_tasks *tasks, void *memory, size_t size);

/* The task's entry, made if need be; NULL: the table is full. */
struct nidoi_trace_task *nidoi_trace_tasks_get(struct nidoi_trace_tasks *tasks, uint64_t id);

#endif

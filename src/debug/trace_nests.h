/* SPDX-License-Identifier: MIT */
/* debug/trace_nests.h: slices of one track that nest: those that are open are a stack, so that each end is written
 * with the name of its beginning. In memory that the trace has for its reader: what has no room is not shown. */
#ifndef NIDOI_TRACE_NESTS_H
#define NIDOI_TRACE_NESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nidoi_trace_nest;

/* An open slice. */
struct nidoi_trace_open {
    uint64_t cell; /* the event that began it */
    uint32_t
        below; /* the one around it, or in the list of free ones the next: a place in the table; 0: none */
};

/* Of all tracks. */
struct nidoi_trace_opens {
    struct nidoi_trace_open *table; /* place 0 is not used */
    size_t size, used;              /* those above have never been used */
    uint32_t free;
};

void nidoi_trace_opens_init(struct nidoi_trace_opens *opens, void *memory, size_t size);

/* A slice begins with the event of this cell. False: it cannot be shown, and neither is its end. */
bool nidoi_trace_push(struct nidoi_trace_opens *opens, struct nidoi_trace_nest *nest,
                      uint64_t cell);

enum nidoi_trace_popped {
    NIDOI_TRACE_POPPED_BEFORE, /* it began before the trace */
    NIDOI_TRACE_POPPED,
    NIDOI_TRACE_POPPED_UNSEEN /* its beginning was not shown */
};

/* The innermost one ends; *cell: of its beginning. One is open. */
enum nidoi_trace_popped nidoi_trace_pop(struct nidoi_trace_opens *opens,
                                        struct nidoi_trace_nest *nest, uint64_t *cell);

#endif

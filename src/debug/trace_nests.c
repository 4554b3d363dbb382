/* SPDX-License-Identifier: MIT */
#include "debug/trace_nests.h"

#include "debug/trace_tasks.h"

void nidoi_trace_opens_init(struct nidoi_trace_opens *opens, void *memory, size_t size)
{
    *opens = (struct nidoi_trace_opens){.table = memory, .size = size / sizeof *opens->table};
    opens->used = 1;
}

/* 0: there is none. */
static uint32_t free_place(struct nidoi_trace_opens *opens)
{
    uint32_t place = opens->free;

    if (place)
        opens->free = opens->table[place].below;
    else if (opens->used < opens->size)
        place = (uint32_t)opens->used++;
    return place;
}

/* What is inside one that is not shown is not shown either. */
bool nidoi_trace_push(struct nidoi_trace_opens *opens, struct nidoi_trace_nest *nest, uint64_t cell)
{
    uint32_t place = nest->unseen ? 0 : free_place(opens);

    nest->depth++;
    if (!place) {
        nest->unseen++;
        return false;
    }
    opens->table[place] = (struct nidoi_trace_open){cell, nest->top};
    nest->top = place;
    return true;
}

enum nidoi_trace_popped nidoi_trace_pop(struct nidoi_trace_opens *opens,
                                        struct nidoi_trace_nest *nest, uint64_t *cell)
{
    uint32_t place = nest->top;

    nest->depth--;
    if (nest->unseen) {
        nest->unseen--;
        return NIDOI_TRACE_POPPED_UNSEEN;
    }
    if (!place) return NIDOI_TRACE_POPPED_BEFORE;
    *cell = opens->table[place].cell;
    nest->top = opens->table[place].below;
    opens->table[place].below = opens->free;
    opens->free = place;
    return NIDOI_TRACE_POPPED;
}

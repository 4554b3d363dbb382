/* SPDX-License-Identifier: MIT */
/* coro/task/slots.h: what handles point at. A slot never moves and is never unmapped while the runtime
 * lives, and ids are never reused, so a stale handle is recognised without touching the task it
 * once named. */
#ifndef NIDOI_SLOTS_H
#define NIDOI_SLOTS_H

#include "coro/task/sched.h"

struct nidoi_slot {
    uint64_t id;                /* of the task it stands for; 0: free */
    struct nidoi_task *task;    /* NULL once that has ended */
    struct nidoi_waitq joiners; /* here, so that joining outlasts the task */
    nido_group *group;          /* that keeps it */
    struct nidoi_timer
        timer; /* here, for sorting timers must not walk through the stacks; its owner
                                 is the slot's number */
    union {
        struct nidoi_slot *next_free;
        struct {
            uint32_t next, prev; /* neighbours among those that a group keeps */
        };
    };
    int32_t rc;
    bool kept;      /* until its group closes or the handle is forgotten */
    bool cancelled; /* ended by a cancel of its own */
};

struct nidoi_slots {
    struct nidoi_slot **chunks;
    size_t capacity; /* of `chunks` */
    uint32_t made;
    struct nidoi_slot *free;  /* latest freed first */
    uint64_t next_id, end_id; /* a share of the process's ids */
    uint64_t drawn;           /* ids in all shares, the present one and those before */
};

void nidoi_slots_deinit(struct nidoi_slots *slots);

/* Makes one more; when none is free, that makes sure that the next nidoi_slots_take succeeds. 0 or
 * -ENOMEM. */
int nidoi_slots_make(struct nidoi_slots *slots);

/* Ids are drawn by the million from a counter that all threads share. */
void nidoi_slots_more_ids(struct nidoi_slots *slots);

enum { NIDOI_SLOTS_CHUNK = 256 };

/* By its number, from 1. NULL: no such slot was ever made. */
static inline struct nidoi_slot *nidoi_slots_get(const struct nidoi_slots *slots, uint32_t number)
{
    uint32_t at = number - 1;

    if (at >= slots->made) return NULL; /* also for number 0 */
    return &slots->chunks[at / NIDOI_SLOTS_CHUNK][at % NIDOI_SLOTS_CHUNK];
}

/* A task's; 0 for what is no task. */
static inline uint32_t nidoi_slot_number(const struct nidoi_task *task)
{
    return task->slot ? task->slot->timer.owner : 0;
}

/* How many tasks there have been. */
static inline uint64_t nidoi_slots_taken(const struct nidoi_slots *slots)
{
    return slots->drawn - (slots->end_id - slots->next_id);
}

/* A slot for a new task, whose id and slot it sets. */
static inline void nidoi_slots_take(struct nidoi_slots *slots, struct nidoi_task *task)
{
    struct nidoi_slot *slot = slots->free;

    if (slots->next_id == slots->end_id) nidoi_slots_more_ids(slots);
    slots->free = slot->next_free;
    slot->id = task->id = slots->next_id++;
    slot->task = task;
    slot->kept = slot->cancelled = false;
    task->slot = slot;
}

static inline void nidoi_slots_free(struct nidoi_slots *slots, struct nidoi_slot *slot)
{
    nidoi_assert(slot->id && nidoi_waitq_empty(&slot->joiners));
    slot->id = 0;
    slot->next_free = slots->free;
    slots->free = slot;
}

/* The task of this slot has ended with rc: wakes its joiners, with the result in their nodes'
 * items (int *), because the slot may be gone when they run; frees the slot unless it is kept. */
static inline void nidoi_slots_leave(struct nidoi_slots *slots, struct nidoi_slot *slot, int rc)
{
    struct nidoi_node *node;

    slot->rc = rc;
    slot->task = NULL;
    while ((node = nidoi_waitq_first(&slot->joiners)) != NULL) {
        *(int *)node->item = rc;
        nidoi_claim(node, 0);
    }
    if (!slot->kept) nidoi_slots_free(slots, slot);
}

#endif

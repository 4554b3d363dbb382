/* SPDX-License-Identifier: MIT */
#include "coro/task/slots.h"

#include <errno.h>

#include "base/mem.h"

enum { SHARE = 1 << 20 };

static uint64_t last_id; /* atomic: of the whole process, so that ids of several runtimes differ */

void nidoi_slots_more_ids(struct nidoi_slots *slots)
{
    slots->next_id = __atomic_fetch_add(&last_id, SHARE, __ATOMIC_RELAXED) + 1;
    slots->end_id = slots->next_id + SHARE;
    slots->drawn += SHARE;
}

void nidoi_slots_deinit(struct nidoi_slots *slots)
{
    for (size_t i = 0; i < slots->capacity; i++) nidoi_mem.release(slots->chunks[i]);
    nidoi_mem.release(slots->chunks);
}

static int slots_make_chunk(struct nidoi_slots *slots)
{
    size_t at = slots->made / NIDOI_SLOTS_CHUNK;
    int err;

    err = nidoi_mem_grow((void **)&slots->chunks, &slots->capacity, at + 1, sizeof *slots->chunks);
    if (err) return err;
    if (!slots->chunks[at])
        slots->chunks[at] = nidoi_mem_zeroed(NIDOI_SLOTS_CHUNK * sizeof **slots->chunks);
    return slots->chunks[at] ? 0 : -ENOMEM;
}

int nidoi_slots_make(struct nidoi_slots *slots)
{
    struct nidoi_slot *slot;
    int err;

    if (slots->made % NIDOI_SLOTS_CHUNK == 0 && (err = slots_make_chunk(slots)) != 0) return err;
    slot = nidoi_slots_get(slots, ++slots->made);
    nidoi_waitq_init(&slot->joiners);
    slot->timer.owner = slots->made;
    slot->next_free = slots->free;
    slots->free = slot;
    return 0;
}

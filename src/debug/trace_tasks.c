/* SPDX-License-Identifier: MIT */
#include "debug/trace_tasks.h"

#include <string.h>

void nidoi_trace_tasks_init(struct nidoi_trace_tasks *tasks, void *memory, size_t size)
{
    memset(memory, 0, size);
    *tasks = (struct nidoi_trace_tasks){memory, size / sizeof *tasks->table, 0};
}

struct nidoi_trace_task *nidoi_trace_tasks_get(struct nidoi_trace_tasks *tasks, uint64_t id)
{
    size_t at = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) % tasks->size;

    while (tasks->table[at].id && tasks->table[at].id != id) at = (at + 1) % tasks->size;
    if (tasks->table[at].id) return &tasks->table[at];
    if (tasks->used >= tasks->size - tasks->size / 8) return NULL;
    tasks->table[at].id = id;
    tasks->table[at].number = (uint32_t)tasks->used++;
    return &tasks->table[at];
}

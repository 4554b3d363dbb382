/* SPDX-License-Identifier: MIT */
/* layout.h: where the fields lie that the tool reads: from the table in the target (src/coro/run/layout.h),
 * never from nido's headers, so one tool reads every nido whose table has the version it knows. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "blocks.h"

/* X(identifier, name in the table, must it be there). */
#define LAYOUT_FIELDS(X)                        \
    X(RT_LINK, "rt.link", 1)                    \
    X(RT_LOOP, "rt.loop", 1)                    \
    X(LOOP_NUMBER, "loop.number", 1)            \
    X(LOOP_LIVE, "loop.live", 1)                \
    X(LOOP_THREAD, "loop.system_thread", 0)     \
    X(LOOP_BEGAN, "loop.began", 0)              \
    X(LOOP_OUT, "loop.expected", 0)             \
    X(LOOP_WATCHES, "loop.reactor.watching", 0) \
    X(LOOP_VIRTUAL, "loop.clock.is_virtual", 1) \
    X(LOOP_CURRENT, "loop.sched.current", 1)    \
    X(LOOP_ITSELF, "loop.sched.loop.state", 1)  \
    X(LOOP_NOW, "loop.sched.now", 1)            \
    X(LOOP_HEAD, "loop.sched.head", 1)          \
    X(LOOP_TAIL, "loop.sched.tail", 1)          \
    X(SLOTS_CHUNKS, "loop.slots.chunks", 1)     \
    X(SLOTS_MADE, "loop.slots.made", 1)         \
    X(SLOTS_IN_CHUNK, "slots.chunk", 1)         \
    X(SLOT_BYTES, "slot.bytes", 1)              \
    X(SLOT_ID, "slot.id", 1)                    \
    X(SLOT_TASK, "slot.task", 1)                \
    X(TASK_BYTES, "task.bytes", 1)              \
    X(TASK_SP, "task.context.sp", 1)            \
    X(TASK_WAITER, "task.waiter", 1)            \
    X(TASK_SCOPE, "task.scope", 1)              \
    X(TASK_STATE, "task.state", 1)              \
    X(TASK_DEEPEST, "task.deepest", 1)          \
    X(TASK_BASE, "task.base", 1)                \
    X(TASK_GROUP, "task.group", 1)              \
    X(TASK_ID, "task.id", 1)                    \
    X(TASK_SPAWNED_AT, "task.spawned_at", 1)    \
    X(TASK_NAME, "task.name", 1)                \
    X(TASK_SERVICE, "task.service", 1)          \
    X(TASK_STACK, "task.stack", 1)              \
    X(STATE_READY, "state.ready", 1)            \
    X(STATE_RUNNING, "state.running", 1)        \
    X(STATE_PARKED, "state.parked", 1)          \
    X(SCOPE_DUE, "scope.due", 1)                \
    X(SCOPE_FLAGS, "scope.flags", 1)            \
    X(SCOPE_CODE, "scope.code", 1)              \
    X(SCOPE_PARENT, "scope.parent", 1)          \
    X(SCOPE_INNER, "scope.inner", 1)            \
    X(SCOPE_TASK, "scope.task", 1)              \
    X(SCOPE_DEADLINE, "scope.deadline", 1)      \
    X(SCOPE_REASON, "scope.reason", 1)          \
    X(SCOPE_BY, "scope.by", 1)                  \
    X(SCOPE_BY_NAME, "scope.by_name", 1)        \
    X(SCOPE_ORDER, "scope.order", 1)            \
    X(IS_CANCELLED, "scope.is_cancelled", 1)    \
    X(IS_SHIELD, "scope.is_shield", 1)          \
    X(IS_GROUP, "scope.is_group", 1)            \
    X(GROUP_NAME, "group.name", 1)              \
    X(GROUP_WINNER, "group.winner.id", 1)       \
    X(GROUP_FAILURE, "group.failure", 1)        \
    X(GROUP_POLICY, "group.policy", 1)          \
    X(GROUP_LIVE, "group.live", 1)              \
    X(GROUP_SERVICES, "group.services", 1)      \
    X(GROUP_LIMIT, "group.limit", 1)            \
    X(WAITER_KIND, "waiter.kind", 1)            \
    X(WAITER_OBJECT, "waiter.object", 1)        \
    X(WAITER_SINCE, "waiter.since", 1)          \
    X(KIND_NAME, "kind.name", 1)                \
    X(KIND_NAMED, "kind.named", 1)              \
    X(KIND_NAME_AT, "kind.name_at", 1)          \
    X(KIND_OWNER_AT, "kind.owner_at", 1)        \
    X(KIND_IS_FD, "kind.is_fd", 1)              \
    X(STACK_BYTES, "stack.bytes", 1)            \
    X(STACK_BOTTOM, "stack.bottom", 1)          \
    X(LOOP_MEASURE, "loop.sched.measure", 0)    \
    X(MEASURE_CPU, "measure.counts_cpu", 0)     \
    X(TASK_CPU, "task.cpu_ns", 0)               \
    X(SAVED_PC, "saved.pc", 0)                  \
    X(SAVED_END, "saved.end", 0)

#define LAYOUT_IDENTIFIER(identifier, name, needed) identifier,
enum field { LAYOUT_FIELDS(LAYOUT_IDENTIFIER) FIELDS };

enum { LAYOUT_VERSION = 1, SAVED_REGISTERS = 64 };

struct layout {
    char library[17]; /* nido's version */
    uint64_t runtimes;
    bool has[FIELDS];
    uint32_t at[FIELDS]; /* or the constant's value */
    uint32_t size[FIELDS];
    int32_t saved[SAVED_REGISTERS]; /* where the register of this number is saved; -1: it is not */
};

/* Reads the table at this address. Says why not; `who` is what it is in: "process 7". */
bool layout_read(struct layout *layout, struct blocks *memory, uint64_t address, const char *who);

#endif

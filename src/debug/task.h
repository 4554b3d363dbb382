/* SPDX-License-Identifier: MIT */
/* debug/task.h: what a report says of one task or group. Each appends to `text`; what does not fit is
 * left out. */
#ifndef NIDOI_DEBUG_TASK_H
#define NIDOI_DEBUG_TASK_H

#include "coro/group/group.h"
#include "coro/scope/value.h"

struct nidoi_text {
    char *text;
    size_t size, used;
};

/* The name of a policy: "fail-fast". */
const char *nidoi_policy_name(const nido_group *group);

/* Why the scope is cancelled: the first cancel that is felt in it; NULL: it is not. */
const nido_scope *nidoi_debug_cancel(const nido_scope *scope);

/* Is there a cancel that is not felt in it, because of a shield in between? */
bool nidoi_debug_is_shielded(const nido_scope *scope);

/* Did the task open a scope with the deadline that holds for it, or does it come from above? */
bool nidoi_debug_owns_deadline(const struct nidoi_task *task);

/* Are the task's scopes those that it has opened? Forgotten ones lie in frames that are gone. */
bool nidoi_debug_scopes_sound(const struct nidoi_task *task);

/* Bytes of its stack: used at most, as far as parks have shown it, and there are. */
size_t nidoi_debug_stack_used(const struct nidoi_task *task);
size_t nidoi_debug_stack_size(const struct nidoi_task *task);

/* The next value from `*at` (at first task->scope) upwards that is in force for the task and is shown;
 * `*at` goes on behind it. NULL: no more. */
const nido_value *nidoi_debug_value_next(const struct nidoi_task *task, const nido_scope **at);

/* "#3 "conn"  waits for ..., 1.2 s  deadline in 3.0 s  cancelled by ...". `sizes`: of its stack too. */
void nidoi_debug_add_task(struct nidoi_text *text, const struct nidoi_task *task, bool sizes);

/* "group "conns"  fail-fast  3 children". */
void nidoi_debug_add_group(struct nidoi_text *text, const nido_group *group);

#endif

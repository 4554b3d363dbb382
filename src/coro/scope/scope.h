/* SPDX-License-Identifier: MIT */
/* coro/scope/scope.h: how cancellation and deadlines spread; entering a call that may wait, and parking
 * in it.
 *
 * 1. One local rule: due = cancelled ? INT64_MIN : shield ? deadline : min(deadline, parent's due).
 * "Is it cancelled", "what is its deadline" and "may this call go on" are all this one field.
 * 2. Below a scope hang at most one scope of the same task (`inner`) and, if it is a group's, the
 * first scopes of the group's tasks.
 * 3. What is due changes in nidoi_scope_cancel, move and hand-over alone, and each walks the
 * subtree once, iteratively: waking each task that is parked under a cancelled scope. The tree does not
 * change during a walk.
 * 4. A deadline is armed in the timer of the task that opened it, when a task first parks below
 * it: the UNARMED bit is inherited at opening and cleared once. A timer may be early, never late.
 * 5. A cancel is a state, noticed on entry and on parking; there is no delivery that could be
 * repeated or lost.
 * 6. A scope that was forgotten is found before it is believed: by its address when a public call
 * is entered (it lies below the frame of the caller), by its content before the task parks (some
 * later frame has written over it). What is said of it is kept in the task's record. */
#ifndef NIDOI_SCOPE_H
#define NIDOI_SCOPE_H

#include <errno.h>

#include "coro/runtime/loop.h"
#include "nido/group.h"
#include "nido/scope.h"

#ifdef NIDOI_ASAN
#include <sanitizer/asan_interface.h>
#endif

enum {
    NIDOI_SCOPE_OPEN = 1,
    NIDOI_SCOPE_CLOSED = 2,
    NIDOI_SCOPE_FAULTY = 4, /* `code` says how */
    NIDOI_SCOPE_CANCELLED = 8,
    NIDOI_SCOPE_FIRED = 16, /* by its deadline */
    NIDOI_SCOPE_SHIELD = 32,
    NIDOI_SCOPE_UNARMED = 64, /* it or one above has a deadline that no timer knows */
    NIDOI_SCOPE_GROUP = 128,
    NIDOI_SCOPE_TIMED = 256, /* has had a deadline of its own */
    NIDOI_SCOPE_VALUE = 512
};

/* The scope after `scope` in pre-order within `root`: its inner one, its tasks, then what the parents have
 * left; NULL at the end. `deeper` false leaves out what is below. */
nido_scope *nidoi_scope_after(nido_scope *scope, const nido_scope *root, bool deeper);

/* A scope that was opened wrongly answers `code` to everything. */
void nidoi_scope_fault(nido_scope *scope, int code);

/* Why the running task may not close it now: its fault, -EBADF, -EPERM. Aborts if something inside
 * is open. */
int nidoi_scope_unclosable(const struct nidoi_loop *loop, const nido_scope *scope,
                           const char *frame);

/* What the close of a scope makes of -ECANCELED, while it is still open. */
int nidoi_scope_absorb(struct nidoi_loop *loop, nido_scope *scope);

/* Cancels a scope that is open. 0 or -EALREADY. */
int nidoi_scope_cancel(struct nidoi_loop *loop, nido_scope *scope, enum nido_cause_kind kind,
                       int code, const char *reason);

/* The first cancel among those that are felt in `scope`, by the scope that has it; NULL: none. */
const nido_scope *nidoi_scope_first_cancel(const nido_scope *scope);

/* A cancelled scope takes over why another one was. */
void nidoi_scope_copy_cause(nido_scope *scope, const nido_scope *from);

/* A cancel by a user: checks code, state and thread first. */
int nidoi_scope_cancel_checked(nido_scope *scope, enum nido_cause_kind kind, int code,
                               const char *reason);

/* The deadline of an open scope that was not cancelled becomes another; that of a shield stays
 * within the grace. */
void nidoi_scope_move(struct nidoi_loop *loop, nido_scope *scope, int64_t deadline);

/* A task's first scope moves below another parent, with everything under it. */
void nidoi_scope_relink(struct nidoi_loop *loop, struct nidoi_task *task, nido_scope *parent);

/* Fires the deadlines that have passed, from `scope` to the root: all of them, the outermost first,
 * for that one reports. */
void nidoi_scope_expire(struct nidoi_loop *loop, nido_scope *scope);

/* Arms every deadline from here to the root that no timer knows. */
void nidoi_scope_arm(struct nidoi_loop *loop, nido_scope *scope);

/* The grace of a cancelled tree is one: a shield in it, below `scope`, that would end at `end` gets
 * what is left. */
int64_t nidoi_scope_bounded(struct nidoi_loop *loop, const nido_scope *scope, int64_t end);

/* A parked task's alarm has passed. */
void nidoi_task_expire(struct nidoi_task *task);

_Noreturn void nidoi_scope_left_open(const struct nidoi_task *task);

/* The rare halves of the checks below: the innermost scope may lie in a dead frame, or on no stack;
 * the memory to open a scope in may hold one that is open. */
void nidoi_scope_inspect(const struct nidoi_task *task, const char *frame);
void nidoi_scope_inspect_memory(const struct nidoi_task *task, nido_scope *scope,
                                const char *frame);

/* Under AddressSanitizer a dead scope may be red zones of a later frame, or its block has ended: its
 * content is no longer to be read. */
static inline bool nidoi_scope_poisoned(const nido_scope *scope)
{
    (void)scope;
#ifdef NIDOI_ASAN
    return __asan_region_is_poisoned((nido_scope *)(uintptr_t)scope, sizeof *scope) != NULL;
#else
    return false;
#endif
}

/* The innermost scope may lie in a frame that has returned: `frame` is the end of the public call's.
 * Reads nothing of the scope. */
static inline bool nidoi_scope_may_be_dead(const struct nidoi_task *task, const char *frame)
{
    return __builtin_expect((const char *)task->scope < frame, 0) ||
           nidoi_scope_poisoned(task->scope);
}

/* Dies with a sentence if the innermost scope lies in a frame that has returned: `frame` is the
 * end of the public call's. Reads nothing of the scope. */
static inline void nidoi_scope_check_frames(const struct nidoi_task *task, const char *frame)
{
    if (nidoi_scope_may_be_dead(task, frame)) nidoi_scope_inspect(task, frame);
}

/* Dies with the same sentence if the innermost scope was written over. */
static inline void nidoi_scope_check_content(const struct nidoi_task *task)
{
    if (__builtin_expect(task->scope->task != task, 0)) nidoi_scope_left_open(task);
}

/* The same for all scopes that the task has opened. */
void nidoi_scope_check_chain(const struct nidoi_task *task);

/* Before a scope is opened in `size` bytes: true if one of the checks has to look closely. What lies
 * below the innermost scope is new. */
static inline bool nidoi_scope_suspicious(const struct nidoi_task *task, nido_scope *scope,
                                          size_t size, const char *frame)
{
    return nidoi_scope_may_be_dead(task, frame) || task->scope->task != task ||
           (uintptr_t)scope + size > (uintptr_t)task->scope;
}

static inline bool nidoi_scope_cancelled(const nido_scope *scope)
{
    return scope->due == INT64_MIN;
}

/* Counts into another scope's life, or not: `scope` encloses the running task. */
bool nidoi_scope_encloses(const nido_scope *scope, const struct nidoi_task *task);

/* The tree changes while it must not, which ends the program, or while changes are noted. */
NIDOI_RARE void nidoi_tree_spawned(const struct nidoi_loop *loop, struct nidoi_task *task);
NIDOI_RARE void nidoi_tree_opened(const struct nidoi_loop *loop, const nido_scope *scope);
NIDOI_RARE void nidoi_tree_closes(const struct nidoi_loop *loop, const nido_scope *scope);

/* ---- Opening and closing, inline: a scope costs a few stores ---- */

static inline void nidoi_scope_link(nido_scope *scope, nido_scope *parent, struct nidoi_task *task,
                                    uint32_t flags, int64_t deadline)
{
    int64_t above = parent && !(flags & NIDOI_SCOPE_SHIELD) ? parent->due : INT64_MAX;

    scope->parent = parent;
    scope->inner = NULL;
    scope->task = task;
    scope->deadline = deadline;
    scope->due = deadline < above ? deadline : above;
    scope->flags = flags | NIDOI_SCOPE_OPEN | (parent ? parent->flags & NIDOI_SCOPE_UNARMED : 0) |
                   (deadline == INT64_MAX ? 0 : NIDOI_SCOPE_UNARMED | NIDOI_SCOPE_TIMED);
}

/* A task's first scope, below `parent` (NULL: the root). */
static inline void nidoi_scope_base(struct nidoi_loop *loop, struct nidoi_task *task,
                                    nido_scope *parent, bool shield)
{
    int64_t end = shield ? nidoi_scope_bounded(loop, parent, INT64_MAX) : INT64_MAX;

    nidoi_scope_link(&task->base, parent, task, shield ? NIDOI_SCOPE_SHIELD : 0, end);
    task->base.place = task->opened_at = task->spawned_at;
    task->scope = &task->base;
    if (__builtin_expect(loop->tree, 0)) nidoi_tree_spawned(loop, task);
}

/* Puts it below the running task's innermost scope. `flags`: SHIELD, GROUP, VALUE. */
static inline void nidoi_scope_push(struct nidoi_loop *loop, nido_scope *scope, uint32_t flags,
                                    int64_t deadline, void *place)
{
    struct nidoi_task *task = loop->sched.current;

    if (deadline == INT64_MIN) deadline++; /* that value means cancelled */
    nidoi_scope_link(scope, task->scope, task, flags, deadline);
    scope->place = task->opened_at = place;
    task->scope->inner = scope;
    task->scope = scope;
}

/* After nidoi_scope_push, when all else of it is set too. */
static inline void nidoi_scope_was_opened(const struct nidoi_loop *loop, const nido_scope *scope)
{
    if (__builtin_expect(loop->tree, 0)) nidoi_tree_opened(loop, scope);
}

/* Opens a scope that is no group's. */
static inline void nidoi_scope_open(struct nidoi_loop *loop, nido_scope *scope, uint32_t flags,
                                    int64_t deadline, void *place)
{
    nidoi_scope_push(loop, scope, flags, deadline, place);
    nidoi_scope_was_opened(loop, scope);
}

/* 0 if the running task may close it now; otherwise as nidoi_scope_unclosable. */
NIDOI_IN_CALLER int nidoi_scope_closable(const struct nidoi_loop *loop, const nido_scope *scope)
{
    if (loop && scope == loop->sched.current->scope && scope->task == loop->sched.current)
        return 0; /* in a task's chain: open and sound */
    return nidoi_scope_unclosable(loop, scope, nidoi_frame_end());
}

/* What a close with `rc` answers, while it is still open. */
static inline int nidoi_scope_verdict(struct nidoi_loop *loop, nido_scope *scope, int rc)
{
    return rc == -ECANCELED ? nidoi_scope_absorb(loop, scope) : rc;
}

/* What can still be asked after the close is decided at the close: has its deadline passed? */
void nidoi_scope_note_time(const struct nidoi_loop *loop, nido_scope *scope);

/* Takes the innermost scope out of the tree; no task's first one. */
static inline void nidoi_scope_pop(struct nidoi_loop *loop, nido_scope *scope)
{
    struct nidoi_task *task;

    if (scope->flags & NIDOI_SCOPE_TIMED) nidoi_scope_note_time(loop, scope);
    if (__builtin_expect(loop->tree, 0)) nidoi_tree_closes(loop, scope);
    task = loop->sched.current;
    nidoi_assert(task->scope == scope && !scope->inner);
    scope->flags =
        NIDOI_SCOPE_CLOSED | (scope->flags & (NIDOI_SCOPE_FIRED | NIDOI_SCOPE_CANCELLED));
    scope->task = NULL;
    task->scope = scope->parent;
    task->scope->inner = NULL;
    task->opened_at = task->scope->place;
}

#endif

/* SPDX-License-Identifier: MIT */
/* nido/task.h: single tasks: handles, names, joining, task-local values.
 *
 * Handles belong to the thread of their runtime; on another thread these calls return -EXDEV (or
 * nothing). */
#ifndef NIDO_TASK_H
#define NIDO_TASK_H

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The calling task; id 0 outside one. Cannot fail. Not a cancellation point. */
NIDO_API nido_task nido_self(void);

/* Waits until the task has ended, and gives its result; any number of tasks may join one, any
 * number of times, until its group is closed or the handle forgotten. Joining never disturbs the
 * joined task and does not consume its failure: its group still reports it. Cancellation point. 0
 * and *out (may be NULL); -ECANCELED; -ESRCH: the handle is stale, or none was asked for at the
 * spawn and the task is over; -EDEADLK: the task is the caller itself, or waits for the caller by
 * joins; -EXDEV. The result of a task ended by nido_task_cancel is the code given there. */
NIDO_API int nido_join(nido_task task, int *out);

/* As nido_join for a task that has ended; -EAGAIN for one that has not. Never parks: not a
 * cancellation point. 0, -EAGAIN, -ESRCH, -EXDEV, -EPERM. */
NIDO_API int nido_try_join(nido_task task, int *out);

/* Cancels this one task: it ends as cancelled, which is no failure, and its siblings go on. `code`
 * as for nido_scope_cancel. Not a cancellation point. 0, -EALREADY, -EINVAL, -ESRCH: it is over;
 * -EXDEV, -EPERM. */
NIDO_API int nido_task_cancel(nido_task task, int code, const char *reason);

/* True if the task has ended by nido_task_cancel, while its handle is kept; false for any other.
 * Cannot fail. Not a cancellation point. */
NIDO_API bool nido_task_was_cancelled(nido_task task);

/* Gives up a handle that was asked for at the spawn, before its group closes. Not a cancellation
 * point. 0; -ESRCH: the handle is stale, or none was asked for; -EXDEV, -EPERM. */
NIDO_API int nido_task_forget(nido_task task);

/* The id of a task, never reused within a process; 0 for no task. Cannot fail. Not a cancellation
 * point. */
NIDO_API uint64_t nido_task_id(nido_task task);

/* The name of a live task, "" if it has none or is over. Valid while the task lives and keeps its
 * name. Cannot fail. Not a cancellation point. */
NIDO_API const char *nido_task_name(nido_task task);

/* Where a live task was spawned (a code address; for the root, where its run was begun), NULL for a
 * task that is over. Cannot fail. Not a cancellation point. */
NIDO_API void *nido_task_spawn_place(nido_task task);

/* Names the calling task, up to 31 bytes; ignored outside one. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_set_name(const char *format, ...) NIDO_PRINTF(1, 2);

/* The largest use of its stack, in bytes, that was seen when the calling task parked; 0 outside a
 * task. Cannot fail. Not a cancellation point. */
NIDO_API size_t nido_stack_used(void);

/* A key for task-local values: a static or long-lived struct of the caller, compared by address. */
typedef struct nido_local {
    void (*destroy)(
        void *value); /* called at the end of a task that holds a value; NULL if nothing is to do */
} nido_local;

/* Sets the calling task's value; NULL removes it. The old value is the caller's again. Values are
 * destroyed when the task ends, the last one set first, where nothing may park. Not a cancellation
 * point. 0, -ENOMEM: nothing changed; -EPERM outside a task. */
NIDO_API int nido_local_set(const nido_local *key, void *value);

/* The calling task's value, NULL if there is none. Cannot fail. Not a cancellation point. */
NIDO_API void *nido_local_get(const nido_local *key);

#ifdef __cplusplus
}
#endif

#endif

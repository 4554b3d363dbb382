/* SPDX-License-Identifier: MIT */
/* nido/types.h: the terms and types that every other header uses.
 *
 * Results: every call that can fail returns >= 0 on success and a negated errno on failure; `errno`
 * itself is never part of the interface. Times: int64_t nanoseconds; `deadline` and `when` are
 * instants of the runtime's monotonic clock, `ns` is a length. NIDO_NEVER is an instant that never
 * comes.
 *
 * A "cancellation point" is a call that may park the calling task and that a cancel may end. On
 * entry it looks at the task's scope, even if it could complete at once: if the scope is cancelled,
 * it returns -ECANCELED and has had no effect at all. Every cancellation point returns -EPERM on a
 * thread without a running runtime and -EDEADLK from a callback that must not park; headers do not
 * repeat these two.
 *
 * Structs of options begin with their size, which their init function sets. They may grow with the
 * library: fields that an older program does not know are zero, the default. A size larger than the
 * library's is accepted if all bytes beyond it are zero. Otherwise, and for a size that no such
 * struct can have (smaller than the field itself, or no multiple of it), the call returns -EINVAL.
 *
 * Sync objects, channels, broadcasts and watches belong to the thread whose run uses them first,
 * also while they are idle, until they are initialised again: -EXDEV in another thread's run. A
 * thread without a run may use one that no task holds or waits for (-EPERM otherwise), as long as
 * no other thread does at the same time.
 *
 * From C++: exceptions may be thrown and caught inside a task, which may park while one is in
 * flight. No exception may leave a function that nido calls: one that leaves a task, a posted
 * function or a callback of the run ends the program. */
#ifndef NIDO_TYPES_H
#define NIDO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Public calls are never inlined, not by link-time optimisation either: they note the address of
 * their caller, and take their own frame as the end of the caller's. */
#if defined(__GNUC__)
#define NIDO_API                 __attribute__((visibility("default"), noinline))
#define NIDO_MUST_CHECK          __attribute__((warn_unused_result))
#define NIDO_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define NIDO_API
#define NIDO_MUST_CHECK
#define NIDO_PRINTF(text, first)
#endif

/* Options with their size: NIDO_SPAWN_OPTIONS(.name = "x") and its like. */
#define NIDOI_SIZED(type, ...) ((type){.size = sizeof(type), __VA_ARGS__})

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nido_rt nido_rt;       /* a runtime: one thread's loop and its tasks */
typedef struct nido_scope nido_scope; /* a node of the tree of cancellation and deadlines */
typedef struct nido_group nido_group; /* a scope that owns child tasks */
typedef struct nido_error nido_error; /* a failure with its text and its history */

/* What a task runs. >= 0 is success, < 0 (a negated errno) is failure. */
typedef int nido_fn(void *arg);

/* Takes back what has no owner any more: `arg` and `result` of a task whose success was not wanted.
 * Must not park. */
typedef void nido_drop_fn(void *ctx, void *arg, int result);

/* A task, by value. It may be copied freely and never dangles: a handle whose task is over gives
 * -ESRCH. */
typedef struct nido_task {
    uint32_t slot;
    uint32_t runtime;
    uint64_t id; /* never reused; 0 is no task */
} nido_task;

#ifdef __cplusplus
}
#endif

#endif

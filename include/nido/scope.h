/* SPDX-License-Identifier: MIT */
/* nido/scope.h: scopes, deadlines, shields.
 *
 * A scope is a node in the tree of everything that runs. Below it are the scopes opened inside it
 * and, if it is the scope of a group, the tasks of the group. That a scope is cancelled is a state,
 * set once and inherited downwards: every later cancellation point below it fails with -ECANCELED,
 * until the scope is closed. The scope that was cancelled turns that -ECANCELED into its own code
 * when it is closed; a deadline's code is -ETIMEDOUT.
 *
 * A scope lies in the caller's memory, usually on its stack; opening it allocates nothing and
 * cannot fail. Scopes are closed in reverse order, by the task that opened them, before the
 * function that holds them returns. Closing in another order, or returning with one open, ends the
 * program with a sentence that names the places.
 *
 * A scope opened outside a task is faulty: every later use and its close return -EPERM. */
#ifndef NIDO_SCOPE_H
#define NIDO_SCOPE_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are private. */
struct nido_scope {
    int64_t due; /* its effective deadline: INT64_MIN when effectively cancelled */
    uint32_t flags;
    int32_t code;            /* what close returns for a cancel of its own */
    nido_scope *parent;      /* NULL for the root task's first scope */
    nido_scope *inner;       /* the next scope of the same task */
    struct nidoi_task *task; /* that opened it; NULL once closed */
    int64_t deadline;        /* its own */
    void *place;             /* where it was opened */
    const char *reason;
    int64_t when; /* when it was cancelled, by which task: valid only then */
    uint64_t by;
    char by_name[32];
    uint64_t order; /* among all cancels of the run */
    uint32_t kind;
    uint32_t spare;
};

/* Why a task is cancelled. */
enum nido_cause_kind {
    NIDO_CAUSE_NONE = 0,
    NIDO_CAUSE_CANCEL = 1,   /* nido_scope_cancel, nido_group_cancel, nido_task_cancel */
    NIDO_CAUSE_DEADLINE = 2, /* a deadline passed, or a shield's bound or the grace */
    NIDO_CAUSE_FAILURE = 3,  /* a child, a service or the body of the group failed */
    NIDO_CAUSE_RACE = 4,     /* another child of the race won */
    NIDO_CAUSE_RELEASE = 5,  /* a service whose group is done: all went well */
    NIDO_CAUSE_SHUTDOWN = 6, /* nido_rt_shutdown */
    NIDO_CAUSE_SIGNAL = 7,   /* SIGINT or SIGTERM, under nido_options.signals */
    NIDO_CAUSE_DEADLOCK = 8  /* nothing could ever have woken any task */
};

/* A copy, which may outlive the scopes and tasks that it describes. */
typedef struct nido_cause {
    enum nido_cause_kind kind;
    int code;
    const char *reason; /* the static string of the cancel; never NULL */
    int64_t when;
    uint64_t task;      /* id of the task that did it; 0: the runtime itself */
    char task_name[32]; /* as it was then; "" if it had none */
    uint64_t spare[2];
} nido_cause;

/* Opens a scope without a deadline, to be cancelled by nido_scope_cancel. Cannot fail. Not a
 * cancellation point. */
NIDO_API void nido_scope_open(nido_scope *scope);

/* Opens a scope that is cancelled with -ETIMEDOUT at the instant `deadline`. A past instant is
 * legal: the first cancellation point inside fails. Cannot fail. Not a cancellation point. */
NIDO_API void nido_deadline_open(nido_scope *scope, int64_t deadline);

/* The same with a deadline `ns` nanoseconds from now: ns <= 0 expires at once, NIDO_NEVER never
 * expires. Cannot fail. Not a cancellation point. */
NIDO_API void nido_timeout_open(nido_scope *scope, int64_t ns);

/* Opens a shield: inside it, cancels from outside are not seen. The shield lasts for at most
 * `max_ns` nanoseconds, or until the grace of the run is over (nido_options.grace_ns), whichever is
 * first; then everything inside is cancelled. For no bound, pass NIDO_NEVER. Cannot fail. Not a
 * cancellation point. */
NIDO_API void nido_shield_open(nido_scope *scope, int64_t max_ns);

/* Closes a scope. Not a cancellation point. Returns `rc`, except that an rc of -ECANCELED becomes:
 *   -ECANCELED if an enclosing scope is cancelled, whose close will absorb it;
 *   this scope's own code if it was cancelled: -ETIMEDOUT for a deadline, else the code that was
 *   given to the cancel;
 *   -EPROTO if no scope around was cancelled (a stray code).
 * -EPERM: another task opened it, nothing is closed. -EBADF: it is closed already. */
NIDO_API int nido_scope_close(nido_scope *scope, int rc);

/* Cancels everything inside the scope: `code` (0 or a negated errno other than -ECANCELED) is what
 * its close will return; `reason` is a string that stays valid, or NULL. Returns at once. Not a
 * cancellation point. 0, -EALREADY: cancelled before, nothing changes; -EINVAL: a bad code; -ESRCH:
 * it is closed; -EXDEV: the scope of another thread's runtime; -EPERM: a thread without one. */
NIDO_API int nido_scope_cancel(nido_scope *scope, int code, const char *reason);

/* Moves the deadline of a scope, or the end of a shield, to an earlier or later instant. Not a
 * cancellation point. 0, -EALREADY: it has fired or was cancelled; -EBADF: closed; -EXDEV, -EPERM.
 */
NIDO_API int nido_scope_move(nido_scope *scope, int64_t deadline);

/* True if the deadline ended this scope or has passed; for a closed scope, if it had passed at the
 * close. Distinguishes a deadline from an -ETIMEDOUT of the network. Cannot fail. Not a
 * cancellation point. */
NIDO_API bool nido_scope_fired(const nido_scope *scope);

/* True if this scope itself was cancelled, by a call, its deadline, or a member of its group; for a
 * closed scope, if it was cancelled at the close, whatever the close returned. False for a scope
 * that is only inside a cancelled one. Distinguishes a cancel with code 0 from success. Cannot
 * fail. Not a cancellation point. */
NIDO_API bool nido_scope_was_cancelled(const nido_scope *scope);

/* The caller's effective deadline: the earliest of its scopes up to the nearest shield, NIDO_NEVER
 * if none; a past instant (INT64_MIN) if cancelled. Cannot fail. Not a cancellation point. */
NIDO_API int64_t nido_deadline(void);

/* True if the next cancellation point of the caller would fail. Only asks: it reads no clock and
 * lets no deadline fire. Cannot fail. Not a cancellation point. */
NIDO_API bool nido_cancelled(void);

/* Why the caller is cancelled: the first cause, if there are several; kind NIDO_CAUSE_NONE if it is
 * not cancelled. To a service whose group is done it says why the group ended: a cancel of the
 * group or of an enclosing scope, a failure (under every policy), a race that was won, or else
 * NIDO_CAUSE_RELEASE. Cannot fail. Not a cancellation point. */
NIDO_API void nido_cancel_cause(nido_cause *out);

/* One call under a deadline, a timeout or a shield: open, fn(arg), close. Not a cancellation point
 * itself: fn is called even in a cancelled scope, and its first cancellation point is refused. What
 * nido_scope_close makes of fn's result; -EINVAL: fn is NULL; -EPERM outside a task. */
NIDO_API int nido_with_deadline(int64_t deadline, nido_fn *fn, void *arg);
/* See nido_with_deadline; `ns` from now. Not a cancellation point itself. -EINVAL, -EPERM. */
NIDO_API int nido_with_timeout(int64_t ns, nido_fn *fn, void *arg);
/* See nido_with_deadline and nido_shield_open. Not a cancellation point itself. -EINVAL, -EPERM. */
NIDO_API int nido_with_shield(int64_t max_ns, nido_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif

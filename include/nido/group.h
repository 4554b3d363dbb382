/* SPDX-License-Identifier: MIT */
/* nido/group.h: tasks live in groups, and no task outlives its group.
 *
 *     nido_group g;
 *     nido_group_open(&g, NIDO_FAIL_FAST, "pages");
 *     rc = nido_spawn(&g, fetch, path);          ... more of that, any amount of other work
 *     return nido_group_close(&g, rc);           waits for all; the first failure, or rc
 *
 * The code between open and close, the body, is a member: the first failure of a child cancels it
 * like the other children, and its own failure (rc < 0 at the close) cancels them. A group is a
 * scope (nido/scope.h says how cancelling works) in the caller's memory; opening it allocates
 * nothing and cannot fail. It is closed by the task that opened it, in reverse order of opening,
 * before the function that holds it returns. Any task of the thread may spawn into an open group
 * whose address it has, and cancel it.
 *
 * A group opened outside a task is faulty: every use and its close return -EPERM. In the same way a
 * group opened in a callback that must not park returns -EDEADLK, and a group opened with a bad
 * policy or bad options -EINVAL. */
#ifndef NIDO_GROUP_H
#define NIDO_GROUP_H

#include <string.h>

#include "nido/scope.h"

#ifdef __cplusplus
extern "C" {
#endif

enum nido_policy {
    NIDO_FAIL_FAST = 0, /* the first failure cancels the rest */
    NIDO_WAIT_ALL = 1,  /* children do not disturb each other; failures are reported at the end */
    NIDO_RACE = 2       /* the first child with a result >= 0 wins and the rest are cancelled */
};

/* Fields are private. */
struct nido_group {
    nido_scope scope; /* first: a group is a scope */
    struct nidoi_link children;
    struct nidoi_waitq places;       /* nido_spawn_wait: waits for a place under the limit */
    struct nidoi_waiter *closer;     /* set while the close waits, or the body for the children */
    struct nidoi_failures *failures; /* NULL until one fails */
    nido_drop_fn *drop;
    void *drop_ctx;
    const char *name;
    size_t stack_size;
    nido_task winner;
    int32_t failure; /* the first one, 0 if none */
    int32_t value;   /* of the winner */
    uint32_t policy; /* enum nido_policy */
    uint32_t state;
    uint32_t live;       /* children that the close waits for, services not counted */
    uint32_t services;   /* services that live */
    uint32_t starts;     /* nido_start under way */
    uint32_t own_starts; /* those of them that its services wait for: they keep nothing open */
    uint32_t limit;      /* 0: none */
    uint32_t reserved;   /* places given to spawn_wait callers that have not run yet */
    uint32_t kept;       /* first of the slots whose handles it keeps */
    uint32_t flags;      /* enum nidoi_group_flag */
    uint32_t spare32;
    struct nidoi_node *idler; /* the place of `closer`; valid only while the body waits */
    uint64_t spare[2];
};

typedef struct nido_group_options {
    size_t size; /* sizeof(nido_group_options); nido_group_options_init sets it */
    enum nido_policy policy;
    const char *name;   /* a string that outlives the group, or NULL */
    uint32_t limit;     /* most children alive at once (services not counted); 0: no limit */
    size_t stack_size;  /* bytes, for its children; 0: the run's */
    nido_drop_fn *drop; /* NIDO_RACE: gets every success that did not win; must not park */
    void *drop_ctx;
    int64_t deadline; /* an instant, as for nido_deadline_open; 0: none */
} nido_group_options;

/* What a group has now. */
typedef struct nido_group_counts {
    uint32_t live;     /* children alive, services not counted */
    uint32_t services; /* alive */
    uint32_t starting; /* calls of nido_start under way */
    uint32_t waiting;  /* calls of nido_spawn_wait that wait for a place, or were given one and have
                          not run yet */
    uint32_t limit;    /* of live children; 0: none */
    int32_t failure;   /* the code of the first failure so far; 0: none */
    uint64_t spare[4];
} nido_group_counts;

typedef struct nido_spawn_options {
    size_t size;       /* sizeof(nido_spawn_options); nido_spawn_options_init sets it */
    const char *name;  /* a string that outlives the task, or NULL */
    size_t stack_size; /* bytes; 0: the group's */
    bool service;      /* not waited for; cancelled when the body and the other children are done,
                          with the cause of the group's end (nido_cancel_cause) */
    void *memory; /* the caller's stack memory of `stack_size` bytes, NULL for the pool's. It has no
                     guard, and its lowest 16 bytes are written; it must live until the task has
                     ended and its group is closed */
    const void *copy; /* copied onto the new stack: the task's arg points to that copy; NULL: arg as
                         given */
    size_t copy_size; /* bytes, at most 1024 */
} nido_spawn_options;

/* Fill with zeros and set `size`. Cannot fail. Not a cancellation point. */
static inline void nido_group_options_init(nido_group_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_GROUP_OPTIONS(.field = value). In C. */
#define NIDO_GROUP_OPTIONS(...) NIDOI_SIZED(nido_group_options, __VA_ARGS__)
/* See nido_group_options_init. Cannot fail. Not a cancellation point. */
static inline void nido_spawn_options_init(nido_spawn_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_SPAWN_OPTIONS(.field = value). In C. */
#define NIDO_SPAWN_OPTIONS(...) NIDOI_SIZED(nido_spawn_options, __VA_ARGS__)

/* Opens a group; `name` outlives it, or is NULL. Cannot fail. Not a cancellation point. */
NIDO_API void nido_group_open(nido_group *group, enum nido_policy policy, const char *name);

/* Opens a group with options, which are read here and not kept. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_group_open_with(nido_group *group, const nido_group_options *options);

/* Waits for all children, then for the services, and closes the group. Not a cancellation point: a
 * cancel from outside goes down to the children, and the wait ends when they do. `rc` is the body's
 * result; rc < 0 cancels the children. Returns the first of these that applies:
 *   the winner's value, under NIDO_RACE, if there is a winner and the body did not fail;
 *   the code of the first failure in order of completion (nido_error_last() has the others);
 *   -ECANCELED, if a child or the body returned it and an enclosing scope is cancelled;
 *   the code of this group's own cancel, if a child or the body returned -ECANCELED (code 0: a
 *     clean stop);
 *   rc.
 * A stray -ECANCELED (no scope around was cancelled) counts as the failure -EPROTO. -EPERM: another
 * task opened it, nothing is closed. -EBADF: it is closed already. */
NIDO_API int nido_group_close(nido_group *group, int rc);

/* Waits, in the body, until the group is idle: no child lives, none is being started, and no place is
 * given to a call of nido_spawn_wait. The group stays open. Children that are spawned meanwhile are
 * waited for too, services are not. A failure is told as by the close, which reports it as well: it
 * may be passed on as the close's rc and is not counted twice. (Under NIDO_FAIL_FAST it cancels the
 * group, and so this wait.) Cancellation point. 0; the code of the first failure so far, with its
 * error in nido_error_last(); -ECANCELED; -EPERM: the caller has not opened it (a child would wait
 * for itself: nido_join waits for single tasks); -EBADF: it is closed; for a faulty group its code. */
NIDO_API int nido_group_wait(nido_group *group);

/* Sets the limit of living children to another one, 0: none. More room lets calls of nido_spawn_wait
 * go on, in their order; with less, none is ended, and spawns wait until enough have. Not a
 * cancellation point. 0; -EBADF: it is closed; -EPERM: no runtime; -EXDEV: another thread's; for a
 * faulty group its code. */
NIDO_API int nido_group_set_limit(nido_group *group, uint32_t limit);

/* Copies the counts of a group to *out: zeros for a closed one, but its first failure and its limit.
 * Not a cancellation point. 0; for a faulty group its code (-EPERM: opened outside a task). */
NIDO_API int nido_group_counts_get(const nido_group *group, nido_group_counts *out);

/* Cancels everything in the group, the body too; see nido_scope_cancel for code and reason. Returns
 * at once. Not a cancellation point. 0, -EALREADY, -EINVAL, -ESRCH: closed; -EXDEV. */
NIDO_API int nido_group_cancel(nido_group *group, int code, const char *reason);

/* The group as a scope, to move its deadline, or to ask whether it has fired. Cannot fail. Not a
 * cancellation point. */
NIDO_API nido_scope *nido_group_scope(nido_group *group);

/* open, body(&group, arg), close in one call: a close that cannot be forgotten. Waits like
 * nido_group_close, not a cancellation point itself. The close's result; -EINVAL: body is NULL;
 * -EPERM outside a task. */
NIDO_API int nido_with_group(enum nido_policy policy, int (*body)(nido_group *group, void *arg),
                             void *arg);

/* Makes a task that runs fn(arg), last in the queue: it does not start before the caller parks or
 * yields. On success fn runs exactly once, even if the group is cancelled before; on failure arg is
 * still the caller's. Not a cancellation point. 0; -ECANCELED: the group is cancelled, and encloses
 * the caller or the caller is cancelled too; -ESHUTDOWN: the group is cancelled otherwise, or it is
 * over; -EAGAIN: the group's limit or the run's max_tasks is reached, or the kernel has no room for
 * a guarded stack (nido_error_last() says which); -ENOMEM; -EINVAL: fn is NULL or a bad option;
 * -EBADF: the group is closed; -EPERM: no runtime; -EXDEV: another thread's group. */
NIDO_API NIDO_MUST_CHECK int nido_spawn(nido_group *group, nido_fn *fn, void *arg);

/* nido_spawn with `size` bytes (at most 1024) at `arg` copied onto the new stack; fn gets the copy.
 * Not a cancellation point. Errors as nido_spawn; -EINVAL: too large. */
NIDO_API NIDO_MUST_CHECK int nido_spawn_copy(nido_group *group, nido_fn *fn, const void *arg,
                                             size_t size);

/* nido_spawn with options (NULL: none) and a handle. With `out` the task's result is kept for
 * nido_join until the group closes; without, nothing of the task is left when it ends. Not a
 * cancellation point. Errors as nido_spawn (-ECANCELED, -EAGAIN, -EINVAL, ...); *out is
 * untouched on failure. */
NIDO_API NIDO_MUST_CHECK int nido_spawn_with(nido_group *group, nido_fn *fn, void *arg,
                                             const nido_spawn_options *options, nido_task *out);

/* nido_spawn that waits for a place under the group's limit, first come first served. Cancellation
 * point. Errors as nido_spawn, without its -EAGAIN for the limit. */
NIDO_API NIDO_MUST_CHECK int nido_spawn_wait(nido_group *group, nido_fn *fn, void *arg);

/* Spawns fn(arg) and waits until it calls nido_started(value); gives that value. Until then the
 * task belongs to the caller: a cancel of the caller cancels it, and its failure is the result of
 * this call and does not touch the group. Afterwards it belongs to the group. `arg` stays the
 * caller's until the task has called nido_started. A pending start keeps the group open, except one
 * for which a service of the group waits. Cancellation point, but it waits for a task that it has
 * cancelled. 0 and *out (may be NULL); the task's failure; -EPROTO: it ended with >= 0 and never
 * called nido_started; -ECANCELED, also if a task that was cancelled with the caller ended with >=
 * 0; -ESHUTDOWN: the group was over first; else as nido_spawn. */
NIDO_API int nido_start(nido_group *group, nido_fn *fn, void *arg, intptr_t *out);

/* Called by a task that nido_start made: the task is ready, and from now on it belongs to the
 * group. Not a cancellation point. 0; -ECANCELED: the caller of nido_start is cancelled, or its
 * group is over: the task should return; -EALREADY: called before; -EPERM: the caller is not a task
 * made by nido_start. */
NIDO_API int nido_started(intptr_t value);

/* Children alive now, services not counted; 0 for a closed group. Cannot fail. Not a cancellation
 * point. */
NIDO_API size_t nido_group_live(const nido_group *group);

/* The winner of a race, also after its close. The handle is stale; compare its id with those from
 * the spawns. Not a cancellation point. 0 and *out; -ESRCH: no task has won. */
NIDO_API int nido_race_winner(const nido_group *group, nido_task *out);

#ifdef __cplusplus
}
#endif

#endif

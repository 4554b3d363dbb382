/* SPDX-License-Identifier: MIT */
/* nido/value.h: values that everything below inherits: the id of a request, a user, a logger.
 *
 * A value is opened and closed like a scope, and is in force for what runs below it in the tree:
 * the rest of its task, and every task of the groups that are opened inside it, at any depth.
 * Nothing is copied: a value and what it points to lie in the caller's memory, and no task outlives
 * its group. Opening one costs as much as a scope and allocates nothing; looking one up walks up
 * the tree. A task that uses none pays nothing.
 *
 * - A task inherits from its group, not from the task that has spawned it: it sees the values that
 *   were in force where the group was opened, and those alone are certain to outlive it. A task in
 *   nido_start sees those of the caller until nido_started, and from then on those of its group:
 *   what it keeps from before, it copies.
 * - Another thread inherits nothing: neither a function of nido_run_on, a shard, nor a job on a
 *   worker thread or in a worker process. Pass them what they need as an argument.
 *
 * What one task alone has, and what is destroyed with it, is a nido_local (nido/task.h). */
#ifndef NIDO_VALUE_H
#define NIDO_VALUE_H

#include "nido/scope.h"

#ifdef __cplusplus
extern "C" {
#endif

enum nido_value_flag {
    /* The values are strings. Dumps, reports of deadlocks and stalls and traces show them, as
     * "request=42f1", with every task for which they are in force; equal tasks with different texts
     * are shown one by one. */
    NIDO_VALUE_TEXT = 1
};

/* A key: a static object of the program, compared by its address. */
typedef struct nido_value_key {
    const char *name; /* for reports, or NULL */
    uint64_t flags;   /* of enum nido_value_flag */
    uint64_t spare[2];
} nido_value_key;

/* static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT); */
#define NIDO_VALUE_KEY_INIT(name, flags)  \
    {                                     \
        (name), (flags), NIDOI_SPARE_INIT \
    }

/* Fields are private. */
typedef struct nido_value {
    nido_scope scope;
    const nido_value_key *key;
    const void *data;
    uint64_t spare[2];
} nido_value;

/* Gives the key a value for everything below, until it is closed. `data` stays the caller's and must
 * stay valid until then; NULL: below, the key has no value. It hides a value of the same key further
 * out. Cannot fail; opened outside a task (-EPERM), or with no key (-EINVAL), it has no effect, and
 * its close says so. Not a cancellation point. */
NIDO_API void nido_value_open(nido_value *value, const nido_value_key *key, const void *data);

/* Ends what nido_value_open began; in reverse order among all scopes, groups and values of the task,
 * as nido_scope_close. It leaves cancels and deadlines alone: a code passes it as it is. Not a
 * cancellation point. 0; -EPERM: another task opened it, nothing is closed; -EBADF: it is closed
 * already; or what is said at nido_value_open. */
NIDO_API int nido_value_close(nido_value *value);

/* The `data` of the innermost value with this key that is in force for the caller; NULL if there is
 * none, and outside a task. What it points to is const if it was so for nido_value_open. Takes time
 * in proportion to the scopes between. Cannot fail. Not a cancellation point. */
NIDO_API void *nido_value_get(const nido_value_key *key);

#ifdef __cplusplus
}
#endif

#endif

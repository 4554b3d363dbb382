/* SPDX-License-Identifier: MIT */
/* coro/scope/error.h: error objects on their way from nido_fail through the end of a task to the close
 * of its group. */
#ifndef NIDOI_ERROR_H
#define NIDOI_ERROR_H

#include <stdarg.h>

#include "coro/task/sched.h"
#include "nido/error.h"

struct nido_error {
    uint32_t refs; /* atomic; 0: a constant, never counted */
    int32_t code;
    uint64_t task;
    void *spawned_at, *failed_at;
    int64_t when;
    nido_error *cause;       /* of a group's error: the first failure; of a stray code: that */
    nido_error **suppressed; /* the others; NULL: not a group's */
    size_t suppressed_count;
    uint64_t unlisted;
    char *detail; /* its own, or NULL */
    char task_name[32];
    char group[32];
    char text[256];
};

/* The failures of one group, in order. */
enum { NIDOI_MOST_FAILURES = 64 };
struct nidoi_failures {
    size_t count;
    uint64_t unlisted;
    nido_error *list[NIDOI_MOST_FAILURES]; /* one reference each */
};

/* The task keeps this error (one reference, may be NULL) instead of what it kept. */
void nidoi_error_keep(struct nidoi_task *task, nido_error *error);

/* nido_fail for a given task and place. Returns code. */
int nidoi_fail(struct nidoi_task *task, void *place, int code, const char *format, ...)
    NIDO_PRINTF(4, 5);

/* An -ECANCELED that no cancel caused would be taken for a cancel further up: the running task's becomes
 * -EPROTO, and the error that it keeps says so, with the -ECANCELED behind it. Returns -EPROTO. */
int nidoi_error_stray(struct nidoi_task *task);

/* Adds a detail to the error that the task keeps, if that was made by nido_fail and has none. What
 * there is no memory for is left out. */
void nidoi_error_detail(struct nidoi_task *task, const char *bytes, size_t len);

/* The error for a task that ends with `code`: the one it kept if that is its code, else one without
 * text. The task keeps none any more; the caller has the reference. Never NULL. */
nido_error *nidoi_error_of_end(struct nidoi_task *task, int code);

/* Adds to a list that is made when needed; takes the reference. Beyond the limit or without memory
 * it is counted. */
void nidoi_failures_add(struct nidoi_failures **failures, nido_error *error);

/* Ends a list (NULL is fine): the error that speaks for all of it, the caller's reference; one
 * failure is itself. `code` is what is returned if there was no memory for any. */
nido_error *nidoi_failures_end(struct nidoi_failures *failures, int code, const char *group);

/* One more reference to the first failure of a list (NULL is fine). `code` as for nidoi_failures_end. */
nido_error *nidoi_failures_first(const struct nidoi_failures *failures, int code);

/* The task that failed first, and its name (32 bytes); 0 and "" if there was no memory for it. */
uint64_t nidoi_failures_author(const struct nidoi_failures *failures, char *name);

/* Ends a list that is not asked for. */
void nidoi_failures_drop(struct nidoi_failures *failures);

#endif

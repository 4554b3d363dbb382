/* SPDX-License-Identifier: MIT */
/* nido/error.h: failures with more than a code.
 *
 * A result code is always enough to act on. Beside it a task may keep one error object: a text, the
 * task that failed, the place. `return nido_fail(-EIO, "disk %d", n)` makes one and returns the
 * code; the end of the task hands it to the group if the result is that code; closing the group
 * hands it to the closing task. Error objects are immutable and reference-counted, and may outlive
 * the tasks and groups that they describe. Making one never fails: without memory a constant object
 * for the code takes its place. */
#ifndef NIDO_ERROR_H
#define NIDO_ERROR_H

#include <stdarg.h>
#include <stdio.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps a text (up to 255 bytes) with the code for the calling task, in place of the error it kept
 * before; code 0 drops that. Returns `code`. Outside a task it only returns the code. Cannot fail.
 * Not a cancellation point. */
NIDO_API int nido_fail(int code, const char *format, ...) NIDO_PRINTF(2, 3);

/* The same for callers that have a va_list. Cannot fail. Not a cancellation point. */
NIDO_API int nido_vfail(int code, const char *format, va_list args) NIDO_PRINTF(2, 0);

/* The same with a ready-made text, for callers that cannot do varargs. Cannot fail. Not a
 * cancellation point. */
NIDO_API int nido_fail_text(int code, const char *text);

#if defined(__GNUC__)
/* As a tail call `return nido_fail(...)` would be a jump, and the place of the failure would be
 * lost; this keeps it a call. Other compilers call the function itself. */
static inline int nidoi_stay(int code)
{
    __asm__ volatile("" : "+r"(code));
    return code;
}
#define nido_fail(...) nidoi_stay(nido_fail(__VA_ARGS__))
#endif

/* The error that the calling task keeps: of its last nido_fail, or of the group it closed last.
 * NULL if none. Borrowed: valid until the next failure in this task; retain it to keep it. Cannot
 * fail. Not a cancellation point. */
NIDO_API const nido_error *nido_error_last(void);

/* Adds a reference, or drops one; NULL is fine. Any thread. Cannot fail. Not a cancellation point.
 */
NIDO_API nido_error *nido_error_retain(const nido_error *error);
/* See nido_error_retain. Cannot fail. Not a cancellation point. */
NIDO_API void nido_error_release(nido_error *error);

/* The parts of an error; strings live as long as the error. For a group with several failures they
 * are those of the first. Errors are constant, so any thread may read them. */

/* A negated errno; 0 for NULL. Cannot fail. Not a cancellation point. */
NIDO_API int nido_error_code(const nido_error *error);
/* Its text, "" if there is none. Cannot fail. Not a cancellation point. */
NIDO_API const char *nido_error_text(const nido_error *error);
/* Details that came with it, possibly several lines: what a worker process wrote on stderr before
 * it died (nido/procpool.h). "" if there is none. Cannot fail. Not a cancellation point. */
NIDO_API const char *nido_error_detail(const nido_error *error);
/* Id of the task that failed, 0 if unknown. Cannot fail. Not a cancellation point. */
NIDO_API uint64_t nido_error_task_id(const nido_error *error);
/* Its name, "" if it had none. Cannot fail. Not a cancellation point. */
NIDO_API const char *nido_error_task_name(const nido_error *error);
/* Code address of the call that spawned the task, for the root, of the call that began its run.
 * Cannot fail. Not a cancellation point. */
NIDO_API void *nido_error_spawn_place(const nido_error *error);
/* Code address of the nido_fail, NULL if there was none. Cannot fail. Not a cancellation point. */
NIDO_API void *nido_error_fail_place(const nido_error *error);
/* When, on the runtime's clock. Cannot fail. Not a cancellation point. */
NIDO_API int64_t nido_error_when(const nido_error *error);

/* For a group with several failures: the first of them; for an -EPROTO that was a stray -ECANCELED:
 * that; else NULL. Borrowed. Cannot fail. Not a cancellation point. */
NIDO_API const nido_error *nido_error_cause(const nido_error *error);
/* How many more failures are listed (at most 63), and the i-th of them in order of completion, NULL
 * past the end. Borrowed. Cannot fail. Not a cancellation point. */
NIDO_API size_t nido_error_suppressed_count(const nido_error *error);
/* See nido_error_suppressed_count. Cannot fail. Not a cancellation point. */
NIDO_API const nido_error *nido_error_suppressed(const nido_error *error, size_t i);
/* How many failures there were beyond those listed. Cannot fail. Not a cancellation point. */
NIDO_API uint64_t nido_error_unlisted(const nido_error *error);

/* The first error in the tree below (itself, its cause, the suppressed, depth first) with this
 * code, or NULL. Borrowed. Cannot fail. Not a cancellation point. */
NIDO_API const nido_error *nido_error_find(const nido_error *error, int code);

/* Prints an indented tree. Cannot fail. Not a cancellation point. */
NIDO_API void nido_error_print(const nido_error *error, FILE *file);

/* "ECANCELED: cancelled by an enclosing scope": the name of a code and what it means, from nido and
 * from the system; a constant string. A number that no errno has gives "unknown error 4711", valid
 * until this thread asks for another such. Accepts either sign. Cannot fail. Any thread. Not a
 * cancellation point. */
NIDO_API const char *nido_strerror(int code);

#ifdef __cplusplus
}
#endif

#endif

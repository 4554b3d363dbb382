/* SPDX-License-Identifier: MIT */
/* failure.h: why the tool cannot do what it was asked for: one sentence, and what the user can do. */
#ifndef FAILURE_H
#define FAILURE_H

#include <stdbool.h>

/* Keeps the sentence; returns false, so that a function can return it. The first one of a run stays. */
bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says something at once, on stderr: the tool goes on with what there is. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* NULL: nothing failed. */
const char *failure(void);

void failure_forget(void);

#endif

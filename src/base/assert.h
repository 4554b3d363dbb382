/* SPDX-License-Identifier: MIT */
/* base/assert.h: how a broken invariant or a misuse ends the program: with a sentence that says
 * what was done wrong. */
#ifndef NIDOI_ASSERT_H
#define NIDOI_ASSERT_H

#include <stdbool.h>

#include "nido/types.h"

/* For functions that hardly ever run: kept away from the others in memory. */
#define NIDOI_RARE __attribute__((cold, noinline))

/* Cheap, always on: one assumption each. */
#define nidoi_assert(x) ((x) ? (void)0 : nidoi_assert_failed(#x, __FILE__, __LINE__))

/* Expensive: only under NIDO_DEBUG=strict or NIDO_RUN_STRICT, in every build. */
#define nidoi_check(x) nidoi_assert(!nidoi_strict || (x))

extern _Thread_local bool nidoi_strict;

/* Upper floors may add what they know (the list of tasks) to the sentence. */
extern _Thread_local void (*nidoi_crash_hook)(void);

_Noreturn void nidoi_assert_failed(const char *what, const char *file, int line);

/* A documented misuse: prints "nido: <sentence>" and aborts. */
_Noreturn void nidoi_panic(const char *sentence, ...) NIDO_PRINTF(1, 2);

/* Panics: the program has closed this descriptor, which is nido's own. */
_Noreturn NIDOI_RARE void nidoi_own_fd_was_closed(int fd);

/* Prints the same and returns, for a caller that ends the program in another way. */
void nidoi_warn(const char *sentence, ...) NIDO_PRINTF(1, 2);

#endif

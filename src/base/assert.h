/* base/assert.h: how a broken law ends the program: with a sentence that says who did what. */
#ifndef NIDOI_ASSERT_H
#define NIDOI_ASSERT_H

#include <stdbool.h>

#include "nido/types.h"

/* For functions that hardly ever run: kept away from those that do. */
#define NIDOI_RARE __attribute__((cold, noinline))

/* Cheap, always on: one assumption each. */
#define nidoi_assert(x) ((x) ? (void)0 : nidoi_assert_failed(#x, __FILE__, __LINE__))

/* Expensive: only under NIDO_DEBUG=strict or NIDO_RUN_STRICT, in every build. */
#define nidoi_check(x) nidoi_assert(!nidoi_strict || (x))

extern _Thread_local bool nidoi_strict;

/* Upper floors may add what they know (the list of tasks) to the last words. */
extern _Thread_local void (*nidoi_crash_hook)(void);

_Noreturn void nidoi_assert_failed(const char *what, const char *file, int line);

/* A documented misuse: prints "nido: <sentence>" and aborts. */
_Noreturn void nidoi_panic(const char *sentence, ...) NIDO_PRINTF(1, 2);

/* The kernel does not know this descriptor of nido's own any more. */
_Noreturn NIDOI_RARE void nidoi_closed_behind_us(int fd);

/* Says the same and returns, for who ends the program otherwise. */
void nidoi_warn(const char *sentence, ...) NIDO_PRINTF(1, 2);

#endif

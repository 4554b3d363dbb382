/* SPDX-License-Identifier: MIT */
/* coro/stack/exceptions.h: C++ exceptions on tasks, for programs that have them. The library itself needs
 * no C++ and is not linked with any.
 *
 * The C++ run time keeps for each thread which exceptions are being handled and how many are in
 * flight. Both belong to a task. They are empty at every switch: a task that leaves with something in
 * them takes it along on its own stack and puts it back on its return (coro/task/switch.h), so tasks
 * carry nothing, and where there are no exceptions a switch costs one test more.
 *
 * No exception leaves a task: its outermost frame names the task before the C++ run time ends the
 * program (coro/task/unwind.c). */
#ifndef NIDOI_EXCEPTIONS_H
#define NIDOI_EXCEPTIONS_H

#include <stdbool.h>

#include "coro/stack/context.h"

/* What __cxa_get_globals leads to; the Itanium C++ ABI fixes its form. */
struct nidoi_exceptions {
    void *handled; /* latest caught first */
    unsigned in_flight;
};

/* This thread's; NULL: the program was not linked with a C++ run time. */
struct nidoi_exceptions *nidoi_exceptions_self(void);

static inline bool nidoi_exceptions_any(const struct nidoi_exceptions *exceptions)
{
    return exceptions->handled || exceptions->in_flight;
}

/* In the body of a function: no exception passes it, and no unwinding by pthread_exit. The word is
 * for the assembler, which makes nidoi_exceptions_end the personality of the frame; the function's
 * code is as without. Where frames are not described by such words (32-bit ARM, or no unwind tables),
 * unwinding ends there all the same, but without the sentence. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#define NIDOI_EXCEPTIONS_END() \
    __asm__ volatile(NIDOI_ASM_PERSONALITY NIDOI_ASM_NAME("nidoi_exceptions_end"))

/* A part of coro/task/unwind.c. A link that optimises sees no references of the assembler, and would
 * leave that file in the archive: a C reference takes it out. */
extern const char nidoi_exceptions_end_linked;
#else
#define NIDOI_EXCEPTIONS_END() ((void)0)
#endif

#endif

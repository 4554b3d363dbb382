/* SPDX-License-Identifier: MIT */
/* nido/debug.h: what a program is doing: its tree of tasks, as text and as JSON; and what goes wrong in it: a stack
 * that is used up, a loop that is held, a cancel without effect.
 *
 * nido_options.flags with NIDO_RUN_DUMP, or NIDO_DEBUG=dump in the environment, prints the tree on stderr
 * whenever the process gets SIGQUIT (Ctrl-\ on a terminal), for each runtime of the process; with
 * NIDO_DEBUG=stacks every dump shows the stacks of the tasks. */
#ifndef NIDO_DEBUG_H
#define NIDO_DEBUG_H

#include <stdio.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Prints the groups and tasks of the calling thread's runtime, a line each, as a tree: what each task
 * waits for and for how long, its deadline, why it is cancelled, how much of its stack is used, and
 * where it was spawned. Three or more equal subtrees of one group are shown once and counted. Control
 * characters in names are shown as "?". From a task, a function that the loop calls, or between two
 * nido_rt_step. Writes to `file` as stdio does when the tree has been read, and so may block the thread
 * for as long. 0; -EINVAL: file is NULL; -EPERM: the thread has no runtime; -ENOMEM; -EIO: stdio could
 * not write all of it. Not a cancellation point. */
NIDO_API int nido_dump(FILE *file);

/* The same as one JSON object; docs/semantics.md, section 42, has its fields. Each task has an entry of
 * its own, equal ones too. 0; -EINVAL; -EPERM; -ENOMEM; -EIO: as nido_dump. Not a cancellation point. */
NIDO_API int nido_dump_json(FILE *file);

enum nido_dump_flag {
    /* Below each task the frames of its stack, the innermost first: address, function, object with the
     * offset that addr2line takes, and file and line if the library was built to read debug information
     * (NIDO_SYMBOLS). The head says which it was. No task runs for that, and no stack is written to; it
     * costs some microseconds a frame. x86-64 and arm64, ELF; elsewhere the head says why there are none. */
    NIDO_DUMP_STACKS = 1,
    NIDO_DUMP_JSON = 2 /* as nido_dump_json */
};

/* Prints what the flags ask for; without any, as nido_dump. A dump takes about 8 KiB of the caller's stack. Debug
 * information is read on a thread of nido with a stack of its own, which lasts as long as the call; that opens files
 * and needs memory for them. Where no thread can be started, names and lines are those known without it. 0; -EINVAL: file is NULL, or an unknown flag; -EPERM; -ENOMEM; -EIO: as nido_dump. Not a
 * cancellation point. */
NIDO_API int nido_dump_with(FILE *file, uint32_t flags);

/* ---- A stack that is used up ----
 *
 * A task that recurses too deeply touches the guard below its stack, and the system ends the program with SIGSEGV
 * (on some systems SIGBUS). nido_options.flags with NIDO_RUN_OVERFLOW, or NIDO_DEBUG=overflow in the environment, says
 * before that which task it was, where it was spawned, how large its stack is, and which functions called each
 * other. The program then ends as it would have, with its core.
 *
 * For this nido handles the signal while such a run lasts, if it has its default action at the start of the first
 * of them, on an alternate stack of the run's thread (sigaltstack): its own, if that has sysconf(_SC_MINSIGSTKSZ)
 * and 24 KiB, else one of nido's until the run ends. One that the thread gets later must be as large. A handler that
 * the program has set by then, or sets later, is left alone; it may call the following. */

/* For a handler of SIGSEGV or SIGBUS that runs on an alternate stack: if `address` (its si_addr) is in the guard of
 * the task that runs on this thread, says so on stderr as above, and 1; else 0. `context` is the handler's third
 * argument, or NULL: without it, or in a run without NIDO_RUN_OVERFLOW, the functions are left out. Safe in a
 * signal handler, but for the loader's lock that looking up functions takes (dladdr). Cannot fail. Not a
 * cancellation point. */
NIDO_API int nido_report_overflow(const void *address, const void *context);

/* ---- A task that holds its loop ----
 *
 * A task that computes without a pause, or calls what blocks the thread, holds up every other task of its runtime.
 * nido_options.stall_ns, or NIDO_DEBUG=stall in the environment (100 ms), makes a thread of nido look for it. It says
 * on stderr, while the task goes on, which task it is, and its frames or the system call that blocks it; when it is
 * over the run reports (on_report, or stderr) for how long the loop was held. docs/semantics.md, section 43, says what
 * this asks of the system. */

/* ---- A task that goes on after its cancel ----
 *
 * nido_options.late_ns, or NIDO_DEBUG=cancel in the environment (5 s), reports each task that has not ended so long
 * after it was cancelled, with what keeps it: a shield, a wait that no cancel ends, or code that does not return when
 * its calls say -ECANCELED. The loop looks for them, so only when it gets a turn: not while a task holds it, which
 * nido_options.stall_ns reports, and one that blocks the thread between refused calls is found after some 128 of them,
 * or, if it ends before, not at all; nor is one that makes no such call. */

/* Asks a runtime to print what nido_dump prints on stderr, from its loop: if its task computes, when that
 * parks. The caller has a handle on it (nido_rt_self). From any thread, and from signal handlers. NULL: asks every
 * runtime of the process, and not from signal handlers. Requests that come before the answer to an earlier one get
 * one answer. 0; -ESHUTDOWN: its run is over; -EPERM: in a forked child, for its parent's, or for NULL if it runs
 * none of its own. Not a cancellation point. */
NIDO_API int nido_dump_request(nido_rt *rt);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* nido/test.h: for the tests of programs that use nido. A library of its own, nido::test; nido.h
 * does not include it. docs/testing.md shows how it is used.
 *
 * It works in any test framework, or none: nothing here asserts, every call returns. What it finds
 * is printed on `out`, by default stderr.
 *
 * Sweeps and injected failures concern the library's own system calls and allocations, and only
 * those of the thread that asked; one thread of a process may do so at a time. */
#ifndef NIDO_TEST_KIT_H
#define NIDO_TEST_KIT_H

#include <stdio.h>

#include "nido/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Runs ---- */

enum nido_test_flags {
    NIDO_TEST_INNERMOST = 1, /* nido_sweep cancels the innermost scope of the task at the point,
                                not the whole run */
    NIDO_TEST_BRIEF = 2,     /* a table is printed only if something broke */
    NIDO_TEST_LOOSE = 4      /* runs of a sweep may differ by chance, for there are other threads or
                                processes: a place that is not reached gets ten runs, and is
                                then left out */
};

typedef struct nido_test_options {
    size_t size;      /* sizeof(nido_test_options); nido_test_options_init sets it */
    uint32_t flags;   /* enum nido_test_flags */
    nido_options run; /* of every run. nido_test_options_init: the virtual clock and
                         NIDO_RUN_STRICT. With NIDO_RUN_SHUFFLE and seed 0 a seed is drawn */
    const char *name; /* what is swept, for the table; NULL: the place of fn */
    /* How long a run may wait, in real time and under a clock that is not real, for descriptors on
     * which nothing happens, before it is taken for stuck; ns, 0: 2 s. While jobs or child processes
     * are out it is ten times as long, whatever else the run waits for. */
    int64_t patience_ns;
    /* Called after each run with its result, to look at what fn left in its own variables (and to
     * put them back for the next). < 0: this run is broken. May be NULL. */
    int (*check)(void *ctx, int rc);
    void *ctx; /* for check */
    FILE *out; /* NULL: stderr */
} nido_test_options;

/* Fills with the defaults and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_test_options_init(nido_test_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
    nido_options_init(&options->run);
    options->run.clock = NIDO_CLOCK_VIRTUAL;
    options->run.flags = NIDO_RUN_STRICT;
}
/* The same as an initialiser: &NIDO_TEST_OPTIONS(.field = value). In C. */
#define NIDO_TEST_OPTIONS(...)                                       \
    NIDOI_SIZED(nido_test_options, .run.size = sizeof(nido_options), \
                .run.clock = NIDO_CLOCK_VIRTUAL, .run.flags = NIDO_RUN_STRICT, __VA_ARGS__)

/* nido_run under the virtual clock, so that hours take no time. The clock jumps to what is due next
 * when no task is ready, nothing is posted, and no job or child process is out; if a task waits for
 * a descriptor or a handle is held, also 2 ms of real time must pass in which nothing happens, and
 * no TCP connection between two descriptors of this runtime may have bytes on their way to an end
 * that a task waits to read from. So time is exact for peers in the same run; other peers must
 * answer within that time. If NIDO_TEST_SEED is set in the environment, the ready tasks are
 * shuffled by that seed, and a run that fails prints it. Not a cancellation point; blocks the
 * thread. fn's result; errors as nido_run (-EINVAL, -EBUSY, -ENOMEM, -EDEADLK, ...). */
NIDO_API int nido_test_run(nido_fn *fn, void *arg);

/* nido_run, then looks at what it has left behind: memory of the library, descriptors, locks held
 * by tasks that ended, timers, complaints of the runtime. `options` NULL: defaults. A shuffled run
 * that fails prints its seed; NIDO_TEST_SEED in the environment takes precedence over the options.
 * Not a cancellation point; blocks the thread. As nido_run; -ENOTEMPTY: something is left, or
 * `check` failed; `out` has what. -EINVAL: a bad option. */
NIDO_API int nido_test_run_with(nido_fn *fn, void *arg, const nido_test_options *options);

/* Parks the caller until every other task is parked, nothing is due and nothing has arrived; the
 * clock stands still meanwhile, if it is virtual. Several callers go on one at a time. Only under
 * nido_run: in a runtime driven by nido_rt_step it never returns. Cancellation point. 0;
 * -ECANCELED. */
NIDO_API int nido_test_wait_all_parked(void);

/* Moves the virtual or manual clock on by `ns` nanoseconds: to each instant on the way at which
 * something is due, in order, waiting there and at the end until every other task is parked.
 * Cancellation point. 0; -ECANCELED: the clock has stopped on the way; -EINVAL: ns < 0, or the
 * clock is real. */
NIDO_API int nido_test_advance(int64_t ns);

/* Tasks alive in this thread's run, the caller too; 0 without a run. Cannot fail. Not a
 * cancellation point. */
NIDO_API size_t nido_test_tasks(void);

/* Open descriptors of the process, to compare before and after. Cannot fail; 0 if the system does
 * not tell. Not a cancellation point. */
NIDO_API size_t nido_test_descriptors(void);

/* ---- Cancellation points ---- */

/* True if `expr`, a call with an integer result, is a cancellation point: in a scope that is
 * cancelled already, it is entered and gives -ECANCELED. Else false, and a line on stderr. To be
 * used in a task, in a scope that is not cancelled; expr is evaluated once. */
#define NIDO_TEST_IS_POINT(expr)                                                            \
    nido_test_point_end((nido_test_point_begin(), (intptr_t)(expr)), true, #expr, __FILE__, \
                        __LINE__)

/* True if `expr` passes no cancellation point in a scope that is cancelled already. Its value does
 * not matter. */
#define NIDO_TEST_IS_NO_POINT(expr)                                                          \
    nido_test_point_end((nido_test_point_begin(), (intptr_t)(expr)), false, #expr, __FILE__, \
                        __LINE__)

/* For the two macros. Aborts without memory. Not a cancellation point. */
NIDO_API void nido_test_point_begin(void);
/* For the two macros. Cannot fail. Not a cancellation point. */
NIDO_API bool nido_test_point_end(intptr_t result, bool expected, const char *expr,
                                  const char *file, int line);

/* ---- Failing and short calls ---- */

/* Makes the nth call (1 is the next) of a kind fail, or fall short, once. `call` is "memory" (any
 * allocation of the library) or the name of a system call as the library sees it: "read", "recv",
 * "send", "accept", "connect", "socket", "epoll_ctl" and so on (src/base/sys.h has the list).
 * result < 0: the call is not made and returns this negated errno (memory: NULL for any value; a
 * close is made nevertheless). result > 0: a call that moves bytes of a stream moves at most so
 * many. There is one order for each kind; a new one replaces it, nido_test_forget removes it. Not a
 * cancellation point. 0; -EINVAL: no such call, or a result that it cannot have. */
NIDO_API int nido_test_disturb(const char *call, unsigned nth, int result);

/* The number of calls of a kind that this thread has made since the first nido_test_disturb or
 * nido_test_count of the process or the last nido_test_forget. Not a cancellation point. -EINVAL:
 * no such call. */
NIDO_API int64_t nido_test_count(const char *call);

/* Removes all orders and sets the counts to zero. Cannot fail. Not a cancellation point. */
NIDO_API void nido_test_forget(void);

/* ---- Sweeps ----
 *
 * A sweep runs fn(arg) again and again, each time in a new runtime and with one failure or cancel
 * at another place, until each place has had its turn. After each run nothing may be left behind
 * (as by nido_test_run_with), the runtime may not have complained of a deadlock or of an ignored
 * cancel, and a cancel may not have become -EPROTO. A table shows the result of each run; the first
 * broken run is described with the place of the call.
 *
 * fn must do the same in each run; a run that differs before the place is reached counts as broken
 * (see NIDO_TEST_LOOSE). Its peers must be in the same process: then everything is exact under the
 * virtual clock. A run that cannot be stopped (it makes a million calls after the cancel) ends the
 * process, after the place is printed.
 *
 * All return the number of broken runs, 0 if none; undisturbed runs count too. -EINVAL: fn is NULL
 * or a bad option. Not cancellation points; they block the thread, and must not be called inside a
 * run (-EBUSY). */

/* A cancel at each cancellation point of every task: on entry, so that the call is refused; when it
 * has just parked; when it is parked and no other task is ready either; and when it has been woken
 * but has not run again. The run's root scope is cancelled, with -EINTR, or with
 * NIDO_TEST_INNERMOST the innermost scope of the task that is there. Waits that a cancel does not
 * end, as that of a group's close, get one too. -EINVAL, -EBUSY. Not a cancellation point. */
NIDO_API int nido_sweep(nido_fn *fn, void *arg, const nido_test_options *options);

/* Each allocation of the library fails once. -EINVAL, -EBUSY. Not a cancellation point. */
NIDO_API int nido_sweep_memory(nido_fn *fn, void *arg, const nido_test_options *options);

/* Each system call that the library makes, and that may fail, fails once, with an errno that the
 * system could give; each that moves bytes of a stream moves only one. -EINVAL, -EBUSY. Not a
 * cancellation point. */
NIDO_API int nido_sweep_calls(nido_fn *fn, void *arg, const nido_test_options *options);

/* All three with default options, under the name of fn as it is written. -EINVAL, -EBUSY. Not a
 * cancellation point. */
NIDO_API int nido_sweep_all(const char *name, nido_fn *fn, void *arg);
#define NIDO_SWEEP(fn, arg) nido_sweep_all(#fn, fn, arg)

#ifdef __cplusplus
}
#endif

#endif

/* nido/test.h: for the tests of programs that use nido. A library of its own, nido::test; nido.h
 * does not include it. docs/testing.md shows how it is used.
 *
 * It works in any test framework, or none: nothing here asserts, everything returns. What it finds
 * it says on `out`, by default stderr.
 *
 * Sweeps and orders about system calls see the library's own calls and allocations, those of the
 * thread that gave the order; one thread of a process may do so at a time. */
#ifndef NIDO_TEST_KIT_H
#define NIDO_TEST_KIT_H

#include <stdio.h>

#include "nido/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Runs ---- */

enum nido_test_flags {
    NIDO_TEST_INNERMOST = 1, /* nido_sweep cancels the innermost scope of the task that it strikes,
                                not the whole run */
    NIDO_TEST_BRIEF = 2,     /* a table is printed only if something broke */
    NIDO_TEST_LOOSE = 4      /* runs of a sweep may differ by chance, for there are other threads or
                                processes: who does not find his place is given ten runs, and then left
                                out */
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

/* nido_run under the virtual clock, so that hours take no time. The clock jumps to what is due next
 * when no task is ready, nothing is posted, and no job or child process is out; if a task waits for
 * a descriptor or a handle is held, also 2 ms of real time must pass in which nothing happens, and no
 * TCP connection between two descriptors of this runtime may have bytes on their way to an end that
 * a task waits to read from. So peers in the same run are exact; others should be quick. If NIDO_TEST_SEED is set in the
 * environment the ready tasks are shuffled by that seed, and a run that fails says so. Not a
 * cancellation point; blocks the thread. fn's result; errors as nido_run (-EINVAL,
 * -EBUSY, -ENOMEM, -EDEADLK, ...). */
NIDO_API int nido_test_run(nido_fn *fn, void *arg);

/* nido_run, then looks at what it has left behind: memory of the library, descriptors, locks held
 * by tasks that ended, timers, complaints of the runtime. `options` NULL: defaults. A run that was
 * shuffled and fails says by which seed; NIDO_TEST_SEED in the environment wins over the options.
 * Not a cancellation point; blocks the thread. As nido_run; -ENOTEMPTY: something is left, or
 * `check` said so; what, is on `out`. -EINVAL: a bad option. */
NIDO_API int nido_test_run_with(nido_fn *fn, void *arg, const nido_test_options *options);

/* Parks the caller until every other task is parked, nothing is due and nothing has arrived; the
 * clock stands still meanwhile, if it is virtual. Of several callers one goes on at a time.
 * Under nido_run only: in a runtime driven by nido_rt_step it does not end. Cancellation point. 0; -ECANCELED. */
NIDO_API int nido_test_wait_all_parked(void);

/* Moves the virtual or manual clock on by `ns` nanoseconds: to each instant on the way at which
 * something is due, in order, waiting there and at the end until every other task is parked.
 * Cancellation point. 0; -ECANCELED: it has stopped on the way; -EINVAL: ns < 0, or the clock is
 * real. */
NIDO_API int nido_test_advance(int64_t ns);

/* Tasks alive in this thread's run, the caller too; 0 without a run. Cannot fail. Not a
 * cancellation point. */
NIDO_API size_t nido_test_tasks(void);

/* Open descriptors of the process, to compare before and after. Cannot fail; 0 if the system does
 * not tell. Not a cancellation point. */
NIDO_API size_t nido_test_descriptors(void);

/* ---- Cancellation points ---- */

/* True if `expr`, a call with an integer result, is a cancellation point: in a scope that is
 * cancelled already it is entered and gives -ECANCELED. False, and a line on stderr, if not. In a
 * task, in a scope that is not cancelled; expr is evaluated once. */
#define NIDO_TEST_IS_POINT(expr)                                                            \
    nido_test_point_end((nido_test_point_begin(), (intptr_t)(expr)), true, #expr, __FILE__, \
                        __LINE__)

/* True if `expr` goes through without passing a cancellation point, in a scope that is cancelled
 * already. What it gives does not matter. */
#define NIDO_TEST_IS_NO_POINT(expr)                                                          \
    nido_test_point_end((nido_test_point_begin(), (intptr_t)(expr)), false, #expr, __FILE__, \
                        __LINE__)

/* For the two macros. Aborts without memory. Not a cancellation point. */
NIDO_API void nido_test_point_begin(void);
/* For the two macros. Cannot fail. Not a cancellation point. */
NIDO_API bool nido_test_point_end(intptr_t result, bool expected, const char *expr,
                                  const char *file, int line);

/* ---- Failing and short calls ---- */

/* The nth call (1 is the next) of a kind goes wrong, once. `call` is "memory" (any allocation of
 * the library) or the name of a system call as the library sees it: "read", "recv", "send",
 * "accept", "connect", "socket", "epoll_ctl" and so on (src/base/sys.h has the list). result < 0:
 * the call is not made and answers this negated errno (memory: whatever it is, NULL; a close is
 * made all the same). result > 0: one that moves bytes of a stream moves at most so many. One order
 * a kind; a new one replaces it, nido_test_forget ends it. Not a cancellation point. 0; -EINVAL: no
 * such call, or nothing that this call could do. */
NIDO_API int nido_test_disturb(const char *call, unsigned nth, int result);

/* How many calls of a kind this thread has made since the first nido_test_disturb or
 * nido_test_count of the process or the last nido_test_forget. Not a cancellation point. -EINVAL:
 * no such call. */
NIDO_API int64_t nido_test_count(const char *call);

/* All orders are void and counts zero: calls go their ordinary way. Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_test_forget(void);

/* ---- Sweeps ----
 *
 * A sweep runs fn(arg) again and again, each time in a fresh runtime with one thing going wrong at
 * another place, until each place has had its turn. After each run nothing may be left behind
 * (nido_test_run_with says what is looked at), the runtime may not have complained of a deadlock or
 * of an ignored cancel, and a cancel may not have become -EPROTO. A table shows what came of each
 * run; the first that broke is described with the place of the call.
 *
 * fn must do the same each time that it is run; a run that goes another way before its turn comes
 * is counted as broken (see NIDO_TEST_LOOSE). It needs its peers in the same process: then all is exact under the virtual
 * clock. A run that cannot be stopped (it goes on calling after the cancel, a million times) ends
 * the process, after naming the place.
 *
 * All return how many runs broke, 0 if none; the undisturbed ones count. -EINVAL: fn is NULL or a
 * bad option. Not cancellation points; they block the thread, and must not be called inside a
 * run (-EBUSY). */

/* A cancel at each cancellation point of every task: on entry, so that the call is refused; when it
 * has just parked; when it is parked and no other task is ready either; and when it has been woken
 * but has not run again. The run's root scope is
 * cancelled, with -EINTR, or with NIDO_TEST_INNERMOST the innermost scope of the task that is
 * there. Waits that no cancel ends are struck too. -EINVAL, -EBUSY. Not a cancellation point. */
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

/* SPDX-License-Identifier: MIT */
/* nido/run.h: the runtime: its first task, its options, its calls for other threads. */
#ifndef NIDO_RUN_H
#define NIDO_RUN_H

#include <string.h>

#include "nido/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum nido_clock {
    NIDO_CLOCK_REAL = 0, /* CLOCK_MONOTONIC */
    NIDO_CLOCK_VIRTUAL =
        1, /* for tests: starts at 1 s, jumps to the next deadline when nothing else can happen */
    NIDO_CLOCK_MANUAL = 2 /* for tests: as the virtual one, but only nido_test_advance moves it */
};

enum nido_run_flags {
    NIDO_RUN_STRICT = 1,  /* the expensive internal checks, also turned on by NIDO_DEBUG=strict in
                            the environment */
    NIDO_RUN_SHUFFLE = 2, /* for tests: the tasks that are ready run in an order drawn from `seed`,
                             not first come, first served; the same seed, the same order */
    NIDO_RUN_DUMP = 4, /* SIGQUIT prints the tree of tasks on stderr (nido/debug.h), also turned on
                             by NIDO_DEBUG=dump; not where the program handles or ignores SIGQUIT */
    NIDO_RUN_OVERFLOW = 8, /* a task that uses up its stack is named before the program ends
                             (nido/debug.h), also turned on by NIDO_DEBUG=overflow; not where the
                             program handles SIGSEGV */
    NIDO_RUN_TRACE = 16, /* the run is recorded from its beginning (nido/trace.h), also turned on by
                            NIDO_DEBUG=trace */
    NIDO_RUN_MEASURE = 32, /* the run is measured (nido/stats.h), also turned on by
                              NIDO_DEBUG=measure */
    NIDO_RUN_CPU_TIME = 64 /* the processor time of each task too, for a system call at each switch;
                              also turned on by NIDO_DEBUG=cpu; includes NIDO_RUN_MEASURE */
};

/* Zero is the default of every field except size. */
typedef struct nido_options {
    size_t size;        /* sizeof(nido_options); nido_options_init sets it */
    size_t stack_size;  /* bytes that a task may use, at most 1 GiB; 0: 192 KiB. Below lies a guard
                          of 64 KiB, and both together are rounded up to a power of two */
    uint32_t max_tasks; /* most tasks alive at once; 0: 16 Mi */
    uint32_t flags;     /* enum nido_run_flags */
    enum nido_clock clock;
    bool signals;     /* the first SIGINT or SIGTERM cancels the root with -EINTR and "signal N", if
                           it was not ignored and the program has no receiver for it (nido/signal.h);
                           the next one does what it does by default */
    int64_t grace_ns; /* how long shields may delay a cancelled tree in all; 0: NIDO_NEVER */
    int64_t spin_ns;  /* how long an idle loop, and an idle worker, polls before it sleeps;
                         0: not at all */
    int64_t
        timer_slack_ns; /* how much later than asked a real sleep or deadline may end, so that one
                           wake-up serves many: an idle loop wakes for them at multiples of this
                           alone; 0: each at its own time */
    uint32_t pool_threads; /* most workers for nido_offload (nido/offload.h); 0: 64 */
    int64_t
        pool_grace_ns; /* how long the end of the run waits for jobs that were abandoned; 0: 1 s */
    uint64_t seed; /* for the order in which nido_select tries its arms, and for NIDO_RUN_SHUFFLE:
                      same seed, same order */
    /* The root's failure, with or without a text; not what a signal, nido_rt_shutdown or a deadlock
     * made of it. NULL: printed on stderr. Must not park. */
    void (*on_error)(void *ctx, const nido_error *error);
    /* One complaint of the runtime, one text of whole lines (a deadlock, an ignored cancellation,
     * EMFILE at accept); NULL: stderr. Must not park. */
    void (*on_report)(void *ctx, const char *text);
    void *ctx;        /* for the callbacks */
    int64_t stall_ns; /* a task that holds the loop for longer is reported (nido/debug.h), under the
                         real clock; NIDO_NEVER: none is; 0: none, or 100 ms under NIDO_DEBUG=stall
                         in the environment */
    int64_t late_ns;  /* a task that goes on for longer after its cancel is reported, under the real
                         clock; NIDO_NEVER: none is; 0: none, or 5 s under NIDO_DEBUG=cancel in the
                         environment */
    int64_t
        deadlock_ns; /* a run that waits without a timer is taken for deadlocked when no task has run
                            for so long and only these could still wake one: other threads (by a
                            handle, a waker, nido/cross.h), and descriptors whose two ends are
                            registered in it; virtual time counts, manual does not. NIDO_NEVER: it
                            is not; 0: it is not, or after 10 s under NIDO_DEBUG=deadlock in the
                            environment */
} nido_options;

/* Fills with zeros and sets `size`. Cannot fail. Not a cancellation point. */
static inline void nido_options_init(nido_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}
/* The same as an initialiser: &NIDO_OPTIONS(.field = value). In C. */
#define NIDO_OPTIONS(...) NIDOI_SIZED(nido_options, __VA_ARGS__)

/* Runs fn(arg) as the root task on this thread, with everything it spawns, and returns its result
 * when all tasks have ended; `options` NULL: defaults. Not a cancellation point; blocks the thread
 * (a pthread_cancel of it takes effect afterwards). The root's result (a cancel of the root by
 * nido_rt_shutdown gives its code); -EDEADLK: nothing could ever have woken any task, and the root
 * did not fail otherwise; -ENOMEM, -EMFILE, -EAGAIN ...: the run could not start; -EBUSY: this
 * thread has a run already; -EINVAL: fn is NULL or a bad option. */
NIDO_API int nido_run(nido_fn *fn, void *arg, const nido_options *options);

/* The exit status that main should return for a result: 0 for rc >= 0; 128 + N if it is the -EINTR
 * of this thread's last run, which signal N ended; else 1. Cannot fail. Not a cancellation point.
 */
NIDO_API int nido_exit_status(int rc);

/* ---- Inside another loop ----
 *
 *     nido_rt_new(NULL, &rt);
 *     nido_rt_start(rt, app, NULL);
 *     the other loop: whenever nido_rt_fd(rt) is readable or nido_rt_timeout(rt) has passed:
 *         if (nido_rt_step(rt) == 0) ... it is over: nido_rt_result(rt, &rc), nido_rt_free(rt)
 *
 * These calls are for the thread that made the runtime. The other loop's callbacks on that thread
 * may also make every call that a posted function may (nido_post). Deadlocks are not detected: the
 * other loop may still have something that wakes a task. */

/* Makes a runtime that the caller drives by nido_rt_step; options as for nido_run. Not a
 * cancellation point. 0, and *out is to be freed by nido_rt_free; -EBUSY: this thread has a
 * runtime; -EINVAL: a bad option, or the virtual clock; -ENOMEM, -EMFILE ...: it could not be made.
 */
NIDO_API int nido_rt_new(const nido_options *options, nido_rt **out);

/* Makes fn(arg) its root task; it runs in the steps. Not a cancellation point. 0; -EALREADY: it has
 * one; -EINVAL, -ENOMEM, -EAGAIN: as nido_run; -EPERM: not the thread that made it; -EBUSY: called
 * from inside it. */
NIDO_API int nido_rt_start(nido_rt *rt, nido_fn *fn, void *arg);

/* A descriptor that is readable when a step has something to do. It belongs to the runtime. Not a
 * cancellation point. The descriptor; -EPERM, -EBUSY as nido_rt_start. */
NIDO_API int nido_rt_fd(const nido_rt *rt);

/* For how many nanoseconds from now no step is needed, unless the descriptor becomes readable: 0 if
 * one is needed now, NIDO_NEVER if only the descriptor tells. Ask again after each step, and after
 * other code has called nido. Not a cancellation point. Errors as nido_rt_fd (-EPERM, -EBUSY). */
NIDO_API int64_t nido_rt_timeout(const nido_rt *rt);

/* Runs what is ready, without waiting, for about 200 us at most. Not a cancellation point. 1: there
 * are still tasks; 0: all have ended; -EPERM, -EBUSY as nido_rt_start. */
NIDO_API int nido_rt_step(nido_rt *rt);

/* The root's result, when all tasks have ended. Not a cancellation point. 0 and *out; -EBUSY: there
 * are still tasks; -EPERM. */
NIDO_API int nido_rt_result(const nido_rt *rt, int *out);

/* Frees a runtime in which no task lives. Not a cancellation point. 0; -EBUSY: tasks live;
 * nido_rt_shutdown and further steps end them; -EPERM. */
NIDO_API int nido_rt_free(nido_rt *rt);

/* ---- For other threads ---- */

/* A handle on the runtime of this thread, for other threads: one reference, which the caller
 * releases. NULL outside a run or without memory. While a handle is held, no deadlock is reported
 * (but see nido_options.deadlock_ns).
 * A handle may outlive the run: calls with it then return -ESHUTDOWN. Not a cancellation point. */
NIDO_API nido_rt *nido_rt_self(void);
/* Adds a reference. Any thread. Cannot fail. Not a cancellation point. */
NIDO_API void nido_rt_retain(nido_rt *rt);
/* Drops a reference; NULL is fine. Any thread. Cannot fail. Not a cancellation point. */
NIDO_API void nido_rt_release(nido_rt *rt);

/* ---- Forking ----
 *
 * After fork() in a process with runtimes, those of the parent go on undisturbed. In the child they
 * are dead: every call of nido returns -EPERM there, except that objects which no task holds or
 * waits for work as plain memory, and nido_close closes. Plain C, _exit and exec work. A function
 * that nido has called must not return. Signals that nido received have their former disposition
 * again. (To start a program, nido/proc.h needs none of this.) */

/* In a forked child: forgets the runtime that the forking thread had; nido_run then works here. Not
 * a cancellation point. 0; -EINVAL: there is no such runtime. */
NIDO_API int nido_after_fork_reset(void);

/* Cancels the root scope with -EINTR and `reason` (a string that stays valid). Any thread. Not a
 * cancellation point. 0, -ENOMEM, -ESHUTDOWN: the run is over, freed or not; -EPERM: the runtime is
 * the parent's, and this is a forked child. */
NIDO_API int nido_rt_shutdown(nido_rt *rt, const char *reason);

/* Makes the loop call fn(arg) between two batches of tasks; posts are called in their order. fn may
 * spawn, cancel and release, and must not park; its result is ignored. Any thread. Not a
 * cancellation point. 0: fn will be called, exactly once, even if the run ends meanwhile; -ENOMEM;
 * -EINVAL: fn is NULL; -ESHUTDOWN; -EPERM: the runtime is the parent's, and this is a forked child.
 */
NIDO_API int nido_post(nido_rt *rt, nido_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif

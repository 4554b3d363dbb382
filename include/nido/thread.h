/* SPDX-License-Identifier: MIT */
/* nido/thread.h: between threads: waking a task, running something in another thread's runtime, one
 * runtime on each of several threads. (Channels, events and permits for any thread: nido/cross.h.)
 */
#ifndef NIDO_THREAD_H
#define NIDO_THREAD_H

#include "nido/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Wakers ---- */

struct nido_arm;

/* Wakes a task of one runtime from any thread. A wake is remembered until a wait takes it; several
 * that have not been taken count as one. While a waker exists, no deadlock is reported (but see
 * nido_options.deadlock_ns). */
typedef struct nido_waker nido_waker;

/* Makes a waker for this thread's runtime, with one reference for the caller. Not a cancellation
 * point. 0; -ENOMEM; -EPERM: no runtime. */
NIDO_API int nido_waker_new(nido_waker **out);
/* Adds a reference. Any thread. Cannot fail. Not a cancellation point. */
NIDO_API void nido_waker_retain(nido_waker *waker);
/* Drops a reference; NULL is fine. Any thread. Cannot fail. Not a cancellation point. */
NIDO_API void nido_waker_release(nido_waker *waker);

/* Lets one wait pass. For any thread, and for signal handlers (with a reference that outlives the
 * handler). Not a cancellation point. 0; -ESHUTDOWN: its run is over; -EPERM: the waker is the
 * parent's, and this is a forked child. */
NIDO_API int nido_waker_wake(nido_waker *waker);

/* Waits for a wake and takes it; several tasks are served in the order in which they came.
 * Cancellation point. 0; -ECANCELED: none was taken; -EXDEV: another runtime's. */
NIDO_API int nido_waker_wait(nido_waker *waker);

/* An arm of nido_select (nido/select.h): waits for a wake as nido_waker_wait does. With a call that
 * does not wait it waits for a cross-thread object too: the other thread wakes after its send, and
 * this task then calls nido_xchan_try_recv. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_waker(struct nido_arm *arm, nido_waker *waker);

/* ---- Running elsewhere ---- */

/* Runs fn(arg) as a task of the runtime `rt` (nido_rt_self, retained) and waits for its result. The
 * task is cancelled when that run is, and when the caller is. The call returns its real result in
 * any case, so `arg` may lie on the caller's stack. Any thread: a task waits, a thread without a
 * runtime blocks. Cancellation point until the other runtime has begun. fn's result; or an error,
 * and fn was not called: -ECANCELED; -ESHUTDOWN: that run is over or ending, also if its end
 * cancelled fn; -ENOMEM, -EAGAIN: it could not spawn; -EINVAL: fn or rt is NULL; -EPERM: the
 * runtime is the parent's, and this is a forked child. */
NIDO_API int nido_run_on(nido_rt *rt, nido_fn *fn, void *arg);

/* ---- Shards ---- */

/* What each of several runtimes runs; `shard` counts from 0. */
typedef int nido_shard_fn(unsigned shard, void *arg);

/* Runs `n` runtimes (0: one for each processor) on n threads, this one among them (shard 0), with
 * fn(shard, arg) as the root of each, and returns when all have ended. The first that fails cancels
 * the roots of all others with -EINTR and "another shard failed". Options as for nido_run, one set
 * for all; callbacks run on the threads of their runtimes. Blocks the thread; not a cancellation
 * point. The first failure's code; else the result of shard 0; -EAGAIN: a thread could not be
 * started; -ENOMEM; -EBUSY: this thread has a runtime; -EINVAL: fn is NULL, n is above 1024, or a
 * bad option. */
NIDO_API int nido_shards(unsigned n, nido_shard_fn *fn, void *arg, const nido_options *options);

/* The runtime of another shard, for nido_run_on, nido_post and nido_rt_shutdown; the caller
 * releases it. NULL: it has not begun or is over, there is no such shard, or the caller is not in a
 * shard. Not a cancellation point. */
NIDO_API nido_rt *nido_shard_rt(unsigned shard);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* coro/run/silence.h: a run in which no task has run for long, though other threads or descriptors could still wake
 * one: if nido_options.deadlock_ns asks for it, that is taken for a deadlock.
 *
 * 1. Silence is measured by the run's clock from the last time a task ran, and looked at only while the loop is idle
 * and no timer is set.
 * 2. What is bound to end is waited for as long as it takes: jobs, children, calls on other runtimes; and signals, and
 * descriptors whose other end is not known to be this run's.
 * 3. It is told once in a run. */
#ifndef NIDOI_SILENCE_H
#define NIDOI_SILENCE_H

#include "coro/runtime/loop.h"

/* For a run of its own loop: inside another one the loop is never idle. */
void nidoi_silence_begin(struct nidoi_loop *loop);

/* No task is ready and no timer is set: when the silence will have lasted too long, at the earliest; NIDO_NEVER. */
int64_t nidoi_silence_ends(struct nidoi_loop *loop);

/* That time has come: reports a deadlock and cancels the run, or begins anew. Does nothing if something has come in
 * the last moment. */
void nidoi_silence_over(struct nidoi_loop *loop);

#endif

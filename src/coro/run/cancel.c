/* SPDX-License-Identifier: MIT */
#include "coro/run/cancel.h"

#include <errno.h>
#include <signal.h>

#include "base/sys.h"
#include "coro/run/signals.h"
#include "coro/scope/scope.h"
#include "nido/run.h"

#define DIGITS(x) #x
#define TEXT(x)   DIGITS(x)

void nidoi_run_cancel(struct nidoi_loop *loop, enum nido_cause_kind kind, int code,
                      const char *reason)
{
    if (loop->calls) nidoi_scope_cancel(loop, loop->calls, kind, code, reason);
    if (loop->root) nidoi_scope_cancel(loop, &loop->root->base, kind, code, reason);
}

/* ---- By SIGINT and SIGTERM ---- */

/* The signal that ended this thread's last run, or 0. */
static _Thread_local int ended_by;

int nido_exit_status(int rc)
{
    return rc == -EINTR && ended_by ? 128 + ended_by : rc < 0;
}

static void cancel_by_signal(struct nidoi_receiver *receiver, int number)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    const char *reason = number == SIGINT ? "signal " TEXT(SIGINT) : "signal " TEXT(SIGTERM);

    (void)receiver;
    if (!loop->root) return;
    ended_by = number;
    nidoi_run_cancel(loop, NIDO_CAUSE_SIGNAL, -EINTR, reason);
}

/* A program that was started with a signal ignored (in the background, by nohup) leaves it so. If
 * the system does not say, the receiver's own call will fail and tell why. */
static uint64_t unless_ignored(int number)
{
    struct sigaction now;
    int err = nidoi_sys.sigaction(number, NULL, &now);

    return !err && now.sa_handler == SIG_IGN ? 0 : nidoi_signal_bit(number);
}

int nidoi_cancel_on_signals(struct nidoi_loop *loop, struct nidoi_receiver *receiver)
{
    ended_by = 0;
    if (!loop->options.signals) return 0;
    receiver->arrived = cancel_by_signal;
    receiver->set = unless_ignored(SIGINT) | unless_ignored(SIGTERM);
    return nidoi_receiver_open(loop, receiver);
}

/* ---- By any thread ---- */

static int cancel_own_run(void *reason)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    nidoi_run_cancel(loop, NIDO_CAUSE_SHUTDOWN, -EINTR, reason);
    return 0;
}

int nido_rt_shutdown(nido_rt *rt, const char *reason)
{
    return nido_post(rt, cancel_own_run, (void *)reason);
}

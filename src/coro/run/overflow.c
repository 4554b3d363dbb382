/* SPDX-License-Identifier: MIT */
#include "coro/run/overflow.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/debug_words.h"
#include "base/sys.h"
#include "coro/run/fork.h"
#include "coro/run/run.h"
#include "debug/overflow.h"
#include "nido/debug.h"

static const int numbers[] = {SIGSEGV, SIGBUS};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

/* Process-wide, for the runs that ask for it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static bool handled[NUMBERS]; /* we have put our handler there */

/* ---- In a signal handler ---- */

int nido_report_overflow(const void *address, const void *context)
{
    const struct nidoi_task *task = nidoi_overflow_of(address);
    const struct nidoi_run *run;
    void **frames = NULL;
    bool cut = false;
    int n;

    if (!task) return 0;
    run = (const struct nidoi_run *)nidoi_loop_of(task->sched);
    n = nidoi_aside_frames(&run->aside, context, &frames, &cut);
    nidoi_overflow_tell(task, address, frames, n, cut);
    return 1;
}

/* The fault happens again when this returns, and then ends the program; a signal that another process
 * has sent, or raise, does not. A handler of the program that calls its predecessor calls us: the default
 * action is what it has found and wants. */
static void handler(int number, siginfo_t *info, void *context)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};
    int err = errno;

    if (info->si_code > 0) nido_report_overflow(info->si_addr, context);
    nidoi_sys.sigaction(number, &none, NULL);
    if (info->si_code <= 0) raise(number);
    errno = err;
}

/* ---- Dispositions ---- */

static bool is_default(int number)
{
    struct sigaction now;

    return !nidoi_sys.sigaction(number, NULL, &now) && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == SIG_DFL;
}

static bool is_ours(int number)
{
    struct sigaction now;

    return !nidoi_sys.sigaction(number, NULL, &now) && now.sa_flags & SA_SIGINFO &&
           now.sa_sigaction == handler;
}

/* The lock is held, if there are threads. */
static void signals_give_back(void)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};

    for (int i = 0; i < NUMBERS; i++) {
        if (handled[i] && is_ours(numbers[i])) nidoi_sys.sigaction(numbers[i], &none, NULL);
        handled[i] = false;
    }
}

static void signals_take(void)
{
    const struct sigaction ours = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    for (int i = 0; i < NUMBERS; i++)
        handled[i] = is_default(numbers[i]) && !nidoi_sys.sigaction(numbers[i], &ours, NULL);
}

/* In a forked child no task runs on. */
static void overflow_forked(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    lock = fresh;
    if (users) signals_give_back();
    users = 0;
}

static struct nidoi_fork_handler at_fork = {.forked = overflow_forked};

static void users_count(int change)
{
    nidoi_fork_register(&at_fork);
    pthread_mutex_lock(&lock);
    if (change > 0 && !users) signals_take();
    users += (unsigned)change;
    if (!users) signals_give_back();
    pthread_mutex_unlock(&lock);
}

/* ---- A run ---- */

int nidoi_overflow_begin(struct nidoi_run *run)
{
    int err;

    if (!(run->loop.options.flags & NIDO_RUN_OVERFLOW) && !nidoi_debug_asks("overflow")) return 0;
    err = nidoi_aside_need(&run->aside);
    if (err) return err;
    users_count(1);
    run->overflow = true;
    return 0;
}

void nidoi_overflow_end(struct nidoi_run *run)
{
    if (run->overflow) users_count(-1);
    run->overflow = false;
}

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "coro/deadlock.h"
#include "coro/signals.h"
#include "coro/spawn.h"
#include "nido/run.h"

#define DIGITS(x) #x
#define TEXT(x)   DIGITS(x)

void nido_options_init(nido_options *options)
{
    *options = (nido_options){.size = sizeof *options};
}

/* The signal that ended this thread's last run, or 0. */
static _Thread_local int ended_by;

int nido_exit_status(int rc)
{
    return rc == -EINTR && ended_by ? 128 + ended_by : rc < 0;
}

/* ---- SIGINT and SIGTERM ---- */

static void strike_by_signal(struct nidoi_receiver *receiver, int number)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    const char *reason = number == SIGINT ? "signal " TEXT(SIGINT) : "signal " TEXT(SIGTERM);

    (void)receiver;
    if (!loop->live) return;
    if (!nidoi_scope_strike(loop, &loop->root->base, NIDO_CAUSE_SIGNAL, -EINTR, reason))
        ended_by = number;
}

/* A program that was started with a signal ignored (in the background, by nohup) leaves it so. */
static uint64_t unless_ignored(int number)
{
    struct sigaction now;
    int err = nidoi_sys.sigaction(number, NULL, &now);

    return err || now.sa_handler == SIG_IGN ? 0 : nidoi_signal_bit(number);
}

static int receive_signals(struct nidoi_loop *loop, struct nidoi_receiver *receiver)
{
    ended_by = 0;
    if (!loop->options.signals) return 0;
    receiver->root = true;
    receiver->arrived = strike_by_signal;
    receiver->set = unless_ignored(SIGINT) | unless_ignored(SIGTERM);
    return nidoi_receiver_open(loop, receiver);
}

static bool sound(const nido_options *options)
{
    return options->size == sizeof *options && nidoi_stacks_round(options->stack_size) &&
           !(options->flags & ~(uint32_t)NIDO_RUN_STRICT) &&
           (options->clock == NIDO_CLOCK_REAL || options->clock == NIDO_CLOCK_VIRTUAL) &&
           options->grace_ns >= 0 && options->spin_ns >= 0 && options->pool_grace_ns >= 0;
}

/* When a broken law ends the program, its tasks are worth a look. */
static void last_words(void)
{
    static char list[16384];
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return;
    nidoi_tasks_print(loop, list, sizeof list);
    fprintf(stderr, "nido: tasks of this thread:\n%s", list);
}

static void deliver_error(struct nidoi_loop *loop)
{
    nido_error *error = loop->root_error;

    if (!error) return;
    if (loop->options.on_error) {
        nidoi_no_parking_begin(&loop->sched);
        loop->options.on_error(loop->options.ctx, error);
        nidoi_no_parking_end(&loop->sched);
    } else {
        fputs("nido: the root task failed: ", stderr);
        nido_error_print(error, stderr);
    }
    nido_error_release(error);
}

/* An error only if the program would otherwise seem to have gone well. */
static int result(const struct nidoi_loop *loop)
{
    return loop->deadlocked && loop->root_rc >= 0 ? -EDEADLK : loop->root_rc;
}

static int run(nido_fn *fn, void *arg, const nido_options *options)
{
    struct nidoi_loop loop;
    struct nidoi_birth birth = {.fn = fn, .arg = arg};
    struct nidoi_receiver signals = {0};
    int err = nidoi_loop_init(&loop, options);

    if (err) return err;
    nidoi_last_words = last_words;
    nidoi_scope_init(&loop);
    err = receive_signals(&loop, &signals);
    if (!err) err = nidoi_spawn(&loop, &birth, &loop.root);
    if (!err) {
        nidoi_loop_run(&loop, nidoi_deadlock);
        deliver_error(&loop);
        err = result(&loop);
    }
    if (nidoi_linked(&signals.link)) nidoi_receiver_close(&loop, &signals, 0);
    nidoi_loop_deinit(&loop);
    return err;
}

int nido_run(nido_fn *fn, void *arg, const nido_options *options)
{
    nido_options defaults;

    nido_options_init(&defaults);
    if (!options) options = &defaults;
    if (!fn || !sound(options)) return -EINVAL;
    if (nidoi_loop_self()) return -EBUSY;
    return run(fn, arg, options);
}

/* ---- Shutdown from anywhere ---- */

static int strike_root(void *reason)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (loop->live)
        nidoi_scope_strike(loop, &loop->root->base, NIDO_CAUSE_SHUTDOWN, -EINTR, reason);
    return 0;
}

int nido_rt_shutdown(nido_rt *rt, const char *reason)
{
    return nido_post(rt, strike_root, (void *)reason);
}

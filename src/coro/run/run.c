#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/options.h"
#include "base/sys.h"
#include "coro/group/spawn.h"
#include "coro/run/deadlock.h"
#include "coro/run/fork.h"
#include "coro/run/remotes.h"
#include "coro/run/run_on.h"
#include "coro/run/signals.h"
#include "nido/run.h"

#define DIGITS(x) #x
#define TEXT(x)   DIGITS(x)

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
    if (!loop->root) return;
    ended_by = number;
    nidoi_run_cancel(loop, NIDO_CAUSE_SIGNAL, -EINTR, reason);
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
    receiver->arrived = strike_by_signal;
    receiver->set = unless_ignored(SIGINT) | unless_ignored(SIGTERM);
    return nidoi_receiver_open(loop, receiver);
}

static bool sound(const nido_options *options)
{
    return nidoi_stacks_round(options->stack_size) &&
           !(options->flags & ~(uint32_t)(NIDO_RUN_STRICT | NIDO_RUN_SHUFFLE)) &&
           (unsigned)options->clock <= NIDO_CLOCK_MANUAL && options->grace_ns >= 0 &&
           options->spin_ns >= 0 && options->timer_slack_ns >= 0 && options->pool_grace_ns >= 0;
}

static void print_line(void *ctx, const char *line)
{
    fputs(line, ctx);
}

/* When a broken law ends the program, its tasks are worth a look. */
static void last_words(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return;
    fputs("nido: tasks of this thread:\n", stderr);
    nidoi_tasks_each(loop, print_line, stderr);
}

static void print_to(FILE *file, const nido_error *error)
{
    fputs("nido: the root task failed: ", file);
    nido_error_print(error, file);
}

/* By way of the heap: stderr has no buffer, and glibc's printf then takes 8 KiB of the thread's
 * stack, which may be a small one. */
static void print_failure(const nido_error *error)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);

    if (memory) print_to(memory, error);
    flockfile(stderr);
    if (memory && !fclose(memory))
        fputs(text, stderr);
    else
        print_to(stderr, error);
    funlockfile(stderr);
    free(text);
}

static void deliver_error(struct nidoi_loop *loop)
{
    nido_error *error = loop->root_error;

    NIDOI_EXCEPTIONS_END();
    if (!error) return;
    loop->root_error = NULL;
    if (loop->options.on_error) {
        nidoi_no_parking_begin(&loop->sched);
        loop->options.on_error(loop->options.ctx, error);
        nidoi_no_parking_end(&loop->sched);
    } else {
        print_failure(error);
    }
    nido_error_release(error);
}

/* An error only if the program would otherwise seem to have gone well. */
static int result(const struct nidoi_loop *loop)
{
    return loop->deadlocked && loop->root_rc >= 0 ? -EDEADLK : loop->root_rc;
}

/* ---- A run, from its opening to its end ---- */

struct run {
    struct nidoi_loop loop; /* first: the door leads to both */
    bool started;
    struct nidoi_receiver signals;
};

/* No task lives any more: signals do again what they did before, and the door is shut. */
static void run_over(struct run *run)
{
    if (nidoi_linked(&run->signals.link)) nidoi_receiver_close(&run->loop, &run->signals, 0);
    nidoi_remotes_remove(run->loop.remote);
    nidoi_loop_shut(&run->loop);
}

static void run_close(struct run *run)
{
    run_over(run);
    nidoi_loop_deinit(&run->loop);
}

static int run_open(struct run *run, const nido_options *options)
{
    int err = nidoi_loop_init(&run->loop, options);

    if (err) return err;
    nidoi_fork_watch();
    nidoi_remotes_add(run->loop.remote);
    nidoi_crash_hook = last_words;
    nidoi_scope_init(&run->loop);
    run->signals = (struct nidoi_receiver){.root = true};
    err = receive_signals(&run->loop, &run->signals);
    if (err) run_close(run);
    return err;
}

/* Not on the thread's stack, which may be a small one. */
static int run_new(const nido_options *options, struct run **out)
{
    struct run *run = nidoi_mem_zeroed(sizeof *run);
    int err;

    if (!run) return -ENOMEM;
    err = run_open(run, options);
    if (err)
        nidoi_mem.release(run);
    else
        *out = run;
    return err;
}

static void run_free(struct run *run)
{
    run_close(run);
    nidoi_mem.release(run);
}

static int run_start(struct run *run, nido_fn *fn, void *arg, void *place)
{
    struct nidoi_spawn_request request = {.fn = fn, .arg = arg, .place = place};
    int err = nidoi_spawn(&run->loop, &request, &run->loop.root);

    run->started = !err;
    return err;
}

static int run_whole(nido_fn *fn, void *arg, const nido_options *options, void *place)
{
    struct nidoi_loop *loop;
    struct run *run;
    int err = run_new(options, &run);

    if (err) return err;
    loop = &run->loop;
    err = run_start(run, fn, arg, place);
    if (!err) {
        nidoi_loop_run(loop, nidoi_deadlock);
        run_over(run);
        if (loop->probe.watcher) loop->probe.watcher->over(loop->probe.ctx, &loop->sched);
        deliver_error(loop);
        err = result(loop);
    }
    run_free(run);
    return err;
}

static int startable(const nido_options *options)
{
    if (!options || !sound(options)) return -EINVAL;
    if (nidoi_fork_pending()) return -EPERM;
    return nidoi_loop_self() ? -EBUSY : 0;
}

int nido_run(nido_fn *fn, void *arg, const nido_options *options)
{
    nido_options room;
    int err, before;

    options = NIDOI_OPTIONS(options, &room);
    err = fn ? startable(options) : -EINVAL;
    if (err) return err;
    before = nidoi_sys_defer_cancel();
    err = run_whole(fn, arg, options, __builtin_return_address(0));
    nidoi_sys_allow_cancel(before);
    return err;
}

/* ---- Inside another loop ---- */

int nido_rt_new(const nido_options *options, nido_rt **out)
{
    nido_options room;
    struct run *run;
    int err;

    options = NIDOI_OPTIONS(options, &room);
    err = options && options->clock == NIDO_CLOCK_REAL ? startable(options) : -EINVAL;
    if (err) return err;
    err = run_new(options, &run);
    if (err) return err;
    *out = run->loop.remote;
    return 0;
}

/* The run of a runtime that another loop drives, on its own thread and outside its tasks. */
static int own_run(const nido_rt *rt, struct run **out)
{
    if (!rt || !rt->loop) return -EINVAL;
    if (nidoi_loop_self() != rt->loop) return -EPERM;
    *out = (struct run *)rt->loop;
    return nidoi_on_task(&rt->loop->sched) || rt->loop->sched.no_parking ? -EBUSY : 0;
}

int nido_rt_start(nido_rt *rt, nido_fn *fn, void *arg)
{
    struct run *run;
    int err = own_run(rt, &run);

    if (!err && !fn) err = -EINVAL;
    if (!err && run->started) err = -EALREADY;
    if (!err) err = run_start(run, fn, arg, __builtin_return_address(0));
    return err;
}

int nido_rt_fd(const nido_rt *rt)
{
    struct run *run;
    int err = own_run(rt, &run);

    return err ? err : run->loop.reactor.backend.fd;
}

int64_t nido_rt_timeout(const nido_rt *rt)
{
    struct run *run;
    int err = own_run(rt, &run);

    if (err) return err;
    nidoi_loop_rest(&run->loop);
    return nidoi_loop_timeout(&run->loop);
}

static void step(struct run *run)
{
    int before = nidoi_sys_defer_cancel();

    nidoi_loop_step(&run->loop);
    nidoi_sys_allow_cancel(before);
}

int nido_rt_step(nido_rt *rt)
{
    struct run *run;
    int err = own_run(rt, &run);

    if (err) return err;
    if (run->loop.live) step(run);
    if (run->loop.live) return 1;
    if (run->started) run_over(run);
    deliver_error(&run->loop);
    return 0;
}

int nido_rt_result(const nido_rt *rt, int *out)
{
    struct run *run;
    int err = own_run(rt, &run);

    if (err) return err;
    if (!run->started || run->loop.live) return -EBUSY;
    *out = result(&run->loop);
    return 0;
}

int nido_rt_free(nido_rt *rt)
{
    struct run *run;
    int err = own_run(rt, &run), before;

    if (err) return err;
    if (run->loop.live) return -EBUSY;
    before = nidoi_sys_defer_cancel();
    run_free(run);
    nidoi_sys_allow_cancel(before);
    return 0;
}

/* ---- Shutdown from anywhere ---- */

static int strike_root(void *reason)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    nidoi_run_cancel(loop, NIDO_CAUSE_SHUTDOWN, -EINTR, reason);
    return 0;
}

int nido_rt_shutdown(nido_rt *rt, const char *reason)
{
    return nido_post(rt, strike_root, (void *)reason);
}

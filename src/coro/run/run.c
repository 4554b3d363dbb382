/* SPDX-License-Identifier: MIT */
#include "coro/run/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/group/spawn.h"
#include "coro/run/cancel.h"
#include "coro/run/dump_signal.h"
#include "coro/run/fork.h"
#include "coro/run/histogram.h"
#include "coro/run/layout.h"
#include "coro/run/locks.h"
#include "coro/run/overflow.h"
#include "coro/run/remotes.h"
#include "coro/run/report.h"
#include "coro/run/silence.h"
#include "coro/run/stats.h"
#include "coro/run/turn.h"
#include "coro/scope/options.h"
#include "debug/trace_save.h"
#include "debug/users.h"

/* No code needs it: this has a static program contain it. */
__attribute__((used)) static const struct nidoi_layout *const layout = &nidoi_layout;

#define RUN_FLAGS                                                                              \
    (NIDO_RUN_STRICT | NIDO_RUN_SHUFFLE | NIDO_RUN_DUMP | NIDO_RUN_OVERFLOW | NIDO_RUN_TRACE | \
     NIDO_RUN_MEASURE | NIDO_RUN_CPU_TIME)

static bool options_valid(const nido_options *options)
{
    return nidoi_stacks_round(options->stack_size) && !(options->flags & ~(uint32_t)RUN_FLAGS) &&
           (unsigned)options->clock <= NIDO_CLOCK_MANUAL && options->grace_ns >= 0 &&
           options->spin_ns >= 0 && options->timer_slack_ns >= 0 && options->pool_grace_ns >= 0 &&
           options->stall_ns >= 0 && options->late_ns >= 0 && options->deadlock_ns >= 0;
}

static void error_print_to_file(FILE *file, const nido_error *error)
{
    fputs("nido: the root task failed: ", file);
    nido_error_print(error, file);
}

/* By way of the heap: stderr has no buffer, and glibc's printf then takes 8 KiB of the thread's
 * stack, which may be a small one. */
static void error_print_to_stderr(const nido_error *error)
{
    char *text = NULL; /* stays so if there is no memory, though fclose may say 0 */
    size_t size;
    FILE *memory = open_memstream(&text, &size);

    if (memory) error_print_to_file(memory, error);
    if (memory && fclose(memory)) text = NULL;
    flockfile(stderr);
    if (text)
        fputs(text, stderr);
    else
        error_print_to_file(stderr, error);
    funlockfile(stderr);
    free(text);
}

void nidoi_run_deliver_error(struct nidoi_loop *loop)
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
        error_print_to_stderr(error);
    }
    nido_error_release(error);
}

/* An error only if the program would otherwise seem to have gone well. */
int nidoi_run_result(const struct nidoi_loop *loop)
{
    return loop->deadlocked && loop->root_rc >= 0 ? -EDEADLK : loop->root_rc;
}

/* ---- A run, from its opening to its end ---- */

/* No task lives any more: signals do again what they did before, and posts are refused. */
void nidoi_run_over(struct nidoi_run *run)
{
    if (nidoi_linked(&run->signals.link)) nidoi_receiver_close(&run->loop, &run->signals, 0);
    if (nidoi_linked(&run->dump.link)) nidoi_receiver_close(&run->loop, &run->dump, 0);
    nidoi_stats_run_over(&run->loop);
    nidoi_histogram_run_over(&run->loop);
    nidoi_remotes_remove(run->loop.remote);
    nidoi_watchdog_end(run);
    nidoi_loop_shut(&run->loop);
}

static void run_close(struct nidoi_run *run)
{
    nidoi_run_over(run);
    nidoi_overflow_end(run);
    nidoi_aside_end(&run->aside);
    nidoi_users_close(&run->loop);
    nidoi_loop_deinit(&run->loop);
}

static int run_open(struct nidoi_run *run, const nido_options *options)
{
    int err = nidoi_loop_init(&run->loop, options);

    if (err) return err;
    nidoi_fork_watch();
    nidoi_remotes_add(run->loop.remote);
    nidoi_report_crashes();
    nidoi_report_unknown_word(&run->loop);
    nidoi_users_open(&run->loop);
    nidoi_silence_begin(&run->loop);
    run->signals = (struct nidoi_receiver){.root = true};
    err = nidoi_cancel_on_signals(&run->loop, &run->signals);
    if (!err) err = nidoi_dump_on_signal(&run->loop, &run->dump);
    if (!err) err = nidoi_overflow_begin(run);
    if (!err) err = nidoi_watchdog_begin(run);
    if (!err) nidoi_locks_watch(&run->loop);
    if (!err) err = nidoi_trace_if_asked(&run->loop);
    if (err) run_close(run);
    return err;
}

/* Not on the thread's stack, which may be a small one. */
int nidoi_run_new(const nido_options *options, struct nidoi_run **out)
{
    struct nidoi_run *run = nidoi_mem_zeroed(sizeof *run);
    int err;

    if (!run) return -ENOMEM;
    err = run_open(run, options);
    if (err)
        nidoi_mem.release(run);
    else
        *out = run;
    return err;
}

void nidoi_run_free(struct nidoi_run *run)
{
    run_close(run);
    nidoi_mem.release(run);
}

int nidoi_run_start(struct nidoi_run *run, nido_fn *fn, void *arg, void *place)
{
    struct nidoi_spawn_request request = {.fn = fn, .arg = arg, .place = place};
    int err = nidoi_spawn(&run->loop, &request, &run->loop.root);

    run->started = !err;
    return err;
}

static int run_whole(nido_fn *fn, void *arg, const nido_options *options, void *place)
{
    struct nidoi_loop *loop;
    struct nidoi_run *run;
    int err = nidoi_run_new(options, &run);

    if (err) return err;
    loop = &run->loop;
    err = nidoi_run_start(run, fn, arg, place);
    if (!err) {
        nidoi_turns_run(loop);
        nidoi_run_over(run);
        if (loop->probe.watcher) loop->probe.watcher->over(loop->probe.ctx, &loop->sched);
        nidoi_run_deliver_error(loop);
        err = nidoi_run_result(loop);
    }
    nidoi_run_free(run);
    return err;
}

int nidoi_run_startable(const nido_options *options)
{
    if (!options || !options_valid(options)) return -EINVAL;
    if (nidoi_fork_pending()) return -EPERM;
    return nidoi_loop_self() ? -EBUSY : 0;
}

int nido_run(nido_fn *fn, void *arg, const nido_options *options)
{
    nido_options room;
    int err, before;

    options = NIDOI_OPTIONS(nido_options, options, &room);
    err = fn ? nidoi_run_startable(options) : -EINVAL;
    if (err) return err;
    before = nidoi_sys_defer_cancel();
    err = run_whole(fn, arg, options, __builtin_return_address(0));
    nidoi_sys_allow_cancel(before);
    return err;
}

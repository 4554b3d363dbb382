#include <stdio.h>
#include <string.h>

#include "coro/deadlock.h"
#include "coro/spawn.h"
#include "nido/run.h"

void nido_options_init(nido_options *options)
{
    *options = (nido_options){.size = sizeof *options};
}

int nido_exit_status(int rc)
{
    return rc < 0;
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
    int err = nidoi_loop_init(&loop, options);

    if (err) return err;
    nidoi_last_words = last_words;
    nidoi_scope_init(&loop);
    err = nidoi_spawn(&loop, &birth, &loop.root);
    if (!err) {
        nidoi_loop_run(&loop, nidoi_deadlock);
        deliver_error(&loop);
        err = result(&loop);
    }
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

/* SPDX-License-Identifier: MIT */
/* coro/run/embed.c: a runtime inside another loop, which drives it step by step. */
#include <errno.h>

#include "base/sys.h"
#include "coro/run/run.h"
#include "coro/run/turn.h"
#include "coro/scope/options.h"

int nido_rt_new(const nido_options *options, nido_rt **out)
{
    nido_options room;
    struct nidoi_run *run;
    int err;

    options = NIDOI_OPTIONS(nido_options, options, &room);
    err = options && options->clock == NIDO_CLOCK_REAL ? nidoi_run_startable(options) : -EINVAL;
    if (err) return err;
    err = nidoi_run_new(options, &run);
    if (err) return err;
    nidoi_turn_rest(&run->loop);
    *out = run->loop.remote;
    return 0;
}

/* The run of a runtime that another loop drives, on its own thread and outside its tasks. */
static int own_run(const nido_rt *rt, struct nidoi_run **out)
{
    if (!rt || !rt->loop) return -EINVAL;
    if (nidoi_loop_self() != rt->loop) return -EPERM;
    *out = (struct nidoi_run *)rt->loop;
    return nidoi_on_task(&rt->loop->sched) || rt->loop->sched.no_parking ? -EBUSY : 0;
}

int nido_rt_start(nido_rt *rt, nido_fn *fn, void *arg)
{
    struct nidoi_run *run;
    int err = own_run(rt, &run);

    if (!err && !fn) err = -EINVAL;
    if (!err && run->started) err = -EALREADY;
    if (!err) err = nidoi_run_start(run, fn, arg, __builtin_return_address(0));
    return err;
}

int nido_rt_fd(const nido_rt *rt)
{
    struct nidoi_run *run;
    int err = own_run(rt, &run);

    return err ? err : run->loop.reactor.backend.fd;
}

int64_t nido_rt_timeout(const nido_rt *rt)
{
    struct nidoi_run *run;
    int err = own_run(rt, &run);

    if (err) return err;
    nidoi_turn_rest(&run->loop);
    return nidoi_turn_timeout(&run->loop);
}

static void run_step(struct nidoi_run *run)
{
    int before = nidoi_sys_defer_cancel();

    nidoi_turn_step(&run->loop);
    nidoi_sys_allow_cancel(before);
}

int nido_rt_step(nido_rt *rt)
{
    struct nidoi_run *run;
    int err = own_run(rt, &run);

    if (err) return err;
    if (run->loop.live) run_step(run);
    if (run->loop.live) return 1;
    if (run->started) nidoi_run_over(run);
    nidoi_run_deliver_error(&run->loop);
    return 0;
}

int nido_rt_result(const nido_rt *rt, int *out)
{
    struct nidoi_run *run;
    int err = own_run(rt, &run);

    if (err) return err;
    if (!run->started || run->loop.live) return -EBUSY;
    *out = nidoi_run_result(&run->loop);
    return 0;
}

int nido_rt_free(nido_rt *rt)
{
    struct nidoi_run *run;
    int err = own_run(rt, &run), before;

    if (err) return err;
    if (run->loop.live) return -EBUSY;
    before = nidoi_sys_defer_cancel();
    nidoi_run_free(run);
    nidoi_sys_allow_cancel(before);
    return 0;
}

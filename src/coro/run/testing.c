/* SPDX-License-Identifier: MIT */
#include "coro/run/testing.h"

#include "base/time.h"
#include "coro/scope/deadline.h"
#include "coro/scope/park.h"
#include "nido.h"
#include "reactor/asleep.h"

static const struct nidoi_wait_kind rechecking = {.name = "every other task to park",
                                                  .undo = nidoi_waitq_undo};

static int wait_all_parked(void)
{
    struct nidoi_queued queued = {.waiter = {.kind = &rechecking}};
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    nidoi_waitq_enlist(&loop->idle_waiters, &queued);
    return (int)nidoi_park(loop, &queued.waiter);
}

/* Stops wherever something is due on the way, so that what it starts happens at its own time. */
static int clock_advance(int64_t ns)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int64_t next, end;
    int err;

    if (!loop) return -EPERM;
    if (!loop->clock.is_virtual || ns < 0) return -EINVAL;
    end = nidoi_time_add(loop->clock.now, ns);
    for (;;) {
        err = wait_all_parked();
        if (err || loop->clock.now >= end) return err;
        next = nidoi_deadline_next(loop);
        nidoi_clock_jump(&loop->clock, next < end ? next : end);
    }
}

static void run_watch(const struct nidoi_watcher *watcher, void *ctx)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    nidoi_watching = (struct nidoi_watching){watcher, ctx};
    if (loop) nidoi_probe_set(&loop->sched, &loop->probe);
}

static void asleep_watch(bool on)
{
    nidoi_asleep_watched = on;
}

const struct nidoi_test_hooks *nido_test_hooks(void)
{
    static const struct nidoi_test_hooks hooks = {
        .size = NIDOI_TEST_HOOKS_SIZE,
        .version = {NIDO_VERSION_MAJOR, NIDO_VERSION_MINOR, NIDO_VERSION_PATCH},
        .sys = &nidoi_sys,
        .mem = &nidoi_mem,
        .watch = run_watch,
        .loop = nidoi_loop_self,
        .wait_all_parked = wait_all_parked,
        .advance = clock_advance,
        .nudge = nidoi_reactor_nudge,
        .poll = nidoi_reactor_poll,
        .watch_asleep = asleep_watch,
        .place = nidoi_place,
    };

    return &hooks;
}

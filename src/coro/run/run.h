/* SPDX-License-Identifier: MIT */
/* coro/run/run.h: a run from its opening to its end, whether the library's own loop drives it
 * (nido_run) or another one (coro/run/embed.c). */
#ifndef NIDOI_RUN_H
#define NIDOI_RUN_H

#include "coro/run/aside.h"
#include "coro/run/signals.h"
#include "coro/run/watchdog.h"
#include "coro/runtime/loop.h"

struct nidoi_run {
    struct nidoi_loop loop; /* first: its remote leads to both */
    bool started;
    struct nidoi_receiver signals, dump;
    bool overflow; /* of a stack is reported */
    struct nidoi_aside aside;
    struct nidoi_watched watched;
};

/* 0; -EINVAL: no options or wrong ones; -EPERM: in a forked child; -EBUSY: the thread has a runtime. */
int nidoi_run_startable(const nido_options *options);

/* 0, or what nido_run may fail with before its root begins. */
int nidoi_run_new(const nido_options *options, struct nidoi_run **out);

/* The root becomes ready. */
int nidoi_run_start(struct nidoi_run *run, nido_fn *fn, void *arg, void *place);

/* No task lives any more: signals do again what they did before, and posts are refused. */
void nidoi_run_over(struct nidoi_run *run);

/* The root's error goes to options.on_error or to stderr, once. */
void nidoi_run_deliver_error(struct nidoi_loop *loop);

int nidoi_run_result(const struct nidoi_loop *loop);

void nidoi_run_free(struct nidoi_run *run);

#endif

/* SPDX-License-Identifier: MIT */
#include "nido/trace.h"

#include <errno.h>

#include "base/debug_words.h"
#include "coro/runtime/tracing.h"
#include "coro/scope/options.h"
#include "debug/trace_json.h"
#include "debug/trace_save.h"

enum { BYTES = 1 << 20, MOST = 1 << 30 };

static int start(struct nidoi_loop *loop, const nido_trace_options *options)
{
    size_t bytes = options->bytes ? options->bytes : BYTES;

    if (bytes > MOST || options->window_ns < 0) return -EINVAL;
    return nidoi_tracing_start(loop, bytes, options->window_ns);
}

int nidoi_trace_if_asked(struct nidoi_loop *loop)
{
    nido_trace_options defaults = {.size = sizeof defaults};

    if (!(loop->options.flags & NIDO_RUN_TRACE) && !nidoi_debug_asks("trace")) return 0;
    return start(loop, &defaults);
}

int nido_trace_start(const nido_trace_options *options)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    nido_trace_options room;

    options = NIDOI_OPTIONS(nido_trace_options, options, &room);
    if (!options) return -EINVAL;
    return loop ? start(loop, options) : -EPERM;
}

int nido_trace_stop(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    return nidoi_tracing_stop(loop) ? 0 : -EALREADY;
}

int nido_trace_write(int fd)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    return loop->trace ? nidoi_trace_json(loop, fd) : -ENODATA;
}

static void note(enum nidoi_event_kind kind, const char *name)
{
    const struct nidoi_sched *sched = nidoi_sched_self;

    if (sched && sched->trace) nidoi_trace_user(sched->trace, sched, kind, name);
}

void nido_trace_mark(const char *name)
{
    note(NIDOI_EVENT_MARK, name);
}

void nido_trace_begin(const char *name)
{
    note(NIDOI_EVENT_BEGIN, name);
}

void nido_trace_end(const char *name)
{
    note(NIDOI_EVENT_FINISH, name);
}

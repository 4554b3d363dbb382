/* SPDX-License-Identifier: MIT */
/* coro/scope/calls.c: what users call of scopes. */
#include "coro/scope/park.h"
#include "coro/scope/scope.h"
#include "nido/time.h"

static __attribute__((noinline)) void open_suspicious(struct nidoi_loop *loop, nido_scope *scope,
                                                      uint32_t flags, int64_t deadline, void *place,
                                                      const char *frame)
{
    nidoi_scope_inspect_memory(loop->sched.current, scope, frame);
    nidoi_scope_open(loop, scope, flags, deadline, place);
}

static void scope_open_checked(nido_scope *scope, uint32_t flags, int64_t deadline, void *place,
                               char *frame)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop || !nidoi_on_task(&loop->sched)) {
        nidoi_scope_fault(scope, -EPERM);
        return;
    }
    if (nidoi_scope_suspicious(loop->sched.current, scope, sizeof *scope, frame))
        open_suspicious(loop, scope, flags, deadline, place, frame);
    else
        nidoi_scope_open(loop, scope, flags, deadline, place);
}

#define OPEN(scope, flags, deadline) \
    scope_open_checked(scope, flags, deadline, __builtin_return_address(0), nidoi_frame_end())

void nido_scope_open(nido_scope *scope)
{
    OPEN(scope, 0, NIDO_NEVER);
}

void nido_deadline_open(nido_scope *scope, int64_t deadline)
{
    OPEN(scope, 0, deadline);
}

/* Not positive: expired whatever the clock says. */
static int64_t after(int64_t ns)
{
    return ns <= 0 ? INT64_MIN : nido_after(ns);
}

void nido_timeout_open(nido_scope *scope, int64_t ns)
{
    OPEN(scope, 0, after(ns));
}

/* When a shield that is opened now ends: the scopes around it are looked at. */
NIDOI_IN_CALLER int64_t shield_end(int64_t max_ns)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int64_t end = after(max_ns);

    nidoi_check_frames();
    return loop ? nidoi_scope_bounded(loop, loop->sched.current->scope, end) : end;
}

void nido_shield_open(nido_scope *scope, int64_t max_ns)
{
    OPEN(scope, NIDOI_SCOPE_SHIELD, shield_end(max_ns));
}

int nido_scope_close(nido_scope *scope, int rc)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err = nidoi_scope_closable(loop, scope);

    if (err) return err;
    rc = nidoi_scope_verdict(loop, scope, rc);
    nidoi_scope_pop(loop, scope);
    return rc;
}

int nido_scope_cancel(nido_scope *scope, int code, const char *reason)
{
    nidoi_check_frames();
    return nidoi_scope_cancel_checked(scope, NIDO_CAUSE_CANCEL, code, reason);
}

int nido_scope_move(nido_scope *scope, int64_t deadline)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (scope->flags & NIDOI_SCOPE_FAULTY) return scope->code;
    if (!(scope->flags & NIDOI_SCOPE_OPEN)) return -EBADF;
    if (!loop) return -EPERM;
    if (scope->task->sched != &loop->sched) return -EXDEV;
    if (scope->flags & NIDOI_SCOPE_CANCELLED) return -EALREADY;
    nidoi_check_frames();
    nidoi_scope_check_content(loop->sched.current);
    nidoi_loop_refresh(loop);
    if (scope->deadline <= loop->sched.now) {
        nidoi_scope_expire(loop, scope);
        return -EALREADY;
    }
    nidoi_scope_move(loop, scope, deadline);
    return 0;
}

bool nido_scope_fired(const nido_scope *scope)
{
    if (scope->flags & NIDOI_SCOPE_FIRED) return true;
    return scope->flags & NIDOI_SCOPE_OPEN && scope->deadline <= nido_now();
}

bool nido_scope_was_cancelled(const nido_scope *scope)
{
    return scope->flags & NIDOI_SCOPE_CANCELLED || nido_scope_fired(scope);
}

int64_t nido_deadline(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    return loop ? loop->sched.current->scope->due : NIDO_NEVER;
}

bool nido_cancelled(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    return loop && loop->sched.current->scope->due <= loop->sched.now;
}

static int scope_close_after(nido_scope *scope, nido_fn *fn, void *arg)
{
    /* The analyser believes that a thread may lose its loop while it opens a scope. */
    if (scope->flags & NIDOI_SCOPE_FAULTY)
        return scope->code; /* NOLINT(clang-analyzer-core.uninitialized.UndefReturn) */
    return nido_scope_close(scope, fn ? fn(arg) : -EINVAL);
}

int nido_with_deadline(int64_t deadline, nido_fn *fn, void *arg)
{
    nido_scope scope;

    OPEN(&scope, 0, deadline);
    return scope_close_after(&scope, fn, arg);
}

int nido_with_timeout(int64_t ns, nido_fn *fn, void *arg)
{
    nido_scope scope;

    OPEN(&scope, 0, after(ns));
    return scope_close_after(&scope, fn, arg);
}

int nido_with_shield(int64_t max_ns, nido_fn *fn, void *arg)
{
    nido_scope scope;

    OPEN(&scope, NIDOI_SCOPE_SHIELD, shield_end(max_ns));
    return scope_close_after(&scope, fn, arg);
}

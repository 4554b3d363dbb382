/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "coro/scope/park.h"
#include "coro/scope/scope.h"

void nido_cancel_cause(nido_cause *out)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    const nido_scope *scope;

    *out = (nido_cause){.reason = ""};
    if (!loop) return;
    nidoi_check_frames();
    if (nidoi_on_task(&loop->sched)) nidoi_scope_check_chain(loop->sched.current);
    scope = nidoi_scope_first_cancel(loop->sched.current->scope);
    if (!scope) return;
    out->kind = (enum nido_cause_kind)scope->kind;
    out->code = scope->code;
    out->reason = scope->reason;
    out->when = scope->when;
    out->task = scope->by;
    memcpy(out->task_name, scope->by_name, sizeof out->task_name);
}

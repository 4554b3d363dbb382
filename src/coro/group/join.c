/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "coro/group/waits.h"
#include "coro/scope/park.h"
#include "coro/task/probe.h"
#include "nido/task.h"

static struct nidoi_task *task_self(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    return loop && nidoi_on_task(&loop->sched) ? loop->sched.current : NULL;
}

/* The slot that a handle means, while it means one. */
static int handle_resolve(nido_task handle, struct nidoi_slot **out)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_slot *slot;

    if (!loop) return -EPERM;
    if (handle.id && handle.runtime != loop->number) return -EXDEV;
    slot = nidoi_slots_get(&loop->slots, handle.slot);
    if (!slot || !handle.id || slot->id != handle.id) return -ESRCH;
    *out = slot;
    return 0;
}

static struct nidoi_task *handle_task(nido_task handle)
{
    struct nidoi_slot *slot;

    return handle_resolve(handle, &slot) == 0 ? slot->task : NULL;
}

nido_task nido_self(void)
{
    struct nidoi_task *task = task_self();

    if (!task) return (nido_task){0};
    return nidoi_loop_handle(nidoi_loop_self(), task);
}

uint64_t nido_task_id(nido_task task)
{
    return task.id;
}

const char *nido_task_name(nido_task handle)
{
    struct nidoi_task *task = handle_task(handle);

    return task && task->name ? task->name : "";
}

void *nido_task_spawn_place(nido_task handle)
{
    struct nidoi_task *task = handle_task(handle);

    return task ? task->spawned_at : NULL;
}

void nido_set_name(const char *format, ...)
{
    struct nidoi_task *task = task_self();
    va_list args;

    if (!task) return;
    va_start(args, format);
    vsnprintf(task->name_text, sizeof task->name_text, format, args);
    va_end(args);
    task->name = task->name_text;
    if (task->sched->probe) nidoi_probe_named(task);
}

size_t nido_stack_used(void)
{
    struct nidoi_task *task = task_self();

    return task ? (size_t)((char *)(task->stack + 1) - (char *)task) + task->deepest : 0;
}

/* ---- Joining ---- */

static const struct nidoi_wait_kind joining = {
    .name = "end of task", .undo = nidoi_waitq_undo, .owner_at = offsetof(struct nidoi_slot, task)};

int nido_join(nido_task handle, int *out)
{
    struct nidoi_queued queued = {.waiter = {.kind = &joining}};
    struct nidoi_loop *loop;
    struct nidoi_slot *slot;
    int rc, err = nidoi_enter(&loop);

    if (!err) err = handle_resolve(handle, &slot);
    if (err) return err;
    if (!slot->task) {
        if (out) *out = slot->rc;
        return 0;
    }
    err = nidoi_wait_check(loop, &joining, slot);
    if (err) return err;
    queued.waiter.object = slot;
    nidoi_waitq_enlist(&slot->joiners, &queued);
    queued.node.item = &rc;
    err = (int)nidoi_park(loop, &queued.waiter);
    if (!err && out) *out = rc;
    return err;
}

int nido_try_join(nido_task handle, int *out)
{
    struct nidoi_slot *slot;
    int err = handle_resolve(handle, &slot);

    if (err) return err;
    if (slot->task) return -EAGAIN;
    if (out) *out = slot->rc;
    return 0;
}

bool nido_task_was_cancelled(nido_task handle)
{
    struct nidoi_slot *slot;

    return handle_resolve(handle, &slot) == 0 && !slot->task && slot->cancelled;
}

int nido_task_cancel(nido_task handle, int code, const char *reason)
{
    struct nidoi_slot *slot;
    int err = handle_resolve(handle, &slot);

    if (err) return err;
    if (!slot->task) return -ESRCH;
    nidoi_check_frames();
    return nidoi_scope_cancel_checked(&slot->task->base, NIDO_CAUSE_CANCEL, code, reason);
}

int nido_task_forget(nido_task handle)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_slot *slot;
    int err = handle_resolve(handle, &slot);

    if (err) return err;
    if (!slot->kept) return -ESRCH;
    nidoi_group_forget(loop, slot);
    if (!slot->task) nidoi_slots_free(&loop->slots, slot);
    return 0;
}

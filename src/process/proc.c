/* SPDX-License-Identifier: MIT */
/* process/proc.c: the handle of a child: its pipes, waiting for its end, signalling and stopping
 * it. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/sys.h"
#include "coro/scope/park.h"
#include "io/fd.h"
#include "nido/error.h"
#include "nido/time.h"
#include "process/child.h"
#include "sync/select.h"
#include "sync/sync.h"

/* ---- The handle ---- */

/* The record is freed with its run, so the number of the runtime is compared first. */
static int proc_find(const nido_proc *proc, struct nidoi_child **out)
{
    const struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return -EPERM;
    if (!proc->child) return -EBADF;
    if (proc->runtime != loop->number) return -EXDEV;
    *out = proc->child;
    return 0;
}

int nido_proc_pid(const nido_proc *proc)
{
    struct nidoi_child *child;
    int err = proc_find(proc, &child);

    return err ? err : child->pid;
}

static int proc_pipe(const nido_proc *proc, int which)
{
    struct nidoi_child *child;
    int err = proc_find(proc, &child);

    if (err) return err;
    return child->pipes[which] >= 0 ? child->pipes[which] : -EBADF;
}

int nido_proc_stdin(const nido_proc *proc)
{
    return proc_pipe(proc, STDIN_FILENO);
}

int nido_proc_stdout(const nido_proc *proc)
{
    return proc_pipe(proc, STDOUT_FILENO);
}

int nido_proc_stderr(const nido_proc *proc)
{
    return proc_pipe(proc, STDERR_FILENO);
}

int nido_proc_take(nido_proc *proc, int which)
{
    int fd;

    if (which < STDIN_FILENO || which > STDERR_FILENO) return -EINVAL;
    fd = proc_pipe(proc, which);
    if (fd >= 0) proc->child->pipes[which] = -1;
    return fd;
}

int nido_proc_release(nido_proc *proc)
{
    struct nidoi_child *child;
    int err = proc_find(proc, &child);

    if (err == -EBADF) return 0;
    if (err) return err;
    *proc = (nido_proc){0};
    nidoi_child_release(nidoi_loop_self(), child);
    return 0;
}

/* ---- The end of the child ---- */

/* The status is copied in the claim, so a later cancel does not lose it. */
static const struct nidoi_wait_kind end_wait = {
    .name = "end of process", .undo = nidoi_waitq_undo, .name_at = NIDOI_SYNC_NAME};

static void killed_wait_time_out(struct nidoi_waiter *waiter)
{
    nidoi_waitq_undo(waiter);
    nidoi_wake(waiter, -EBUSY);
}

static void killed_wait_claimed(struct nidoi_waiter *waiter, struct nidoi_node *node)
{
    (void)node;
    waiter->task->alarm = NIDO_NEVER;
}

/* No cancel ends this wait, but time does. */
static const struct nidoi_wait_kind killed_wait = {.name = "end of killed process",
                                                   .timed_out = killed_wait_time_out,
                                                   .claimed = killed_wait_claimed,
                                                   .name_at = NIDOI_SYNC_NAME};

static int proc_await(struct nidoi_loop *loop, const nido_proc *proc,
                      const struct nidoi_wait_kind *kind, nido_proc_status *out)
{
    struct nidoi_queued queued;
    struct nidoi_child *child;
    int err = proc_find(proc, &child);

    if (err) return err;
    if (child->state == NIDOI_CHILD_OVER) {
        if (out && !child->result) *out = child->status;
        return child->result;
    }
    nidoi_sync_enlist(&child->ended, kind, &queued);
    queued.node.item = out;
    if (kind == &killed_wait) {
        loop->sched.current->alarm = nido_after(nidoi_child_reaping_ns);
        nidoi_loop_arm(loop, loop->sched.current, loop->sched.current->alarm);
    }
    return (int)nidoi_park(loop, &queued.waiter);
}

int nido_proc_wait(nido_proc *proc, nido_proc_status *out)
{
    struct nidoi_loop *loop;
    int err = nidoi_io_enter(&loop);

    return err ? err : proc_await(loop, proc, &end_wait, out);
}

/* The kernel may know of an end that has not been reported yet. */
static bool child_has_ended(const struct nidoi_child *child)
{
    siginfo_t info;

    return child->state == NIDOI_CHILD_OVER ||
           nidoi_child_reap(child->fd, child->pid, true, &info) != -EAGAIN;
}

int nido_proc_kill(nido_proc *proc, int signal)
{
    struct nidoi_child *child;
    int err = proc_find(proc, &child);

    if (err) return err;
    if (child->fd < 0 || (!child->leads && child_has_ended(child))) return -ESRCH;
    return nidoi_child_kill(child, signal);
}

/* The child runs and has changed its user, as sudo does. Other processes of its group may be
 * signalled. */
static bool child_is_out_of_reach(const struct nidoi_child *child)
{
    return !child_has_ended(child) && nidoi_child_signal(child->fd, child->pid, 0) == -EPERM;
}

static int fail_left_running(const struct nidoi_child *child, int err)
{
    return nido_fail(err, "stop %s: process %d is left running, it %s", child->name, child->pid,
                     err == -EPERM ? "cannot be signalled" : "has not ended after SIGKILL");
}

/* A stopped process would get SIGTERM only when it is continued. */
static void proc_ask_to_end(nido_proc *proc)
{
    nidoi_child_close_pipe(proc->child, STDIN_FILENO);
    nido_proc_kill(proc, SIGTERM);
    nido_proc_kill(proc, SIGCONT);
}

static int proc_kill_and_await(struct nidoi_loop *loop, nido_proc *proc, nido_proc_status *out)
{
    int rc;

    nido_proc_kill(proc, SIGKILL);
    if (child_is_out_of_reach(proc->child)) return fail_left_running(proc->child, -EPERM);
    rc = proc_await(loop, proc, &killed_wait, out);
    return rc == -EBUSY ? fail_left_running(proc->child, rc) : rc;
}

static int proc_stop(struct nidoi_loop *loop, nido_proc *proc, nido_proc_status *out)
{
    nido_scope grace;
    int rc;

    proc_ask_to_end(proc);
    if (proc->child->grace == NIDO_NEVER && child_is_out_of_reach(proc->child))
        return fail_left_running(proc->child, -EPERM);
    nido_timeout_open(&grace, proc->child->grace);
    rc = nido_scope_close(&grace, nido_proc_wait(proc, out));
    if (rc == 0 || rc == -ECHILD || rc == -EBADF) return rc;
    return proc_kill_and_await(loop, proc, out);
}

int nido_proc_stop(nido_proc *proc, nido_proc_status *out)
{
    struct nidoi_child *child;
    struct nidoi_loop *loop;
    nido_scope shield;
    int rc = nidoi_enter(&loop);

    if (rc == -ECANCELED) rc = 0;
    if (!rc) rc = proc_find(proc, &child);
    if (rc) return rc;
    nido_shield_open(&shield, NIDO_NEVER);
    rc = proc_stop(loop, proc, out);
    return nido_scope_close(&shield, rc);
}

/* ---- As an arm of a select ---- */

static int proc_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    struct nidoi_child *child;
    int err = proc_find(arm->object, &child);

    (void)loop;
    if (err) return err;
    return child->state == NIDOI_CHILD_OVER ? child->result : -EAGAIN;
}

static int proc_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    const nido_proc *proc = arm->object;

    (void)loop;
    nidoi_list_append(&proc->child->ended.waiters.nodes, &arm->node.link);
    return 0;
}

static const char *proc_arm_name(const nido_arm *arm)
{
    const nido_proc *proc = arm->object;

    return proc->child->name;
}

static const struct nidoi_arm_kind proc_arm_kind = {.name = "end of process",
                                                    .attempt = proc_arm_attempt,
                                                    .enlist = proc_arm_enlist,
                                                    .withdraw = nidoi_arm_unlink,
                                                    .named = proc_arm_name};

void nido_arm_proc(nido_arm *arm, nido_proc *proc)
{
    *arm = (nido_arm){.kind = &proc_arm_kind, .object = proc};
}

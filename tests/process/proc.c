/* SPDX-License-Identifier: MIT */
/* Child processes: starting, waiting, signals, ending, letting go. */
#include <pthread.h>

#include "faults.h"
#include "proc_help.h"

/* ---- The end ---- */

/* S292 */
CHILDREN(proc, an_exit_status_is_given_as_often_as_asked)
{
    nido_proc_options options = SHELL("exit 3");
    nido_proc proc = begin_child(&options);

    expect_exit(&proc, 3);
    expect_exit(&proc, 3);
    cr_expect(zero(int, nido_proc_wait(&proc, NULL)));
    let_go(&proc);
}

/* S293 */
CHILDREN(proc, a_killed_child_says_by_which_signal)
{
    nido_proc proc = begin_cat();

    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    expect_signal(&proc, SIGKILL);
    let_go(&proc);
}

static int expect_three(void *proc)
{
    expect_exit(proc, 3);
    return 0;
}

CHILDREN(proc, many_may_wait)
{
    nido_proc_options options = SHELL("read x; exit 3");
    nido_group group;
    nido_proc proc;

    options.in.kind = NIDO_STDIO_PIPE;
    proc = begin_child(&options);
    nido_group_open(&group, NIDO_FAIL_FAST, "waiters");
    for (int i = 0; i < 5; i++) begin(&group, expect_three, &proc);
    cr_expect(zero(int, nido_yield()));
    end_input(&proc);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    let_go(&proc);
}

struct waiter {
    nido_proc *proc;
    nido_task other;
    nido_proc_status status;
    int rc; /* 1 until it has been woken */
};

static int wait_for(void *arg)
{
    struct waiter *self = arg;

    self->rc = nido_proc_wait(self->proc, &self->status);
    return 0;
}

static int wait_and_cancel_the_other(void *arg)
{
    struct waiter *self = arg;

    wait_for(arg);
    nido_task_cancel(self->other, -ETIME, "late");
    cr_expect(eq(int, nido_proc_release(self->proc), 0), "the other has his status");
    return 0;
}

/* S170 */
CHILDREN(proc, a_cancel_after_the_end_was_seen_comes_too_late)
{
    nido_proc proc = begin_cat();
    struct waiter first = {.proc = &proc, .rc = 1}, second = {.proc = &proc, .rc = 1};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "waiters");
    begin(&group, wait_and_cancel_the_other, &first);
    first.other = begin_kept(&group, wait_for, &second);
    cr_expect(zero(int, nido_yield()));
    end_input(&proc);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, first.rc));
    cr_expect(zero(int, second.rc), "it was cancelled before it ran");
    cr_expect(zero(int, second.status.code));
}

/* S170 */
CHILDREN(proc, a_cancelled_wait_leaves_the_status_for_the_next)
{
    nido_proc proc = begin_cat();
    struct waiter waiter = {.proc = &proc, .rc = 1};
    nido_group group;
    nido_task task;

    nido_group_open(&group, NIDO_FAIL_FAST, "waiters");
    task = begin_kept(&group, wait_for, &waiter);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_task_cancel(task, -ETIME, NULL)));
    cr_expect(zero(int, nido_join(task, NULL)));
    cr_expect(eq(int, waiter.rc, -ECANCELED));
    end_input(&proc);
    expect_exit(&proc, 0);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    let_go(&proc);
}

CHILDREN(proc, a_deadline_ends_the_wait_and_not_the_child)
{
    nido_proc proc = begin_cat();
    nido_scope scope;

    nido_timeout_open(&scope, 0);
    cr_expect(eq(int, nido_scope_close(&scope, nido_proc_wait(&proc, NULL)), -ETIMEDOUT));
    cr_expect(zero(int, nido_proc_kill(&proc, 0)), "it lives");
    end_input(&proc);
    expect_exit(&proc, 0);
    let_go(&proc);
}

CHILDREN(proc, its_end_is_an_arm_of_a_select)
{
    nido_proc proc = begin_cat();
    nido_arm arms[2];
    nido_proc gone = {0};

    nido_arm_proc(&arms[0], &proc);
    nido_arm_fd(&arms[1], nido_proc_stdout(&proc), NIDO_IN);
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), -EAGAIN));
    cr_expect(eq(int, (int)nido_write(nido_proc_stdin(&proc), "x", 1), 1));
    cr_expect(eq(int, nido_select(arms, 2, 0), 1), "it has said something and not ended");
    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    cr_expect(zero(int, nido_select(arms, 1, 0)));
    cr_expect(zero(int, arms[0].status));
    expect_signal(&proc, SIGKILL);
    cr_expect(zero(int, nido_select(arms, 1, NIDO_POLL)));
    let_go(&proc);
    nido_arm_proc(&arms[0], &gone);
    cr_expect(zero(int, nido_select(arms, 1, 0)));
    cr_expect(eq(int, arms[0].status, -EBADF));
}

static int select_it(void *arg)
{
    struct waiter *self = arg;
    nido_arm arm;

    nido_arm_proc(&arm, self->proc);
    cr_expect(zero(int, nido_select(&arm, 1, 0)));
    self->rc = arm.status;
    return 0;
}

CHILDREN(proc, a_release_sends_home_who_waits)
{
    nido_proc proc = begin_cat();
    struct waiter waiter = {.proc = &proc, .rc = 1}, selecting = {.proc = &proc, .rc = 1};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "waiters");
    begin(&group, wait_for, &waiter);
    begin(&group, select_it, &selecting);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    await_zombie(nido_proc_pid(&proc));
    let_go(&proc);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, waiter.rc, -EBADF));
    cr_expect(eq(int, selecting.rc, -EBADF));
}

/* ---- Others who reap ---- */

CHILDREN(proc, a_status_that_somebody_else_took_is_echild)
{
    nido_proc proc = begin_cat();

    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    cr_expect(eq(int, waitpid(nido_proc_pid(&proc), NULL, 0), nido_proc_pid(&proc)));
    cr_expect(eq(int, nido_proc_wait(&proc, NULL), -ECHILD));
    cr_expect(eq(int, nido_proc_wait(&proc, NULL), -ECHILD));
    cr_expect(eq(int, nido_proc_kill(&proc, SIGKILL), -ESRCH),
              "the number is not its own any more");
    cr_expect(eq(int, nido_proc_stop(&proc, NULL), -ECHILD));
    let_go(&proc);
}

static volatile sig_atomic_t reaped;

static void reap_everything(int number)
{
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) reaped = 1;
}

/* S296 */
CHILDREN(proc, a_program_that_reaps_everything_gets_echild)
{
    struct sigaction action = {.sa_handler = reap_everything}, before;
    nido_proc_options options = PROGRAM("true");
    sigset_t child, mask;
    nido_proc proc;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, &mask);
    sigaction(SIGCHLD, &action, &before);
    proc = begin_child(&options);
    while (!reaped) sigsuspend(&mask);
    cr_expect(eq(int, nido_proc_wait(&proc, NULL), -ECHILD));
    let_go(&proc);
    sigaction(SIGCHLD, &before, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

CHILDREN(proc, a_program_that_ignores_sigchld_gets_echild)
{
    struct sigaction action = {.sa_handler = SIG_IGN}, before;
    nido_proc_options options = PROGRAM("true");
    nido_proc proc;

    sigaction(SIGCHLD, &action, &before);
    proc = begin_child(&options);
    cr_expect(eq(int, nido_proc_wait(&proc, NULL), -ECHILD));
    cr_expect(eq(int, nido_proc_kill(&proc, SIGTERM), -ESRCH));
    let_go(&proc);
    sigaction(SIGCHLD, &before, NULL);
}

/* ---- Signals ---- */

CHILDREN(proc, who_has_ended_is_not_signalled_though_nobody_has_waited)
{
    nido_proc_options options = PROGRAM("true");
    nido_proc proc = begin_child(&options);

    await_zombie(nido_proc_pid(&proc));
    cr_expect(eq(int, nido_proc_kill(&proc, SIGTERM), -ESRCH));
    expect_exit(&proc, 0);
    cr_expect(eq(int, nido_proc_kill(&proc, SIGTERM), -ESRCH));
    cr_expect(zero(int, nido_proc_stop(&proc, NULL)));
    let_go(&proc);
}

CHILDREN(proc, no_such_signal_is_einval)
{
    nido_proc proc = begin_cat();

    cr_expect(eq(int, nido_proc_kill(&proc, 12345), -EINVAL));
    cr_expect(zero(int, nido_proc_stop(&proc, NULL)));
    let_go(&proc);
}

/* Leader and member hold its output; only when both are gone, it ends. */
CHILDREN(proc, a_signal_goes_to_the_whole_group)
{
    nido_proc_options options = SHELL("exec 4<&0; cat <&4 & echo; wait");
    nido_proc proc;
    char byte;

    options.new_group = true;
    options.in.kind = options.out.kind = NIDO_STDIO_PIPE;
    proc = begin_child(&options);
    await_byte(nido_proc_stdout(&proc));
    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    expect_signal(&proc, SIGKILL);
    cr_expect(zero(int, (int)nido_read(nido_proc_stdout(&proc), &byte, 1)));
    let_go(&proc);
}

/* A filter may deny kill(2) and not pidfd_send_signal. */
CHILDREN(proc, the_leader_of_a_group_out_of_reach_is_signalled_itself)
{
    nido_proc_options options = SHELL("echo; read x");
    nido_proc proc;

    options.new_group = true;
    options.in.kind = options.out.kind = NIDO_STDIO_PIPE;
    proc = begin_child(&options);
    await_byte(nido_proc_stdout(&proc));
    faults_begin();
    faults_fail(FAULT_kill, 1, -EPERM);
    cr_expect(zero(int, nido_proc_kill(&proc, SIGTERM)));
    faults_end();
    expect_signal(&proc, SIGTERM);
    let_go(&proc);
}

CHILDREN(proc, what_is_left_of_a_group_can_be_signalled_until_the_release)
{
    nido_proc_options options = SHELL("exec 4<&0; cat <&4 & exit 6");
    nido_proc proc;
    char byte;

    options.new_group = true;
    options.in.kind = options.out.kind = NIDO_STDIO_PIPE;
    proc = begin_child(&options);
    expect_exit(&proc, 6);
    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    cr_expect(zero(int, (int)nido_read(nido_proc_stdout(&proc), &byte, 1)));
    expect_exit(&proc, 6);
    let_go(&proc);
}

/* ---- Ending it ---- */

CHILDREN(proc, a_stop_asks_first)
{
    nido_proc_options options = SHELL("trap 'exit 7' TERM; echo; read x <&2");
    nido_proc_status status;
    nido_proc proc;
    int hold[2];

    cr_expect(zero(int, pipe(hold)));
    options.out.kind = NIDO_STDIO_PIPE;
    options.err = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    proc = begin_child(&options);
    await_byte(nido_proc_stdout(&proc));
    cr_expect(zero(int, nido_proc_stop(&proc, &status)));
    cr_expect(eq(int, status.code, 7));
    let_go(&proc);
    close(hold[0]);
    close(hold[1]);
}

CHILDREN(proc, a_stop_ends_its_input)
{
    nido_proc_options options = SHELL("trap '' TERM; echo; cat; exit 5");
    nido_proc_status status;
    nido_proc proc;

    options.in.kind = options.out.kind = NIDO_STDIO_PIPE;
    options.kill_grace_ns = NIDO_NEVER;
    proc = begin_child(&options);
    await_byte(nido_proc_stdout(&proc));
    cr_expect(zero(int, nido_proc_stop(&proc, &status)));
    cr_expect(eq(int, status.code, 5));
    cr_expect(eq(int, nido_proc_stdin(&proc), -EBADF));
    let_go(&proc);
}

INSIDE(proc, a_descriptor_that_does_not_block_is_no_stream_of_a_child)
{
    nido_proc_options options = SHELL("true");
    nido_proc proc;
    char text[96];
    int ends[2];

    cr_expect(zero(int, nido_pipe(ends)));
    options.in = (nido_stdio){NIDO_STDIO_FD, ends[0]};
    cr_expect(eq(int, nido_proc_spawn(&proc, &options), -EINVAL));
    snprintf(text, sizeof text,
             "descriptor %d is nido's and does not block: not for a stream of sh", ends[0]);
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), text));
    nido_close(ends[0]);
    nido_close(ends[1]);
}

/* It holds on by a pipe whose other end is ours. */
static nido_proc begin_stubborn(int64_t grace, int hold[2])
{
    nido_proc_options options = SHELL("trap '' TERM; echo; read x <&2");
    nido_proc proc;

    cr_expect(zero(int, pipe(hold)));
    options.kill_grace_ns = grace;
    options.out.kind = NIDO_STDIO_PIPE;
    options.err = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    proc = begin_child(&options);
    await_byte(nido_proc_stdout(&proc));
    return proc;
}

static void stop_stubborn(nido_proc *proc, const int hold[2])
{
    nido_proc_status status = {0};

    cr_expect(zero(int, nido_proc_stop(proc, &status)));
    cr_expect(eq(int, status.signal, SIGKILL));
    let_go(proc);
    close(hold[0]);
    close(hold[1]);
}

/* S295 */
CHILDREN_IN_TIME(proc, who_ignores_sigterm_is_killed_after_the_grace)
{
    int hold[2];
    nido_proc proc = begin_stubborn(NIDO_MS(20), hold);

    stop_stubborn(&proc, hold);
}

CHILDREN(proc, without_a_grace_it_is_killed_at_once)
{
    int hold[2];
    nido_proc proc = begin_stubborn(-1, hold);

    stop_stubborn(&proc, hold);
}

/* The cancel would end any other wait. */
CHILDREN(proc, a_stop_works_in_a_cancelled_scope)
{
    int hold[2];
    nido_proc proc = begin_stubborn(-1, hold);
    nido_scope scope;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, -ETIME, NULL);
    stop_stubborn(&proc, hold);
    cr_expect(eq(int, nido_scope_close(&scope, nido_yield()), -ETIME));
}

static int stop_after_the_cancel(void *unused)
{
    int hold[2];
    nido_proc proc = begin_stubborn(NIDO_NEVER, hold);
    nido_rt *rt = nido_rt_self();

    (void)unused;
    nido_rt_shutdown(rt, "enough");
    nido_rt_release(rt);
    cr_expect(eq(int, nido_proc_wait(&proc, NULL), -ECANCELED));
    stop_stubborn(&proc, hold);
    return -ECANCELED;
}

NIDO_TEST(proc, the_grace_of_the_run_cuts_that_of_the_child)
{
    nido_options options;

    nido_options_init(&options);
    options.grace_ns = NIDO_MS(20);
    cr_expect(eq(int, nido_run(stop_after_the_cancel, NULL, &options), -EINTR));
    expect_no_children();
}

/* ---- The wrong place ---- */

CHILDREN(proc, none_at_all_is_ebadf)
{
    nido_proc none = {0};

    cr_expect(eq(int, nido_proc_wait(&none, NULL), -EBADF));
    cr_expect(eq(int, nido_proc_kill(&none, SIGTERM), -EBADF));
    cr_expect(eq(int, nido_proc_stop(&none, NULL), -EBADF));
    cr_expect(eq(int, nido_proc_pid(&none), -EBADF));
    cr_expect(eq(int, nido_proc_stdout(&none), -EBADF));
    cr_expect(eq(int, nido_proc_take(&none, 3), -EINVAL));
    let_go(&none);
}

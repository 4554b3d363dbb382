/* SPDX-License-Identifier: MIT */
/* Children that a signal does not reach, or not as usual: of another user, stopped, traced, held by
 * a debugger, gone to another group. */
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "proc_help.h"
#include "process/child.h"

/* Lives until `hold` is closed. */
static nido_proc_options held_options(char *text, int hold[2])
{
    nido_proc_options options = program_of((char *[]){"sh", "-c", text, NULL});

    cr_assert(zero(int, pipe(hold)));
    options.in = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    options.out.kind = NIDO_STDIO_PIPE;
    return options;
}

static nido_proc begin_held(char *text, int hold[2], int64_t grace)
{
    char *argv[] = {"sh", "-c", text, NULL};
    nido_proc_options options = held_options(text, hold);
    nido_proc proc;

    options.argv = argv;
    options.kill_grace_ns = grace;
    proc = begin_child(&options);
    await_byte(nido_proc_stdout(&proc));
    return proc;
}

static void close_hold(const int hold[2])
{
    close(hold[0]);
    close(hold[1]);
}

static void expect_text(const char *words)
{
    const char *text = nido_error_text(nido_error_last());

    cr_expect(ne(ptr, strstr(text, words), NULL), "\"%s\" is not in \"%s\"", words, text);
}

/* ---- Of another user ---- */

/* Until faults_end. */
static void deny_signals(void)
{
    faults_begin();
    faults_fail(FAULT_child_signal, FAULT_ALWAYS, -EPERM);
    faults_fail(FAULT_kill, FAULT_ALWAYS, -EPERM);
}

static void stop_without_permission(int64_t grace)
{
    nido_proc_status status = {.code = -2};
    int hold[2];
    nido_proc proc = begin_held("echo; read x; exit 3", hold, grace);

    deny_signals();
    cr_expect(eq(int, nido_proc_stop(&proc, &status), -EPERM));
    faults_end();
    expect_text("is left running, it cannot be signalled");
    cr_expect(eq(int, status.code, -2), "there is no status");
    cr_expect(zero(int, nido_proc_kill(&proc, 0)), "it lives");
    close_hold(hold);
    expect_exit(&proc, 3);
    let_go(&proc);
}

CHILDREN(proc_reach, a_stop_that_may_not_signal_says_so_and_leaves_the_child)
{
    stop_without_permission(-1);
    stop_without_permission(NIDO_NEVER);
}

CHILDREN(proc_reach, what_ends_with_its_input_is_stopped_without_a_signal)
{
    nido_proc proc = begin_cat();
    nido_proc_status status;

    deny_signals();
    cr_expect(zero(int, nido_proc_stop(&proc, &status)), "the grace is for that");
    faults_end();
    cr_expect(zero(int, status.code));
    let_go(&proc);
}

struct performance {
    nido_proc_options options;
    nido_proc_result result;
    int rc;
};

static int perform(void *arg)
{
    struct performance *self = arg;

    self->rc = nido_proc_run(&self->options, NULL, 0, &self->result);
    return self->rc;
}

CHILDREN(proc_reach, a_cancelled_run_of_what_cannot_be_signalled_ends)
{
    char *argv[] = {"sh", "-c", "echo hello; echo >&2; read x", NULL};
    struct performance self = {.rc = 1};
    int hold[2], said[2];
    nido_group group;

    cr_assert(zero(int, pipe(said)));
    self.options = held_options(argv[2], hold);
    self.options.argv = argv;
    self.options.err = (nido_stdio){NIDO_STDIO_FD, said[1]};
    self.options.kill_grace_ns = -1;
    nido_group_open(&group, NIDO_WAIT_ALL, "performance");
    begin(&group, perform, &self);
    await_byte(said[0]);
    deny_signals();
    cr_expect(zero(int, nido_group_cancel(&group, -ETIME, "enough")));
    nido_group_close(&group, 0);
    faults_end();
    cr_expect(eq(int, self.rc, -EPERM));
    cr_expect(eq(str, self.result.out, "hello\n"));
    nido_proc_result_free(&self.result);
    close_hold(hold);
    close_hold(said);
    cr_expect(gt(int, waitpid(-1, NULL, 0), 0));
}

static int stop_as_nobody(void *unused)
{
    int hold[2];
    nido_proc proc = begin_held("echo; read x", hold, NIDO_MS(1));
    int rc;

    (void)unused;
    if (setresuid(65534, 65534, 65534)) return -EIO;
    rc = nido_proc_stop(&proc, NULL);
    close_hold(hold);
    if (nido_proc_wait(&proc, NULL)) return -EIO;
    nido_proc_release(&proc);
    return rc;
}

/* Root may, but not in a user namespace without other users. */
static bool may_become_nobody(void)
{
    int status, pid = fork();

    if (pid == 0) _exit(setresuid(65534, 65534, 65534) ? 1 : 0);
    cr_expect(eq(int, waitpid(pid, &status, 0), pid));
    return status == 0;
}

/* The kernel's own refusal: a child of root, after its parent has become another user. */
NIDO_TEST(proc_reach, a_child_of_another_user_is_left_running)
{
    int status, pid = geteuid() || !may_become_nobody() ? -1 : fork();

    if (pid < 0) return;
    if (pid == 0) {
        alarm(60);
        _exit(nido_run(stop_as_nobody, NULL, NULL) == -EPERM ? 0 : 1);
    }
    cr_expect(eq(int, waitpid(pid, &status, 0), pid));
    cr_expect(zero(int, status));
}

/* ---- In another group ---- */

/* Leaves a child in its group and goes to that of the tests. */
CHILDREN(proc_reach, a_leader_that_has_left_its_group_is_signalled_too)
{
    static char text[] = "import os, sys, time\n"
                         "if os.fork() == 0: time.sleep(1000)\n"
                         "os.setpgid(0, os.getpgid(os.getppid()))\n"
                         "os.write(1, b'x')\n"
                         "sys.stdin.read()\n";
    nido_proc_options options = PROGRAM("python3", "-c", text);
    nido_proc proc;
    char byte;

    for (int signal = SIGKILL; signal; signal = signal == SIGKILL ? SIGTERM : 0) {
        options.new_group = true;
        options.in.kind = options.out.kind = NIDO_STDIO_PIPE;
        proc = begin_child(&options);
        await_byte(nido_proc_stdout(&proc));
        cr_expect(zero(int, nido_proc_kill(&proc, signal)));
        expect_signal(&proc, signal);
        cr_expect(zero(int, (int)nido_read(nido_proc_stdout(&proc), &byte, 1)), "nor is the rest");
        let_go(&proc);
    }
}

/* One that is queued, not merged, tells how often it was sent. */
CHILDREN(proc_reach, a_leader_in_its_group_is_signalled_once)
{
    static char text[] = "import os, signal\n"
                         "queued, patience, times = {signal.SIGRTMIN}, 20, 0\n"
                         "signal.pthread_sigmask(signal.SIG_BLOCK, queued)\n"
                         "os.write(1, b'x')\n"
                         "while signal.sigtimedwait(queued, patience):\n"
                         "    patience, times = 0.1, times + 1\n"
                         "os.write(1, b'%d' % times)\n";
    nido_proc_options options = PROGRAM("python3", "-c", text);
    nido_proc proc;
    char times;

    options.new_group = true;
    options.out.kind = NIDO_STDIO_PIPE;
    proc = begin_child(&options);
    await_byte(nido_proc_stdout(&proc));
    cr_expect(zero(int, nido_proc_kill(&proc, SIGRTMIN)));
    cr_expect(eq(int, (int)nido_read(nido_proc_stdout(&proc), &times, 1), 1));
    cr_expect(eq(chr, times, '1'));
    expect_exit(&proc, 0);
    let_go(&proc);
}

/* ---- Stopped ---- */

static void await_stop(int pid)
{
    siginfo_t info;

    cr_expect(zero(int, waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT)));
}

CHILDREN(proc_reach, one_that_is_stopped_is_continued_so_that_it_hears_of_the_end)
{
    nido_proc_status status;
    int hold[2];
    nido_proc proc = begin_held("trap 'exit 7' TERM; echo; read x", hold, NIDO_NEVER);

    cr_expect(zero(int, nido_proc_kill(&proc, SIGSTOP)));
    await_stop(nido_proc_pid(&proc));
    cr_expect(zero(int, nido_proc_stop(&proc, &status)));
    cr_expect(eq(int, status.code, 7));
    let_go(&proc);
    close_hold(hold);
}

#ifdef __linux__

/* ---- Traced ---- */

/* Stops it as a debugger does. False: not allowed here. */
static bool trace(int pid)
{
    if (ptrace(PTRACE_SEIZE, pid, 0, 0)) return false;
    cr_expect(zero(int, (int)ptrace(PTRACE_INTERRUPT, pid, 0, 0)));
    await_stop(pid);
    return true;
}

CHILDREN(proc_reach, a_child_that_stops_for_its_tracer_has_not_ended)
{
    nido_proc_status status;
    int hold[2];
    nido_proc proc = begin_held("echo; read x", hold, -1);
    siginfo_t info;

    if (trace(nido_proc_pid(&proc))) {
        cr_expect(zero(int, nido_proc_kill(&proc, 0)));
        cr_expect(
            eq(int, nidoi_child_reap(proc.child->fd, proc.child->pid, false, &info), -EAGAIN));
        cr_expect(zero(int, waitid(P_PID, (id_t)nido_proc_pid(&proc), &info, WSTOPPED | WNOHANG)));
        cr_expect(eq(int, info.si_code, CLD_TRAPPED), "what stopped it is left to the tracer");
    }
    cr_expect(zero(int, nido_proc_stop(&proc, &status)));
    cr_expect(eq(int, status.signal, SIGKILL));
    let_go(&proc);
    close_hold(hold);
}

static int leave_traced(void *hold)
{
    nido_proc proc = begin_held("echo; read x", hold, -1);

    return trace(nido_proc_pid(&proc)) ? nido_proc_pid(&proc) : -ENOTSUP;
}

NIDO_TEST(proc_reach, one_that_is_stopped_at_the_end_of_the_run_is_not_forgotten)
{
    int hold[2], pid = nido_test_run(leave_traced, hold);

    close_hold(hold);
    if (pid < 0) return;
    cr_expect(zero(int, kill(pid, SIGKILL)), "it lives");
    while (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOWAIT) == 0) continue;
    cr_expect(eq(int, errno, ECHILD), "the thread that was left with it has reaped it");
}

/* Holds `pid`, dead or alive, until `until` can be read. */
static _Noreturn void debug(int pid, int ready, int until)
{
    char byte = ptrace(PTRACE_SEIZE, pid, 0, 0) ? 'n' : 'y';

    if (write(ready, &byte, 1) == 1) byte = (char)read(until, &byte, 1);
    _exit(0);
}

CHILDREN_IN_TIME(proc_reach, the_wait_for_a_killed_child_that_a_debugger_holds_ends)
{
    int64_t before = nidoi_child_reaping_ns;
    int hold[2], ready[2], until[2], debugger, rc;
    nido_proc proc = begin_held("trap '' TERM; echo; read x", hold, -1);
    char held = 'n';

    cr_assert(zero(int, pipe(ready) | pipe(until)));
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    debugger = fork();
    if (debugger == 0) debug(nido_proc_pid(&proc), ready[1], until[0]);
    cr_expect(eq(int, (int)read(ready[0], &held, 1), 1));
    nidoi_child_reaping_ns = NIDO_MS(20);
    rc = nido_proc_stop(&proc, NULL);
    nidoi_child_reaping_ns = before;
    cr_expect(eq(int, rc, held == 'y' ? -EBUSY : 0));
    if (rc == -EBUSY) expect_text("has not ended after SIGKILL");
    cr_expect(eq(int, (int)write(until[1], "x", 1), 1));
    cr_expect(eq(int, waitpid(debugger, NULL, 0), debugger));
    expect_signal(&proc, SIGKILL);
    let_go(&proc);
    close_hold(until);
    close_hold(ready);
    close_hold(hold);
}

#endif

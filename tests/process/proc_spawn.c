/* SPDX-License-Identifier: MIT */
/* Starting programs: what they get, and what hinders them. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "proc_help.h"

/* ---- What a child gets ---- */

/* Runs to the end and compares what it wrote. */
static void expect_output(const nido_proc_options *options, const char *out)
{
    nido_proc_result result;

    cr_expect(zero(int, nido_proc_run(options, NULL, 0, &result)));
    cr_expect(zero(int, result.status.code));
    cr_expect(eq(str, result.out ? result.out : "(nothing)", (char *)out));
    nido_proc_result_free(&result);
}

static int list_descriptors(void *unused)
{
    nido_proc_options options = PROGRAM("ls", "/proc/self/fd");

    (void)unused;
    expect_output(&options, "0\n1\n2\n3\n"); /* 3 is the directory */
    return 0;
}

/* S301 */
CHILDREN(proc_spawn, no_child_inherits_a_descriptor_of_others)
{
    nido_group group;
    int open[10];

    for (int i = 0; i < 10; i++) open[i] = dup(2); /* as a careless program does */
    nido_group_open(&group, NIDO_FAIL_FAST, "many");
    for (int i = 0; i < 100; i++) begin(&group, list_descriptors, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 10; i++) close(open[i]);
}

/* A line of /proc/self/status. glibc has two signals for itself, 32 and 33. */
static unsigned long long signals(const char *status, const char *line)
{
    const char *found = strstr(status, line);

    cr_assert(ne(ptr, (void *)found, NULL));
    return strtoull(found + strlen(line), NULL, 16) & ~(3ull << 31);
}

CHILDREN(proc_spawn, a_child_begins_with_no_signal_blocked_or_ignored)
{
    nido_proc_options options = PROGRAM("cat", "/proc/self/status");
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    nido_proc_result result;
    sigset_t usr1, mask;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &mask);
    sigaction(SIGPIPE, &ignore, &before);
    cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &result)));
    cr_expect(zero(ullong, signals(result.out, "SigBlk:")));
    cr_expect(zero(ullong, signals(result.out, "SigIgn:")));
    nido_proc_result_free(&result);
    sigaction(SIGPIPE, &before, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

CHILDREN(proc_spawn, environment_directory_and_name_can_be_chosen)
{
    nido_proc_options options = PROGRAM("env");

    options.env = (char *[]){"A=1", NULL};
    expect_output(&options, "A=1\n");
    options = PROGRAM("pwd");
    options.cwd = "/usr";
    expect_output(&options, "/usr\n");
    options = PROGRAM("another", "-c", "echo $0");
    options.program = "sh";
    expect_output(&options, "another\n");
}

CHILDREN(proc_spawn, a_stream_may_be_nothing_or_the_other_one)
{
    nido_proc_options options = SHELL("cat; echo out; echo err >&2");

    options.in.kind = NIDO_STDIO_NULL;
    options.err.kind = NIDO_STDIO_STDOUT;
    expect_output(&options, "out\nerr\n");
    options = SHELL("echo out; echo err >&2");
    options.err.kind = NIDO_STDIO_NULL;
    expect_output(&options, "out\n");
}

CHILDREN(proc_spawn, a_new_group_has_the_number_of_the_child)
{
    nido_proc_options options = PROGRAM("cat");
    nido_proc proc;

    options.in.kind = NIDO_STDIO_PIPE;
    proc = begin_child(&options);
    cr_expect(eq(int, getpgid(nido_proc_pid(&proc)), getpgid(0)));
    end_input(&proc);
    expect_exit(&proc, 0);
    let_go(&proc);
    options.new_group = true;
    proc = begin_child(&options);
    cr_expect(eq(int, getpgid(nido_proc_pid(&proc)), nido_proc_pid(&proc)));
    end_input(&proc);
    expect_exit(&proc, 0);
    let_go(&proc);
}

/* Its standard output is made from our number 0, and its input from our number 1. */
CHILDREN(proc_spawn, given_descriptors_may_have_any_numbers)
{
    nido_proc_options options = PROGRAM("cat");
    int saved[2] = {dup(0), dup(1)}, in[2], out[2];
    nido_proc proc;
    char byte = 0;

    cr_assert(zero(int, pipe(in)));
    cr_assert(zero(int, pipe(out)));
    dup2(out[1], 0);
    dup2(in[0], 1);
    options.in = (nido_stdio){NIDO_STDIO_FD, 1};
    options.out = (nido_stdio){NIDO_STDIO_FD, 0};
    proc = begin_child(&options);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    close(in[0]);
    close(out[1]);
    cr_expect(eq(int, (int)write(in[1], "x", 1), 1));
    close(in[1]);
    cr_expect(eq(int, (int)nido_read(out[0], &byte, 1), 1));
    cr_expect(eq(int, byte, 'x'));
    expect_exit(&proc, 0);
    let_go(&proc);
    close(out[0]);
}

/* The lowest numbers are free, so the pipes would get them. */
CHILDREN(proc_spawn, a_program_without_standard_descriptors_can_start_others)
{
    nido_proc_options options = SHELL("cat; echo err >&2");
    nido_proc_result result;
    int saved[3], rc;

    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD, 10);
        close(i);
    }
    rc = nido_proc_run(&options, "in\n", 3, &result);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    cr_expect(zero(int, rc));
    cr_expect(eq(str, result.out, "in\n"));
    cr_expect(eq(str, result.err, "err\n"));
    nido_proc_result_free(&result);
}

CHILDREN(proc_spawn, a_pipe_can_be_taken_over)
{
    nido_proc proc = begin_cat();
    int in = nido_proc_stdin(&proc), out = nido_proc_stdout(&proc);

    cr_expect(eq(int, nido_proc_stderr(&proc), -EBADF));
    cr_expect(eq(int, nido_proc_take(&proc, 1), out));
    cr_expect(eq(int, nido_proc_take(&proc, 1), -EBADF));
    cr_expect(eq(int, nido_proc_take(&proc, -1), -EINVAL));
    cr_expect(eq(int, (int)nido_write(in, "x", 1), 1));
    await_byte(out);
    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    expect_signal(&proc, SIGKILL);
    let_go(&proc);
    cr_expect(eq(int, nido_close(in), -EBADF), "the release has closed it");
    cr_expect(zero(int, nido_close(out)));
}

/* ---- What hinders it ---- */

static void expect_refused(const nido_proc_options *options, int code, const char *words)
{
    nido_proc proc = {.spare = 1};

    cr_expect(eq(int, nido_proc_spawn(&proc, options), code));
    cr_expect(eq(ptr, proc.child, NULL));
    let_go(&proc);
    if (words) cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), (char *)words));
}

CHILDREN(proc_spawn, what_cannot_be_run_is_named)
{
    nido_proc_options options = PROGRAM("no-such-program");

    setenv("PATH", "/usr/bin:/bin", 1); /* it may name folders that this user must not search */
    expect_refused(&options, -ENOENT, "start no-such-program");
    options = PROGRAM("/");
    expect_refused(&options, -EACCES, "start /");
    options = PROGRAM("true");
    options.cwd = "/nowhere";
    expect_refused(&options, -ENOENT, "start true in /nowhere");
}

CHILDREN(proc_spawn, what_cannot_be_opened_for_it_is_named)
{
    nido_proc_options options = PROGRAM("true");

    options.out.kind = NIDO_STDIO_NULL;
    faults_begin();
    faults_fail(FAULT_open, 1, -ENOENT);
    expect_refused(&options, -ENOENT, "open /dev/null to start true");
    faults_fail(FAULT_dup, 1, -EMFILE);
    expect_refused(&options, -EMFILE, "start true");
    cr_expect(zero(ulong, faults_count(FAULT_spawn)), "it has not run");
    faults_end();
}

CHILDREN(proc_spawn, without_a_descriptor_to_watch_it_the_program_does_not_run)
{
    nido_proc_options options = PROGRAM("true");

    faults_begin();
    faults_fail(FAULT_dup, 1, -EMFILE);
    expect_refused(&options, -EMFILE, "start true");
    cr_expect(zero(ulong, faults_count(FAULT_spawn)));
    faults_end();
}

CHILDREN(proc_spawn, bad_options_are_refused)
{
    nido_proc_options options = PROGRAM("true");

    expect_refused(NULL, -EINVAL, NULL);
    options.size = 1;
    expect_refused(&options, -EINVAL, NULL);
    options = PROGRAM("true");
    options.argv = NULL;
    expect_refused(&options, -EINVAL, NULL);
    options.argv = (char *[]){NULL};
    expect_refused(&options, -EINVAL, NULL);
    options = PROGRAM("true");
    options.out.kind = NIDO_STDIO_STDOUT;
    expect_refused(&options, -EINVAL, NULL);
    options.out.kind = (enum nido_stdio_kind)17;
    expect_refused(&options, -EINVAL, NULL);
    options.out = (nido_stdio){NIDO_STDIO_FD, 9999};
    expect_refused(&options, -EBADF, "start true");
}

/* ---- A program that was just written ---- */

static struct nidoi_sys real;
static int writer; /* as a child that is being started on another thread holds it */
static int starts;

static int free_it_in_between(const struct nidoi_program *program, int *pid)
{
    if (++starts == 2) close(writer);
    return real.spawn(program, pid);
}

CHILDREN(proc_spawn, a_program_whose_writer_is_about_to_let_go_of_it_is_started)
{
    char path[] = "/tmp/nido-busy-XXXXXX";
    static const char text[] = "#!/bin/sh\nexit 4\n";
    nido_proc_options options = PROGRAM(path);
    nido_proc proc;

    writer = mkstemp(path);
    cr_assert(eq(int, (int)write(writer, text, sizeof text - 1), (int)sizeof text - 1));
    cr_assert(zero(int, fchmod(writer, 0700)));
    real = nidoi_sys;
    starts = 0;
    nidoi_sys.spawn = free_it_in_between;
    proc = begin_child(&options);
    nidoi_sys = real;
    cr_expect(eq(int, starts, 2), "the first is refused by the kernel");
    expect_exit(&proc, 4);
    let_go(&proc);
    unlink(path);
}

CHILDREN(proc_spawn, a_program_that_stays_busy_is_given_up)
{
    nido_proc_options options = PROGRAM("true");

    faults_begin();
    faults_fail(FAULT_spawn, FAULT_ALWAYS, -ETXTBSY);
    faults_fail(FAULT_poll, FAULT_ALWAYS, 0); /* the pauses */
    expect_refused(&options, -ETXTBSY, "start true");
    cr_expect(eq(ulong, faults_count(FAULT_spawn), 10));
    faults_end();
}

/* ---- Cancelled ---- */

static int gate[2], begun[2];

/* On the worker: says that it has begun, and waits to be let through. */
static int late_spawn(const struct nidoi_program *program, int *pid)
{
    char byte;

    if (write(begun[1], "b", 1) != 1 || read(gate[0], &byte, 1) != 1) return -EIO;
    return real.spawn(program, pid);
}

static void shut_gate(void)
{
    cr_assert(zero(int, pipe(gate)));
    cr_assert(zero(int, pipe(begun)));
    real = nidoi_sys;
    nidoi_sys.spawn = late_spawn;
}

static void remove_gate(void)
{
    nidoi_sys = real;
    for (int i = 0; i < 2; i++) {
        close(gate[i]);
        close(begun[i]);
    }
}

static void open_gate(void)
{
    cr_assert(eq(int, (int)write(gate[1], "g", 1), 1));
}

static int start_and_look(void *rc)
{
    nido_proc_options options = PROGRAM("cat");
    nido_proc proc;

    options.in.kind = NIDO_STDIO_PIPE;
    *(int *)rc = nido_proc_spawn(&proc, &options);
    if (*(int *)rc) return 0;
    cr_expect(eq(int, nido_proc_wait(&proc, NULL), -ECANCELED), "this point reports it");
    cr_expect(zero(int, nido_proc_stop(&proc, NULL)));
    let_go(&proc);
    return 0;
}

CHILDREN(proc_spawn, a_cancel_while_it_is_being_started_is_reported_afterwards)
{
    nido_group group;
    int rc = 1;

    shut_gate();
    nido_group_open(&group, NIDO_FAIL_FAST, "start");
    begin(&group, start_and_look, &rc);
    await_byte(begun[0]);
    nido_group_cancel(&group, 0, "enough");
    open_gate();
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, rc));
    remove_gate();
}

static int cancel_in_the_queue(void *unused)
{
    nido_group first, second;
    int rc = 1, other = 1;

    (void)unused;
    shut_gate();
    nido_group_open(&first, NIDO_FAIL_FAST, "first");
    begin(&first, start_and_look, &rc);
    await_byte(begun[0]);
    nido_group_open(&second, NIDO_FAIL_FAST, "second");
    begin(&second, start_and_look, &other);
    nido_yield();
    nido_group_cancel(&second, 0, "enough");
    cr_expect(zero(int, nido_group_close(&second, 0)));
    cr_expect(eq(int, other, -ECANCELED));
    nido_group_cancel(&first, 0, "enough");
    open_gate();
    cr_expect(zero(int, nido_group_close(&first, 0)));
    remove_gate();
    return 0;
}

NIDO_TEST(proc_spawn, a_cancel_before_it_is_being_started_starts_nothing)
{
    nido_options options = nido_test_virtual();

    options.pool_threads = 1;
    cr_expect(zero(int, nido_run(cancel_in_the_queue, NULL, &options)));
    expect_no_children();
}

CHILDREN(proc_spawn, a_cancelled_task_starts_nothing)
{
    nido_proc_options options = PROGRAM("true");
    nido_scope scope;
    nido_proc proc;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    faults_begin();
    cr_expect(eq(int, nido_proc_spawn(&proc, &options), -ECANCELED));
    cr_expect(zero(ulong, faults_count(FAULT_spawn)));
    cr_expect(zero(ulong, faults_count(FAULT_pipe)));
    faults_end();
    cr_expect(zero(int, nido_scope_close(&scope, -ECANCELED)));
}

/* ---- Every system call and allocation fails once ---- */

static int three_pipes(void *unused)
{
    nido_proc_options options = PROGRAM("cat");
    nido_proc proc;
    int rc;

    (void)unused;
    options.in.kind = options.out.kind = options.err.kind = NIDO_STDIO_PIPE;
    rc = nido_proc_spawn(&proc, &options);
    if (rc) return rc;
    end_input(&proc);
    expect_exit(&proc, 0);
    let_go(&proc);
    return 0;
}

struct attempt {
    enum fault kind;
    unsigned nth;
    int code;
    bool reached;
};

static int fail_once(void *arg)
{
    struct attempt *attempt = arg;
    int rc;

    cr_expect(zero(int, three_pipes(NULL)), "what is made once is there");
    faults_fail(attempt->kind, attempt->nth, attempt->code);
    attempt->nth += (unsigned)faults_count(attempt->kind);
    rc = three_pipes(NULL);
    attempt->reached = faults_count(attempt->kind) >= attempt->nth;
    faults_forget(attempt->kind);
    cr_expect(zero(int, three_pipes(NULL)), "afterwards all is well");
    return rc;
}

/* False: there is no such call. */
static bool start_without(enum fault kind, unsigned nth, int code)
{
    struct attempt attempt = {kind, nth, code, false};
    int rc;

    faults_begin();
    rc = nido_test_run(fail_once, &attempt);
    faults_end();
    expect_no_children();
    cr_expect(eq(int, rc, attempt.reached ? code : 0), "call %u of kind %d", nth, (int)kind);
    return attempt.reached;
}

NIDO_TEST(proc_spawn, a_start_survives_the_failure_of_every_system_call)
{
    static const struct {
        enum fault kind;
        int code;
    } calls[] = {{FAULT_pipe, -EMFILE},
                 {FAULT_nonblock, -EBADF},
                 {FAULT_dup, -EMFILE},
                 {FAULT_spawn, -EAGAIN},
                 {FAULT_child_open, -EMFILE}};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        bool reached = true;

        for (unsigned nth = 1; reached; nth++) {
            reached = start_without(calls[i].kind, nth, calls[i].code);
            if (nth == 1) cr_expect(reached, "kind %d is never called", (int)calls[i].kind);
        }
    }
}

NIDO_TEST(proc_spawn, a_child_that_cannot_be_watched_is_killed)
{
    cr_expect(start_without(FAULT_backend_change, 1, -ENOSPC), "the first is the child's");
}

static int first_of_all(void *arg)
{
    struct attempt *attempt = arg;

    faults_fail(attempt->kind, attempt->nth, attempt->code);
    attempt->nth += (unsigned)faults_count(attempt->kind);
    attempt->code = three_pipes(NULL);
    attempt->reached = faults_count(attempt->kind) >= attempt->nth;
    faults_forget(attempt->kind);
    return 0;
}

NIDO_TEST(proc_spawn, a_start_survives_the_failure_of_every_allocation)
{
    bool reached = true;

    for (unsigned nth = 1; reached; nth++) {
        struct attempt attempt = {FAULT_memory, nth, 0, false};

        faults_begin();
        cr_expect(zero(int, nido_test_run(first_of_all, &attempt)));
        faults_end();
        expect_no_children();
        reached = attempt.reached;
        cr_expect(attempt.code == (reached ? -ENOMEM : 0) || attempt.code == -EAGAIN ||
                      attempt.code == 0,
                  "allocation %u: %d", nth, attempt.code);
    }
}

NIDO_TEST(proc_spawn, without_a_worker_it_is_eagain)
{
    struct attempt attempt = {FAULT_thread, 1, -EAGAIN, false};

    faults_begin();
    cr_expect(zero(int, nido_test_run(first_of_all, &attempt)));
    faults_end();
    cr_expect(eq(int, attempt.code, -EAGAIN));
    expect_no_children();
}

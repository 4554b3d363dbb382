/* SPDX-License-Identifier: MIT */
/* Programs that are run to their end: fed, listened to, stopped. */
#include <stdlib.h>

#include "coro/task/sched.h"
#include "proc_help.h"

static void expect_run(const nido_proc_options *options, const char *input, int code,
                       const char *out, const char *err)
{
    nido_proc_result result;

    cr_expect(zero(int, nido_proc_run(options, input, strlen(input), &result)));
    cr_expect(eq(int, result.status.code, code));
    cr_expect(eq(str, result.out, (char *)out));
    cr_expect(eq(str, result.err, (char *)err));
    cr_expect(eq(sz, result.out_len, strlen(out)));
    cr_expect(eq(sz, result.err_len, strlen(err)));
    cr_expect(not(result.truncated));
    nido_proc_result_free(&result);
    cr_expect(eq(ptr, result.out, NULL));
}

CHILDREN(proc_run, it_is_fed_and_both_outputs_are_collected)
{
    nido_proc_options options = SHELL("cat; echo err >&2");

    expect_run(&options, "in", 0, "in", "err\n");
}

CHILDREN(proc_run, an_exit_status_is_no_failure_of_the_call)
{
    nido_proc_options options = SHELL("exit 9");

    expect_run(&options, "", 9, "", "");
}

CHILDREN(proc_run, without_input_it_reads_nothing)
{
    nido_proc_options options = PROGRAM("cat");

    expect_run(&options, "", 0, "", "");
    options.in.kind = NIDO_STDIO_PIPE;
    expect_run(&options, "", 0, "", "");
}

enum { MEGABYTE = 1 << 20 };

static char *megabyte(void)
{
    char *bytes = malloc(MEGABYTE);

    for (int i = 0; i < MEGABYTE; i++) bytes[i] = (char)(i * 7 + i / 251);
    return bytes;
}

/* More than any pipe holds, in three directions at once. */
CHILDREN(proc_run, a_megabyte_comes_back_from_both_outputs)
{
    nido_proc_options options = PROGRAM("tee", "/dev/stderr");
    char *bytes = megabyte();
    nido_proc_result result;

    cr_expect(zero(int, nido_proc_run(&options, bytes, MEGABYTE, &result)));
    cr_assert(eq(sz, result.out_len, MEGABYTE));
    cr_assert(eq(sz, result.err_len, MEGABYTE));
    cr_expect(zero(int, memcmp(result.out, bytes, MEGABYTE)));
    cr_expect(zero(int, memcmp(result.err, bytes, MEGABYTE)));
    nido_proc_result_free(&result);
    free(bytes);
}

/* S298 */
CHILDREN(proc_run, a_program_that_does_not_want_its_input_is_no_failure)
{
    nido_proc_options options = SHELL("exec 0<&-; exit 4");
    char *bytes = megabyte();
    nido_proc_result result;

    cr_expect(zero(int, nido_proc_run(&options, bytes, MEGABYTE, &result)));
    cr_expect(eq(int, result.status.code, 4));
    nido_proc_result_free(&result);
    free(bytes);
}

CHILDREN(proc_run, what_is_not_a_pipe_is_not_collected)
{
    nido_proc_options options = SHELL("echo out; echo err >&2");
    nido_proc_result result;

    options.out.kind = NIDO_STDIO_NULL;
    options.err.kind = NIDO_STDIO_STDOUT;
    cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &result)));
    cr_expect(eq(ptr, result.out, NULL));
    cr_expect(eq(ptr, result.err, NULL));
    nido_proc_result_free(&result);
    options.in.kind = NIDO_STDIO_NULL;
    cr_expect(eq(int, nido_proc_run(&options, "x", 1, &result), -EINVAL));
    cr_expect(eq(int, nido_proc_run(NULL, NULL, 0, &result), -EINVAL));
    options =
        PROGRAM("/no-such-program"); /* PATH may name folders that this user must not search */
    cr_expect(eq(int, nido_proc_run(&options, NULL, 0, &result), -ENOENT));
    nido_proc_result_free(&result);
}

CHILDREN(proc_run, a_status_that_somebody_else_took_is_echild_and_the_output_is_there)
{
    nido_proc_options options = SHELL("echo out");
    struct sigaction action = {.sa_handler = SIG_IGN}, before;
    nido_proc_result result;

    sigaction(SIGCHLD, &action, &before);
    cr_expect(eq(int, nido_proc_run(&options, NULL, 0, &result), -ECHILD));
    cr_expect(eq(str, result.out, "out\n"));
    nido_proc_result_free(&result);
    sigaction(SIGCHLD, &before, NULL);
}

/* ---- The limit ---- */

CHILDREN(proc_run, as_much_as_the_limit_is_not_too_much)
{
    nido_proc_options options = PROGRAM("head", "-c", "10000", "/dev/zero");
    nido_proc_result result;

    options.output_limit = 10000;
    cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &result)));
    cr_expect(eq(sz, result.out_len, 10000));
    cr_expect(not(result.truncated));
    nido_proc_result_free(&result);
    options.output_limit = 9999;
    cr_expect(eq(int, nido_proc_run(&options, NULL, 0, &result), -EOVERFLOW));
    cr_expect(eq(sz, result.out_len, 9999));
    cr_expect(result.truncated);
    nido_proc_result_free(&result);
}

CHILDREN(proc_run, who_says_too_much_is_stopped)
{
    nido_proc_options options = PROGRAM("yes");
    nido_proc_result result;

    options.output_limit = 5;
    cr_expect(eq(int, nido_proc_run(&options, NULL, 0, &result), -EOVERFLOW));
    cr_expect(
        eq(str, (char *)nido_error_text(nido_error_last()), "yes: more than 5 bytes of output"));
    cr_expect(eq(str, result.out, "y\ny\ny"));
    cr_expect(eq(int, result.status.signal, SIGTERM));
    cr_expect(result.truncated);
    nido_proc_result_free(&result);
}

/* What it says when it is told to go does not fit into a pipe: it is read all the same. */
CHILDREN(proc_run, who_is_stopped_is_listened_to_until_it_goes)
{
    nido_proc_options options = SHELL("trap 'head -c 300000 /dev/zero; exit 8' TERM; echo too "
                                      "much; while :; do read x <&2; done");
    nido_proc_result result;
    int hold[2];

    cr_assert(zero(int, pipe(hold)));
    options.err = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    options.output_limit = 1;
    options.kill_grace_ns = NIDO_NEVER;
    cr_expect(eq(int, nido_proc_run(&options, NULL, 0, &result), -EOVERFLOW));
    cr_expect(eq(int, result.status.code, 8));
    cr_expect(eq(str, result.out, "t"));
    nido_proc_result_free(&result);
    close(hold[0]);
    close(hold[1]);
}

/* ---- Cancelled ---- */

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

/* Runs `text`, cancels when it has written a byte to standard error. `hold` is a pipe that it may
 * wait on, as its standard input. */
static void cancel_in_the_middle(struct performance *self)
{
    int hold[2], said[2];
    nido_group group;

    cr_assert(zero(int, pipe(hold)));
    cr_assert(zero(int, pipe(said)));
    self->options.in = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    self->options.err = (nido_stdio){NIDO_STDIO_FD, said[1]};
    nido_group_open(&group, NIDO_FAIL_FAST, "performance");
    begin(&group, perform, self);
    await_byte(said[0]);
    cr_expect(zero(int, nido_group_cancel(&group, -ETIME, "enough")));
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIME));
    cr_expect(eq(int, self->rc, -ECANCELED));
    for (int i = 0; i < 2; i++) {
        close(hold[i]);
        close(said[i]);
    }
}

CHILDREN(proc_run, a_cancel_stops_it_and_its_output_so_far_is_there)
{
    struct performance self = {
        .options = SHELL("trap 'echo goodbye; exit 6' TERM; echo hello; echo >&2; read x")};

    self.options.kill_grace_ns = NIDO_NEVER;
    cancel_in_the_middle(&self);
    cr_expect(eq(str, self.result.out, "hello\ngoodbye\n"));
    cr_expect(eq(int, self.result.status.code, 6));
    nido_proc_result_free(&self.result);
}

static struct nidoi_sys real;
static int begun[2];

/* On the worker: the program has come to its end when its start returns. */
static int slow_spawn(const struct nidoi_program *program, int *pid)
{
    int err = real.spawn(program, pid);

    if (!err) await_zombie(*pid);
    return err || write(begun[1], "b", 1) == 1 ? err : -EIO;
}

CHILDREN(proc_run, a_cancel_while_it_is_being_started_loses_no_output)
{
    struct performance self = {.options = SHELL("echo hello; echo err >&2; exit 6")};
    nido_group group;

    cr_assert(zero(int, pipe(begun)));
    real = nidoi_sys;
    nidoi_sys.spawn = slow_spawn;
    nido_group_open(&group, NIDO_FAIL_FAST, "performance");
    begin(&group, perform, &self);
    cr_expect(zero(int, nido_yield()));
    cr_assert(eq(int, (int)read(begun[0], &(char){0}, 1), 1));
    cr_expect(zero(int, nido_group_cancel(&group, -ETIME, "enough")));
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIME));
    nidoi_sys = real;
    cr_expect(eq(int, self.rc, -ECANCELED));
    cr_expect(eq(str, self.result.out, "hello\n"));
    cr_expect(eq(str, self.result.err, "err\n"));
    cr_expect(eq(int, self.result.status.code, 6));
    nido_proc_result_free(&self.result);
    close(begun[0]);
    close(begun[1]);
}

/* S295 */
CHILDREN_IN_TIME(proc_run, who_does_not_heed_the_cancel_is_killed_after_the_grace)
{
    struct performance self = {.options = SHELL("trap '' TERM; echo hello; echo >&2; read x")};

    self.options.kill_grace_ns = NIDO_MS(20);
    cancel_in_the_middle(&self);
    cr_expect(eq(str, self.result.out, "hello\n"));
    cr_expect(eq(int, self.result.status.signal, SIGKILL));
    nido_proc_result_free(&self.result);
}

struct timed {
    struct performance performance;
    nido_scope scope;
    int rc;
};

static int perform_in_time(void *arg)
{
    struct timed *self = arg;

    nido_deadline_open(&self->scope, nido_after(NIDO_SEC(3600)));
    self->rc = nido_scope_close(&self->scope, perform(&self->performance));
    return 0;
}

/* The hour is over when the program has begun. */
CHILDREN(proc_run, a_deadline_is_a_cancel)
{
    struct timed self = {.performance.options = SHELL("echo >&2; exec cat")};
    nido_group group;
    int hold[2], said[2];

    cr_assert(zero(int, pipe(hold)));
    cr_assert(zero(int, pipe(said)));
    self.performance.options.in = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    self.performance.options.err = (nido_stdio){NIDO_STDIO_FD, said[1]};
    nido_group_open(&group, NIDO_FAIL_FAST, "performance");
    begin(&group, perform_in_time, &self);
    await_byte(said[0]);
    cr_expect(zero(int, nido_scope_move(&self.scope, nido_now())));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, self.rc, -ETIMEDOUT));
    cr_expect(eq(int, self.performance.result.status.signal, SIGTERM));
    nido_proc_result_free(&self.performance.result);
    for (int i = 0; i < 2; i++) {
        close(hold[i]);
        close(said[i]);
    }
}

CHILDREN(proc_run, a_cancelled_task_runs_nothing)
{
    struct performance self = {.options = PROGRAM("true"), .result.out_len = 1};
    nido_scope scope;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    cr_expect(eq(int, perform(&self), -ECANCELED));
    cr_expect(zero(sz, self.result.out_len));
    cr_expect(zero(int, nido_scope_close(&scope, -ECANCELED)));
}

/* ---- Those it leaves behind ---- */

/* S299: the `cat` that it leaves holds the output until `hold` is closed. */
CHILDREN(proc_run, who_holds_its_pipes_afterwards_is_waited_for_no_longer_than_the_grace)
{
    nido_proc_options options = SHELL("exec 4<&0; cat <&4 & echo done; exit 2");
    nido_proc_result result;
    int hold[2];

    cr_assert(zero(int, pipe(hold)));
    options.in = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    options.kill_grace_ns = NIDO_MS(20);
    cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &result)));
    cr_expect(eq(str, result.out, "done\n"));
    cr_expect(eq(int, result.status.code, 2));
    nido_proc_result_free(&result);
    close(hold[0]);
    close(hold[1]);
}

/* It reads and writes no more, but the input that nobody reads must not hold us. */
CHILDREN(proc_run, who_holds_its_input_afterwards_does_not_hold_us)
{
    nido_proc_options options = SHELL("exec 4<&0 5<&2; read x <&5 4<&4 & exit 2");
    char *bytes = megabyte();
    nido_proc_result result;
    int hold[2];

    cr_assert(zero(int, pipe(hold)));
    options.out.kind = NIDO_STDIO_NULL;
    options.err = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    options.kill_grace_ns = NIDO_MS(20);
    cr_expect(zero(int, nido_proc_run(&options, bytes, MEGABYTE, &result)));
    cr_expect(eq(int, result.status.code, 2));
    free(bytes);
    close(hold[0]);
    close(hold[1]);
}

/* S299: the end of the pipe that it holds too says that it is gone. */
CHILDREN(proc_run, what_is_left_of_its_group_is_killed_after_the_grace)
{
    nido_proc_options options = SHELL("exec 4<&0; cat <&4 & echo done");
    nido_proc_result result;
    int hold[2], alive[2];
    char byte;

    cr_assert(zero(int, pipe(hold)));
    cr_assert(zero(int, pipe(alive)));
    options.in = (nido_stdio){NIDO_STDIO_FD, hold[0]};
    options.err = (nido_stdio){NIDO_STDIO_FD, alive[1]};
    options.kill_grace_ns = NIDO_MS(20);
    options.new_group = true;
    cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &result)));
    cr_expect(eq(str, result.out, "done\n"));
    nido_proc_result_free(&result);
    close(alive[1]);
    cr_expect(zero(int, (int)nido_read(alive[0], &byte, 1)));
    close(alive[0]);
    close(hold[0]);
    close(hold[1]);
}

CHILDREN(proc_run, after_a_cancel_nothing_is_left_of_its_group)
{
    struct performance self = {
        .options =
            SHELL("trap '' TERM; exec 4<&0; cat <&4 & trap 'exit 1' TERM; echo >&2; read x <&4")};
    int alive[2];
    char byte;

    cr_assert(zero(int, pipe(alive)));
    self.options.out = (nido_stdio){NIDO_STDIO_FD, alive[1]};
    self.options.new_group = true;
    cancel_in_the_middle(&self);
    cr_expect(eq(int, self.result.status.code, 1));
    nido_proc_result_free(&self.result);
    close(alive[1]);
    cr_expect(zero(int, (int)nido_read(alive[0], &byte, 1)));
    close(alive[0]);
}

/* A process that writes for ever: what is there is taken, and no more is waited for. How much it writes before
 * the end of the shell is seen is up to the scheduler: 9 MiB on a busy machine. */
CHILDREN(proc_run, an_endless_talker_that_it_leaves_behind_does_not_hold_us)
{
    nido_proc_options options = SHELL("yes & exit 0");
    nido_proc_result result;
    int rc;

    options.kill_grace_ns = -1;
    rc = nido_proc_run(&options, NULL, 0, &result);
    cr_expect(zero(int, rc));
    cr_expect(le(sz, result.out_len, 64 << 20));
    nido_proc_result_free(&result);
}

static bool gone;
static size_t flood;

static int noting_waitid(int type, int id, siginfo_t *out, int options)
{
    int rc = real.waitid(type, id, out, options);

    gone |= !rc && out->si_pid && !(options & WNOWAIT);
    return rc;
}

enum { PIPE = 64 << 10, LAST_LOOK = 1 << 20 };

/* Another process holds the pipe open: the end does not come with that of the program. */
static ssize_t read_until_it_is_gone(int fd, void *buf, size_t len)
{
    ssize_t n = real.read(fd, buf, len);

    return n ? n : -EAGAIN;
}

/* Once the program is gone there is always more to read, a pipe's content a call, up to 64 MiB. */
static ssize_t endless_read(int fd, void *buf, size_t len)
{
    enum { LEAST_OF_OUTPUT = 512, END = 64 << 20 };

    if (len < LEAST_OF_OUTPUT) return real.read(fd, buf, len);
    if (!gone) return read_until_it_is_gone(fd, buf, len);
    if (flood >= END) return 0;
    if (len > PIPE) len = PIPE;
    flood += len;
    memset(buf, 'y', len);
    return (ssize_t)len;
}

/* Each output's reader may come before the one who hears of the end, for a whole turn; then it looks for
 * the last time. */
CHILDREN(proc_run, what_comes_after_its_end_without_end_is_cut)
{
    nido_proc_options options = SHELL("exit 0");
    nido_proc_result result;

    options.kill_grace_ns = -1;
    options.output_limit = 128 << 20;
    real = nidoi_sys;
    gone = false;
    flood = 0;
    nidoi_sys.waitid = noting_waitid;
    nidoi_sys.read = endless_read;
    cr_expect(zero(int, nido_proc_run(&options, NULL, 0, &result)));
    nidoi_sys = real;
    cr_expect(gt(sz, flood, 0));
    cr_expect(le(sz, flood, 2 * (NIDOI_BUDGET * PIPE + LAST_LOOK + PIPE)));
    nido_proc_result_free(&result);
}

/* No task reads then: the last look is all there is. */
CHILDREN(proc_run, nor_is_more_taken_if_the_cancel_came_while_it_was_started)
{
    struct performance self = {.options = SHELL("exit 0")};
    nido_group group;

    self.options.output_limit = 128 << 20;
    cr_assert(zero(int, pipe(begun)));
    real = nidoi_sys;
    gone = false;
    flood = 0;
    nidoi_sys.spawn = slow_spawn;
    nidoi_sys.waitid = noting_waitid;
    nidoi_sys.read = endless_read;
    nido_group_open(&group, NIDO_FAIL_FAST, "performance");
    begin(&group, perform, &self);
    cr_expect(zero(int, nido_yield()));
    cr_assert(eq(int, (int)read(begun[0], &(char){0}, 1), 1));
    cr_expect(zero(int, nido_group_cancel(&group, -ETIME, "enough")));
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIME));
    nidoi_sys = real;
    cr_expect(gt(sz, flood, 0));
    cr_expect(le(sz, flood, 2 * (LAST_LOOK + PIPE)));
    nido_proc_result_free(&self.result);
    close(begun[0]);
    close(begun[1]);
}

/* ---- Every allocation and system call fails once ---- */

struct attempt {
    enum fault kind;
    unsigned nth;
    int code;
    bool reached;
};

static int fail_once(void *arg)
{
    struct attempt *attempt = arg;
    nido_proc_options options = SHELL("cat; echo err >&2");
    nido_proc_result result;
    char *bytes = megabyte();
    int rc;

    faults_fail(attempt->kind, attempt->nth, attempt->code);
    attempt->nth += (unsigned)faults_count(attempt->kind);
    rc = nido_proc_run(&options, bytes, MEGABYTE, &result);
    attempt->reached = faults_count(attempt->kind) >= attempt->nth;
    faults_forget(attempt->kind);
    if (!rc) cr_expect(eq(sz, result.out_len, MEGABYTE));
    if (!rc) cr_expect(eq(str, result.err, "err\n"));
    nido_proc_result_free(&result);
    free(bytes);
    return rc;
}

static bool run_without(enum fault kind, unsigned nth, int code)
{
    struct attempt attempt = {kind, nth, code, false};
    nido_options options = nido_test_virtual();
    int rc;

    faults_begin();
    rc = nido_run(fail_once, &attempt, &options);
    faults_end();
    expect_no_children();
    cr_expect(rc == 0 || (attempt.reached && (rc == code || rc == -EAGAIN)),
              "%d: call %u of kind %d", rc, nth, (int)kind); /* -EAGAIN: no worker */
    return attempt.reached;
}

NIDO_TEST(proc_run, a_run_survives_the_failure_of_every_allocation)
{
    for (unsigned nth = 1; run_without(FAULT_memory, nth, -ENOMEM); nth++) {
    }
}

NIDO_TEST(proc_run, a_run_survives_the_failure_of_a_read)
{
    cr_expect(run_without(FAULT_read, 1, -EIO));
    cr_expect(run_without(FAULT_read, 3, -EIO));
}

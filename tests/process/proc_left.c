/* SPDX-License-Identifier: MIT */
/* Children that nobody waits for: they are reaped all the same. */
#include <pthread.h>
#include <stdlib.h>

#include "coro/runtime/loop.h"
#include "proc_help.h"
#include "process/child.h"

/* ---- A bell for each child that is reaped for good ---- */

static int bell[2];
static struct nidoi_sys real;

static int noted_waitid(int type, int id, siginfo_t *out, int options)
{
    int rc = real.waitid(type, id, out, options);

    if (!rc && out->si_pid && !(options & WNOWAIT))
        cr_assert(eq(int, (int)write(bell[1], "r", 1), 1));
    return rc;
}

static int noted_close(int fd)
{
    int rc = real.close(fd);

    if (!nidoi_loop_self()) cr_assert(eq(int, (int)write(bell[1], "c", 1), 1));
    return rc;
}

static void hang_bell(void)
{
    cr_assert(zero(int, pipe(bell)));
    real = nidoi_sys;
}

static void take_bell_down(void)
{
    nidoi_sys = real;
    close(bell[0]);
    close(bell[1]);
}

/* ---- During the run ---- */

CHILDREN(proc_left, a_released_child_goes_on_and_is_reaped_when_it_ends)
{
    nido_proc proc = begin_cat();
    int in = nido_proc_take(&proc, 0), out = nido_proc_take(&proc, 1);
    int pid = nido_proc_pid(&proc);

    hang_bell();
    nidoi_sys.waitid = noted_waitid;
    let_go(&proc);
    cr_expect(eq(int, nido_proc_pid(&proc), -EBADF));
    let_go(&proc);
    cr_expect(eq(int, (int)nido_write(in, "x", 1), 1));
    await_byte(out);
    cr_expect(zero(int, kill(pid, 0)));
    nido_close(in);
    await_byte(bell[0]);
    cr_expect(eq(int, kill(pid, 0), -1), "it is no zombie");
    nido_close(out);
    take_bell_down();
}

CHILDREN(proc_left, one_that_ends_while_it_is_released_is_reaped)
{
    nido_proc_options options = PROGRAM("true");
    nido_proc proc = begin_child(&options);

    hang_bell();
    nidoi_sys.waitid = noted_waitid;
    await_zombie(nido_proc_pid(&proc));
    let_go(&proc);
    await_byte(bell[0]);
    take_bell_down();
}

CHILDREN(proc_left, one_that_has_ended_needs_no_wait)
{
    nido_proc_options options = PROGRAM("true");
    nido_proc proc = begin_child(&options);

    hang_bell();
    nidoi_sys.waitid = noted_waitid;
    await_byte(bell[0]);
    let_go(&proc);
    take_bell_down();
}

CHILDREN(proc_left, a_report_that_was_not_the_end_is_waited_out)
{
    nido_proc proc = begin_cat();
    struct nidoi_loop *loop = nidoi_loop_self();
    int fd = proc.child->fd;

    cr_expect(zero(int, nido_proc_kill(&proc, SIGKILL)));
    await_zombie(nido_proc_pid(&proc));
    faults_begin();
    faults_fail(FAULT_waitid, 1, -EAGAIN);
    while (!faults_count(FAULT_waitid)) nido_yield();
    cr_expect(eq(int, (int)proc.child->state, NIDOI_CHILD_RUNNING));
    /* a new entry begins with a report */
    nidoi_backend_remove(&loop->reactor.backend, fd);
    cr_expect(zero(int, nidoi_backend_add(&loop->reactor.backend, fd,
                                          nidoi_reactor_find(&loop->reactor, fd)->generation)));
    expect_signal(&proc, SIGKILL);
    faults_end();
    let_go(&proc);
}

/* ---- Deadlocks ---- */

struct lonely {
    nido_proc proc;
    int reports;
    int alive; /* of kill(2), at the report */
    int pid;
};

static void ask_for_it(void *ctx, const char *text)
{
    struct lonely *lonely = ctx;

    (void)text;
    lonely->reports++;
    lonely->alive = kill(lonely->pid, 0);
}

static int wait_for_nothing(void *arg)
{
    struct lonely *lonely = arg;
    nido_proc_options options = PROGRAM("true");
    nido_event event;

    nido_event_init(&event, "godot");
    lonely->proc = begin_child(&options);
    lonely->pid = nido_proc_pid(&lonely->proc);
    cr_expect(eq(int, nido_event_wait(&event), -ECANCELED));
    let_go(&lonely->proc);
    return 0;
}

static int wait_for_it(void *arg)
{
    expect_exit(arg, 0);
    return 0;
}

static int wait_for_the_child_alone(void *unused)
{
    nido_proc_options options = SHELL("exit 0");
    nido_proc proc = begin_child(&options);
    nido_event event;
    nido_group group;

    (void)unused;
    nido_event_init(&event, "godot");
    nido_group_open(&group, NIDO_FAIL_FAST, "pair");
    begin(&group, wait_for_it, &proc);
    cr_expect(zero(int, nido_yield()));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    let_go(&proc);
    return 0;
}

/* S353 */
NIDO_TEST(proc_left, a_child_that_is_waited_for_is_no_deadlock)
{
    struct lonely lonely = {.reports = 0};
    nido_options options = nido_test_virtual();

    options.on_report = ask_for_it;
    options.ctx = &lonely;
    cr_expect(zero(int, nido_run(wait_for_the_child_alone, NULL, &options)));
    cr_expect(zero(int, lonely.reports));
    expect_no_children();
}

/* S353: the report comes, and not before the child has ended. */
NIDO_TEST(proc_left, while_a_child_is_out_no_deadlock_is_reported)
{
    struct lonely lonely = {.reports = 0};
    nido_options options = nido_test_virtual();

    options.on_report = ask_for_it;
    options.ctx = &lonely;
    cr_expect(eq(int, nido_run(wait_for_nothing, &lonely, &options), -EDEADLK));
    cr_expect(eq(int, lonely.reports, 1));
    cr_expect(eq(int, lonely.alive, -1), "it was reaped by then");
    expect_no_children();
}

/* ---- After the run ---- */

static nido_proc kept;
static int hold; /* the input of the child that outlives its run */

static int begin_and_forget(void *unused)
{
    nido_proc_options options = PROGRAM("cat");
    int ends[2];

    (void)unused;
    cr_assert(zero(int, pipe(ends)));
    options.in = (nido_stdio){NIDO_STDIO_FD, ends[0]};
    options.out.kind = NIDO_STDIO_PIPE;
    kept = begin_child(&options);
    close(ends[0]);
    hold = ends[1];
    return nido_proc_pid(&kept);
}

static void await_bell(void)
{
    char byte;

    cr_assert(eq(int, (int)read(bell[0], &byte, 1), 1));
}

static int use_of_another_run(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_proc_wait(&kept, NULL), -EXDEV));
    cr_expect(eq(int, nido_proc_kill(&kept, SIGKILL), -EXDEV));
    cr_expect(eq(int, nido_proc_stop(&kept, NULL), -EXDEV));
    cr_expect(eq(int, nido_proc_pid(&kept), -EXDEV));
    cr_expect(eq(int, nido_proc_take(&kept, 0), -EXDEV));
    cr_expect(eq(int, nido_proc_release(&kept), -EXDEV));
    return 0;
}

NIDO_TEST(proc_left, a_child_that_outlives_the_run_is_reaped_when_it_ends)
{
    nido_proc_options options = PROGRAM("cat");
    int pid;

    hang_bell();
    pid = nido_test_run(begin_and_forget, NULL);
    cr_expect(zero(int, kill(pid, 0)), "it was left running");
    cr_expect(zero(int, nido_test_run(use_of_another_run, NULL)));
    cr_expect(eq(int, nido_proc_spawn(&(nido_proc){0}, &options), -EPERM));
    cr_expect(eq(int, nido_proc_wait(&kept, NULL), -EPERM));
    cr_expect(eq(int, nido_proc_stop(&kept, NULL), -EPERM));
    cr_expect(eq(int, nido_proc_release(&kept), -EPERM));
    nidoi_sys.close = noted_close;
    close(hold);
    await_bell();
    take_bell_down();
    expect_no_children();
}

static int begin_two_and_forget(void *second)
{
    begin_and_forget(NULL);
    *(int *)second = hold;
    return begin_and_forget(NULL);
}

NIDO_TEST(proc_left, several_that_outlive_the_run_are_reaped_in_any_order)
{
    int first;

    hang_bell();
    nido_test_run(begin_two_and_forget, &first);
    nidoi_sys.close = noted_close;
    close(hold);
    await_bell();
    close(first);
    await_bell();
    take_bell_down();
    expect_no_children();
}

static int forget_a_group(void *unused)
{
    nido_proc_options options = PROGRAM("true");

    (void)unused;
    options.new_group = true;
    kept = begin_child(&options);
    expect_exit(&kept, 0);
    return 0;
}

NIDO_TEST(proc_left, what_was_not_released_is_released_with_the_run)
{
    cr_expect(zero(int, nido_test_run(forget_a_group, NULL)));
    expect_no_children();
}

struct poor {
    enum fault lacking;
    char text[256];
    int pid;
};

static void keep(void *ctx, const char *text)
{
    snprintf(((struct poor *)ctx)->text, sizeof((struct poor *)ctx)->text, "%s", text);
}

static int outlive_without(void *arg)
{
    struct poor *poor = arg;

    poor->pid = begin_and_forget(NULL);
    faults_fail(poor->lacking, FAULT_ALWAYS, -EAGAIN);
    return 0;
}

NIDO_TEST(proc_left, without_anybody_to_reap_them_it_is_said)
{
    static const enum fault lacking[] = {FAULT_thread, FAULT_memory};

    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        struct poor poor = {.lacking = lacking[i]};
        nido_options options = nido_test_virtual();

        options.on_report = keep;
        options.ctx = &poor;
        faults_begin();
        cr_expect(zero(int, nido_run(outlive_without, &poor, &options)));
        faults_end();
        cr_expect(ne(ptr, strstr(poor.text, "zombies"), NULL), "%s", poor.text);
        close(hold);
        cr_expect(eq(int, waitpid(poor.pid, NULL, 0), poor.pid));
    }
}

/* ---- Many ---- */

enum { AT_ONCE = 20, ROUNDS = 100 };

static int come_and_go(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        nido_proc_options options = PROGRAM("true");
        nido_proc proc = begin_child(&options);

        if (i % 3) expect_exit(&proc, 0);
        let_go(&proc);
    }
    return 0;
}

static int many_come_and_go(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "many");
    for (int i = 0; i < AT_ONCE; i++) begin(&group, come_and_go, NULL);
    return nido_group_close(&group, 0);
}

struct noted_thread {
    void *(*fn)(void *);
    void *arg;
};

static void *run_noted(void *arg)
{
    struct noted_thread noted = *(struct noted_thread *)arg;

    free(arg);
    noted.fn(noted.arg);
    cr_assert(eq(int, (int)write(bell[1], "t", 1), 1));
    return NULL;
}

static int threads; /* begun, whose end the bell will tell */

static int noted_thread(pthread_t *out, void *(*fn)(void *), void *arg)
{
    struct noted_thread *noted = malloc(sizeof *noted);
    int err;

    *noted = (struct noted_thread){fn, arg};
    err = real.thread(out, run_noted, noted);
    if (err) free(noted);
    threads += !err;
    return err;
}

/* What a run leaves is reaped by a thread, which is done when its last descriptor is closed. */
NIDO_TEST(proc_left, hundreds_of_children_leave_nothing)
{
    hang_bell();
    nidoi_sys.thread = noted_thread;
    cr_expect(zero(int, nido_test_run(many_come_and_go, NULL)));
    for (; threads; threads--) await_bell();
    take_bell_down();
    expect_no_children();
}

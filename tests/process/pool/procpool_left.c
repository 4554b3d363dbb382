/* SPDX-License-Identifier: MIT */
/* What jobs leave behind: it meets no later job, and it outlives neither its worker nor the pool. */
#include "procpool_help.h"

#include <sched.h>
#include <sys/prctl.h>

/* Both copies come back from it. */
static int fork_twice_job(nido_procjob *job)
{
    nido_procjob_reply(job, "mine", 4);
    return fork() ? 1 : 2;
}

INSIDE(procpool_left, a_job_that_forks_and_returns_twice_replies_once)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    for (int i = 0; i < 20; i++) {
        cr_expect(eq(int, ask(pool, fork_twice_job), 1));
        expect_works(pool);
    }
    cr_expect(zero(u64, stats_of(pool).deaths));
    pool_end(pool);
}

static int zombie_job(nido_procjob *job)
{
    siginfo_t info;
    int pid = fork();

    if (pid == 0) _exit(0);
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    return echo_job(job);
}

INSIDE(procpool_left, a_child_that_has_ended_does_not_cost_the_worker)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    for (int i = 0; i < 3; i++) cr_expect(eq(int, ask(pool, zombie_job), 7));
    cr_expect(eq(u64, stats_of(pool).started, 1));
    pool_end(pool);
}

static int grandchild_job(nido_procjob *job)
{
    int pid = fork();

    if (pid == 0) hang_job(job);
    return nido_procjob_reply(job, &pid, sizeof pid);
}

/* Forks twice and leads a session of its own, as daemons do. */
static int daemon_job(nido_procjob *job)
{
    int ends[2], pid = 0;

    if (pipe(ends)) return -EIO;
    if (fork() == 0) {
        setsid();
        pid = fork();
        if (pid == 0) hang_job(job);
        _exit(write(ends[1], &pid, sizeof pid) != sizeof pid);
    }
    if (read(ends[0], &pid, sizeof pid) != sizeof pid) return -EIO;
    while (wait(NULL) < 0 && errno == EINTR) continue;
    return nido_procjob_reply(job, &pid, sizeof pid);
}

static void expect_over_before_the_next_job(nido_procjob_fn *fn)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    int pid = ask_number(pool, fn);

    cr_expect(gt(int, pid, 0));
    cr_expect(zero(u32, stats_of(pool).workers), "its worker does no other job");
    cr_expect(eq(u64, stats_of(pool).recycled, 1));
    cr_expect(process_is_over(pid));
    expect_works(pool);
    pool_end(pool);
}

INSIDE(procpool_left, what_a_job_has_forked_ends_with_it)
{
    expect_over_before_the_next_job(grandchild_job);
}

#ifdef __linux__

INSIDE(procpool_left, what_has_left_the_workers_group_and_session_ends_too)
{
    expect_over_before_the_next_job(daemon_job);
}

static int tell_pid; /* the end of a pipe that jobs have, for the pid of what they leave */

static int leave_daemon_and_die_job(nido_procjob *job)
{
    int pid;

    if (fork() == 0) {
        setsid();
        pid = getpid();
        if (write(STDOUT_FILENO, &pid, sizeof pid) == sizeof pid) hang_job(job);
        _exit(1);
    }
    while (pause() < 0) continue;
    return 0;
}

/* The job hangs; its worker is killed from outside. */
static int lose_worker(void *unused)
{
    nido_procpool *pool = NULL;
    struct asker asker;
    nido_group group;
    int pid = 0;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    nido_group_open(&group, NIDO_FAIL_FAST, "call");
    asker = (struct asker){.pool = pool, .fn = leave_daemon_and_die_job};
    NEED(nido_spawn(&group, asker_body, &asker) == 0);
    NEED(nido_read(tell_pid, &pid, sizeof pid) == sizeof pid);
    nido_scope_cancel(&asker.scope, -ETIME, "enough");
    NEED(nido_group_close(&group, 0) == 0);
    NEED(asker.rc == -ECANCELED);
    NEED(process_is_over(pid));
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int losing_workers(void)
{
    int ends[2];

    NEED(pipe(ends) == 0);
    dup2(ends[1], STDOUT_FILENO);
    tell_pid = ends[0];
    NEED(nido_procpool_prepare() == 0);
    return nido_run(lose_worker, NULL, NULL);
}

NIDO_TEST(procpool_left, what_a_killed_worker_has_left_elsewhere_is_killed_too)
{
    cr_expect(zero(int, in_child(losing_workers)));
}

#endif

/* Leaves a child in its group, and goes to that of the program. */
static int escape_job(nido_procjob *job)
{
    const int *group = nido_procjob_input(job, NULL);

    signal(SIGTERM, SIG_IGN);
    if (fork() == 0) hang_job(job);
    if (setpgid(0, *group)) return -errno;
    return hang_job(job);
}

struct escape {
    nido_procpool *pool;
    nido_procpool_result result;
    int rc;
};

static int call_escape(void *arg)
{
    struct escape *escape = arg;
    int group = getpgrp();

    escape->rc =
        nido_procpool_call(escape->pool, escape_job, &group, sizeof group, NULL, &escape->result);
    return escape->rc;
}

INSIDE(procpool_left, a_worker_that_has_left_its_group_is_killed_all_the_same)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    struct escape escape = {.pool = NULL};
    nido_group group;

    options.kill_grace_ns = NIDO_MS(1);
    escape.pool = pool_with(&options);
    nido_group_open(&group, NIDO_WAIT_ALL, "call");
    begin(&group, call_escape, &escape);
    while (heard.len < 2 * strlen("ready")) {
        cr_expect(zero(int, nido_event_wait(&heard.ready)));
        nido_event_reset(&heard.ready);
    }
    nido_group_cancel(&group, -ETIME, "enough");
    nido_group_close(&group, 0);
    cr_expect(eq(int, escape.rc, -ECANCELED));
    cr_expect(process_is_over(escape.result.pid));
    cr_expect(zero(u32, stats_of(escape.pool).workers));
    nido_procpool_result_deinit(&escape.result);
    expect_works(escape.pool);
    pool_end(escape.pool);
}

#ifdef __linux__

/* ---- A program that adopts orphans ---- */

static bool no_child_is_seen(void)
{
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
}

static volatile sig_atomic_t children_ended;

static void count_child(int signal)
{
    (void)signal;
    children_ended++;
}

static int work_unseen(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, daemon_job) == 0);
    NEED(ask(pool, echo_job) == 7);
    NEED(no_child_is_seen());
    NEED(nido_procpool_free(pool) == 0);
    NEED(no_child_is_seen());
    return 0;
}

static int unseen(void)
{
    signal(SIGCHLD, count_child);
    NEED(nido_procpool_prepare() == 0);
    NEED(no_child_is_seen());
    NEED(nido_run(work_unseen, NULL, NULL) == 0);
    NEED(children_ended == 0);
    return 0;
}

static int as_subreaper(void)
{
    NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    return unseen();
}

NIDO_TEST(procpool_left, a_program_that_adopts_orphans_gets_none_of_ours)
{
    cr_expect(zero(int, in_child(as_subreaper)));
}

static int as_pid_1(void)
{
    int status = 0, pid;

    if (unshare(CLONE_NEWPID)) return 0; /* not allowed here */
    pid = fork();
    if (pid == 0) {
        alarm(60);
        NEED(getpid() == 1);
        _exit(unseen());
    }
    NEED(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

NIDO_TEST(procpool_left, nor_does_one_that_is_pid_1)
{
    cr_expect(zero(int, in_child(as_pid_1)));
}

static int kill_server_job(nido_procjob *job)
{
    kill(getppid(), SIGKILL);
    return hang_job(job);
}

static int lose_server(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, kill_server_job) == -ECHILD);
    NEED(ask(pool, echo_job) == -EPIPE);
    NEED(nido_procpool_free(pool) == 0);
    while (waitpid(-1, NULL, 0) > 0)
        continue; /* the worker's zombie, ours after the server's end */
    NEED(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
    return 0;
}

static int losing_the_server(void)
{
    NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(lose_server, NULL, NULL);
}

NIDO_TEST(procpool_left, a_server_that_was_a_child_and_died_is_reaped)
{
    cr_expect(zero(int, in_child(losing_the_server)));
}

#endif

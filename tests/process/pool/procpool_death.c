/* SPDX-License-Identifier: MIT */
/* Jobs that die, workers that do, and what others notice of it. */
#include "procpool_help.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "faults.h"

static int exit_job(nido_procjob *job)
{
    (void)job;
    fputs("all of it is lost", stderr);
    exit(3);
}

/* S319, S320 */
INSIDE(procpool_death, a_job_that_exits_fails_its_own_call_alone)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    cr_expect(eq(int, nido_procpool_call(pool, exit_job, NULL, 0, NULL, &result), -ECHILD));
    cr_expect(result.died);
    cr_expect(eq(i32, result.status, 3));
    cr_expect(zero(i32, result.signal));
    cr_expect(gt(i32, result.pid, 0));
    cr_expect(eq(ptr, result.data, NULL));
    expect_text("exited with status 3");
    cr_expect(eq(str, (char *)nido_error_detail(nido_error_last()), "all of it is lost"));
    cr_expect(process_is_over(result.pid));
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).deaths, 1));
    cr_expect(eq(u64, stats_of(pool).started, 2));
    pool_end(pool);
}

static int crash_job(nido_procjob *job)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    fputs("first\nlast", stderr);
    return *(volatile int *)nido_procjob_input(job, NULL) + raise(SIGSEGV);
}

INSIDE(procpool_death, a_job_that_crashes_is_told_by_its_signal)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;
    char text[1024] = "";
    FILE *file = fmemopen(text, sizeof text, "w");

    cr_expect(eq(int, nido_procpool_call(pool, crash_job, "1234", 4, NULL, &result), -ECHILD));
    cr_expect(result.died);
    cr_expect(eq(i32, result.signal, SIGSEGV));
    cr_expect(not(result.core_dumped));
    expect_text("was killed by signal 11 (SIGSEGV)");
    nido_error_print(nido_error_last(), file);
    fclose(file);
    cr_expect(ne(ptr, strstr(text, "\n  | first\n  | last\n"), NULL), "%s", text);
    expect_works(pool);
    pool_end(pool);
}

static int talk_and_die_job(nido_procjob *job)
{
    (void)job;
    for (int i = 0; i < 2000; i++) fprintf(stderr, "%04d\n", i);
    _exit(0);
}

/* S320 */
INSIDE(procpool_death, the_last_4_kib_of_stderr_are_kept)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;
    const char *tail;

    cr_expect(eq(int, nido_procpool_call(pool, talk_and_die_job, NULL, 0, NULL, &result), -ECHILD));
    cr_expect(zero(i32, result.status), "to exit with 0 is to die too");
    tail = nido_error_detail(nido_error_last());
    cr_expect(eq(sz, strlen(tail), 4096));
    cr_expect(eq(str, (char *)tail + 4096 - 10, "1998\n1999\n"));
    cr_expect(eq(sz, heard.len, 10000), "all of it was handed on");
    cr_expect(eq(int, ask(pool, exit_job), -ECHILD));
    cr_expect(eq(str, (char *)nido_error_detail(nido_error_last()), "all of it is lost"),
              "nothing of another job");
    pool_end(pool);
}

static int die_with_zero_job(nido_procjob *job)
{
    (void)job;
    if (fwrite("a\0b", 1, 3, stderr) != 3) return 1;
    _exit(1);
}

INSIDE(procpool_death, an_error_without_memory_for_the_tail_is_still_one)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    expect_works(pool);
    cr_expect(eq(int, ask(pool, die_with_zero_job), -ECHILD));
    cr_expect(eq(str, (char *)nido_error_detail(nido_error_last()), "a?b"));
    expect_works(pool);
    faults_begin();
    faults_fail(FAULT_memory, 2, 0); /* the first is for the error itself */
    cr_expect(eq(int, ask(pool, exit_job), -ECHILD));
    faults_end();
    expect_text("exited with status 3");
    cr_expect(eq(str, (char *)nido_error_detail(nido_error_last()), ""));
    pool_end(pool);
}

INSIDE(procpool_death, calls_in_line_go_on_with_a_fresh_worker)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct asker askers[4];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    for (int i = 0; i < 4; i++) {
        askers[i] = (struct asker){.pool = pool, .fn = i % 2 ? echo_job : exit_job};
        begin(&group, asker_body, &askers[i]);
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 4; i++) cr_expect(eq(int, askers[i].rc, i % 2 ? 7 : -ECHILD));
    cr_expect(eq(u64, stats_of(pool).started, 3));
    pool_end(pool);
}

/* The worker's end of the job socket. */
static int job_socket(void)
{
    struct stat status;

    for (int fd = 3; fd < 100; fd++)
        if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)) return fd;
    return -1;
}

static int nonsense_job(nido_procjob *job)
{
    static const char nonsense[100] = "this is no head of a reply, but it is long enough for one";

    send(job_socket(), nonsense, sizeof nonsense, 0);
    return hang_job(job);
}

static int boast_job(nido_procjob *job)
{
    struct nidoi_reply head = {.magic = NIDOI_REPLY_MAGIC, .len = (uint64_t)1 << 60};

    (void)job;
    send(job_socket(), &head, sizeof head, 0);
    return 0;
}

/* S325 */
INSIDE(procpool_death, a_worker_that_sends_nonsense_is_replaced)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    cr_expect(eq(int, nido_procpool_call(pool, nonsense_job, NULL, 0, NULL, &result), -ECHILD));
    expect_text("sent an invalid reply");
    cr_expect(eq(i32, result.signal, SIGKILL));
    cr_expect(process_is_over(result.pid));
    cr_expect(eq(int, nido_procpool_call(pool, boast_job, NULL, 0, NULL, &result), -ECHILD));
    expect_text("sent an invalid reply");
    expect_works(pool);
    pool_end(pool);
}

/* Its own reply comes before the one that the worker sends for it. */
static int hasty_job(nido_procjob *job)
{
    struct nidoi_reply head = {.magic = NIDOI_REPLY_MAGIC, .status = 5, .number = 1};

    (void)job;
    send(job_socket(), &head, sizeof head, 0);
    return 0;
}

/* As an earlier job would, or a process that it has left. */
static int stranger_job(nido_procjob *job)
{
    struct nidoi_reply head = {.magic = NIDOI_REPLY_MAGIC, .status = 5, .number = 99};

    (void)job;
    send(job_socket(), &head, sizeof head, 0);
    return 0;
}

INSIDE(procpool_death, a_reply_to_another_request_is_none)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    cr_expect(eq(int, ask(pool, stranger_job), -ECHILD));
    expect_text("sent an invalid reply");
    expect_works(pool);
    pool_end(pool);
}

/* S325 */
INSIDE(procpool_death, what_comes_after_the_reply_harms_no_other_job)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct pollfd stray = {.events = POLLIN};

    cr_expect(eq(int, ask(pool, hasty_job), 5));
    stray.fd = idle_worker(pool)->job_fd;
    cr_expect(eq(int, poll(&stray, 1, 20000), 1));
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).replaced, 1));
    pool_end(pool);
}

static int hang_up_job(nido_procjob *job)
{
    close(job_socket());
    return hang_job(job);
}

INSIDE(procpool_death, a_job_that_closes_its_connection_is_killed)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    cr_expect(eq(int, nido_procpool_call(pool, hang_up_job, NULL, 0, NULL, &result), -ECHILD));
    cr_expect(eq(i32, result.signal, SIGKILL));
    expect_works(pool);
    pool_end(pool);
}

static int close_stderr_job(nido_procjob *job)
{
    (void)job;
    return close(STDERR_FILENO);
}

INSIDE(procpool_death, a_job_may_close_its_stderr)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    cr_expect(zero(int, ask(pool, close_stderr_job)));
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).started, 1));
    pool_end(pool);
}

INSIDE(procpool_death, an_idle_worker_that_died_is_replaced_in_silence)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    expect_works(pool);
    kill_idle(pool);
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).replaced, 1));
    cr_expect(zero(u64, stats_of(pool).deaths));
    cr_expect(eq(u32, stats_of(pool).workers, 1));
    pool_end(pool);
}

INSIDE(procpool_death, one_that_dies_unseen_before_its_job_is_replaced_too)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    expect_works(pool);
    kill_idle(pool);
    faults_begin();
    faults_fail(FAULT_poll, 1, 0); /* it looks sound */
    expect_works(pool);
    faults_end();
    cr_expect(eq(u64, stats_of(pool).replaced, 1));
    cr_expect(zero(u64, stats_of(pool).deaths));
    pool_end(pool);
}

static struct nidoi_sys real;
static int victim, server;

/* The request goes to a worker that is stopped, and killed before it has read it; the server would
 * continue it. */
static ssize_t send_to_victim(int fd, const struct msghdr *message, int flags)
{
    ssize_t n;

    nidoi_sys.sendmsg = real.sendmsg;
    stop_process(server);
    stop_process(victim);
    n = real.sendmsg(fd, message, flags);
    kill(victim, SIGKILL);
    kill(server, SIGCONT);
    return n;
}

INSIDE(procpool_death, a_job_that_its_dying_worker_has_not_read_is_done_by_another)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    server = ask_number(pool, server_job);
    victim = idle_worker(pool)->pid;
    real = nidoi_sys;
    nidoi_sys.sendmsg = send_to_victim;
    cr_expect(eq(int, nido_procpool_call(pool, echo_job, "x", 1, NULL, &result), 7));
    nidoi_sys = real;
    cr_expect(ne(int, result.pid, victim));
    nido_procpool_result_deinit(&result);
    cr_expect(eq(u64, stats_of(pool).replaced, 1));
    cr_expect(zero(u64, stats_of(pool).deaths));
    pool_end(pool);
}

static int kill_server_job(nido_procjob *job)
{
    kill(getppid(), SIGKILL);
    return hang_job(job);
}

static int without_server(void *unused)
{
    nido_procpool *pool = NULL;
    nido_procpool_stats stats;
    nido_procpool_result result;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(nido_procpool_call(pool, kill_server_job, NULL, 0, NULL, &result) == -ECHILD);
    NEED(result.died && result.pid > 0);
    NEED(strstr(nido_error_text(nido_error_last()), "the fork server has ended"));
    NEED(process_is_over(result.pid));
    NEED(ask(pool, echo_job) == -EPIPE);
    nido_procpool_stats_get(pool, &stats);
    NEED(stats.workers == 0);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int lose_server(void)
{
    NEED(nido_procpool_prepare() == 0);
    return nido_run(without_server, NULL, NULL);
}

NIDO_TEST(procpool_death, with_the_server_go_the_workers_and_the_pool_says_why)
{
    cr_expect(zero(int, in_child(lose_server)));
}

/* SPDX-License-Identifier: MIT */
/* The fork server in bad moments, and what workers inherit. */
#include "procpool_help.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "faults.h"

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif

static int work(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, echo_job) == 7);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

/* ---- Bad moments ---- */

/* The server inherits the fault. */
static int without_message(int code)
{
    faults_begin();
    faults_fail(FAULT_recvmsg, 1, code);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(work, NULL, NULL);
}

static int memory_lacks(void)
{
    return without_message(-ENOMEM);
}

static int nothing_there(void)
{
    return without_message(-EAGAIN);
}

NIDO_TEST(procpool_server, it_survives_an_order_that_it_could_not_take_at_once)
{
    cr_expect(zero(int, in_child(memory_lacks)));
    cr_expect(zero(int, in_child(nothing_there)));
}

static int stop_server_job(nido_procjob *job)
{
    kill(getppid(), SIGSTOP);
    return echo_job(job);
}

static int stop_server_and_die_job(nido_procjob *job)
{
    (void)job;
    kill(getppid(), SIGSTOP);
    _exit(3);
}

static int stop_server_and_hang_job(nido_procjob *job)
{
    kill(getppid(), SIGSTOP);
    return hang_job(job);
}

/* Each would wait for ever for a server that takes no orders and reaps nobody. */
INSIDE(procpool_server, one_that_a_job_has_stopped_is_continued)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool_result result;
    struct asker asker;
    nido_procpool *pool;
    nido_group group;

    options.max_jobs = 1;
    pool = pool_with(&options);
    cr_expect(eq(int, ask(pool, stop_server_job), 7));
    expect_works(pool);
    cr_expect(eq(int, nido_procpool_call(pool, stop_server_and_die_job, NULL, 0, NULL, &result),
                 -ECHILD));
    cr_expect(eq(i32, result.status, 3));
    nido_group_open(&group, NIDO_FAIL_FAST, "calls");
    asker_begin(&group, &asker, pool, stop_server_and_hang_job);
    cr_expect(zero(int, nido_event_wait(&heard.ready)));
    nido_scope_cancel(&asker.scope, -ETIME, "enough");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, asker.rc, -ECANCELED));
    expect_works(pool);
    pool_end(pool);
}

static int (*real_fork)(void);

/* The child is far ahead of its parent. */
static int late_fork(void)
{
    int pid = real_fork();

    if (pid > 0) nidoi_sys.poll(NULL, 0, 50);
    return pid;
}

static int die_over_a_stopped_server(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, stop_server_and_die_job) == -ECHILD);
    NEED(ask(pool, echo_job) == 7);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int server_is_late(void)
{
    alarm(20);
    real_fork = nidoi_sys.fork;
    nidoi_sys.fork = late_fork; /* the server inherits it */
    NEED(nido_procpool_prepare() == 0);
    return nido_run(die_over_a_stopped_server, NULL, NULL);
}

NIDO_TEST(procpool_server, stopped_while_it_starts_a_worker_it_holds_up_no_call)
{
    cr_expect(zero(int, in_child(server_is_late)));
}

static int stop_itself_job(nido_procjob *job)
{
    raise(SIGSTOP);
    return echo_job(job);
}

/* Stops its worker before that can reply, and stays. By the worker's number: if that has replied and
 * ended all the same, the parent is the server. */
static int stopped_by_its_child_job(nido_procjob *job)
{
    int worker = getpid(), pid = fork();

    if (pid == 0) {
        kill(worker, SIGSTOP);
        hang_job(job);
    }
    return pid < 0 ? -errno : echo_job(job);
}

INSIDE(procpool_server, a_worker_that_was_stopped_is_continued)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    for (int i = 0; i < 20; i++) {
        cr_expect(eq(int, ask(pool, stop_itself_job), 7));
        cr_expect(eq(int, ask(pool, stopped_by_its_child_job), 7));
    }
    pool_end(pool);
}

#ifdef __linux__

/* Makes the server its tracer, and stops for it. */
static int trap_job(nido_procjob *job)
{
    (void)job;
    if (ptrace(PTRACE_TRACEME, 0, 0, 0)) return -errno;
    raise(SIGTRAP);
    return 0;
}

INSIDE(procpool_server, a_worker_that_stops_for_the_server_as_its_tracer_is_killed)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    nido_procpool_result result;

    cr_expect(eq(int, nido_procpool_call(pool, trap_job, NULL, 0, NULL, &result), -ECHILD));
    cr_expect(eq(i32, result.signal, SIGKILL));
    expect_works(pool);
    pool_end(pool);
}

#endif

/* ---- The terminal ---- */

static int read_job(nido_procjob *job)
{
    char byte;

    (void)job;
    return read(STDIN_FILENO, &byte, 1) < 0 ? -errno : 0;
}

static int read_terminal(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, read_job) == -EIO);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int with_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

    if (master < 0 || grantpt(master) || unlockpt(master)) return 0; /* none here */
    NEED(setsid() >= 0);
    slave = open(ptsname(master), O_RDWR);
    NEED(slave >= 0);
    ioctl(slave, TIOCSCTTY, 0);
    NEED(dup2(slave, STDIN_FILENO) == STDIN_FILENO);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(read_terminal, NULL, NULL);
}

NIDO_TEST(procpool_server, a_worker_that_reads_from_the_terminal_is_refused_and_not_stopped)
{
    cr_expect(zero(int, in_child(with_terminal)));
}

/* ---- What is inherited ---- */

static void exit_at_term(int signal)
{
    (void)signal;
    _exit(9);
}

static int signals_job(nido_procjob *job)
{
    struct sigaction action;
    sigset_t mask;

    (void)job;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigaction(SIGTERM, NULL, &action);
    return sigismember(&mask, SIGTERM) == 0 && action.sa_handler == SIG_DFL;
}

static int ask_for_signals(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, signals_job) == 1);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int with_blocked_signal(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGTERM, exit_at_term);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(ask_for_signals, NULL, NULL);
}

NIDO_TEST(procpool_server, workers_inherit_no_blocked_signal_and_no_handler)
{
    cr_expect(zero(int, in_child(with_blocked_signal)));
}

static int print_job(nido_procjob *job)
{
    printf("job ");
    return echo_job(job);
}

static int print_and_look(void *out)
{
    nido_procpool *pool = NULL;
    char text[64] = "";

    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, print_job) == 7);
    NEED(read(*(int *)out, text, sizeof text - 1) > 0);
    NEED(strcmp(text, "program job ") == 0); /* once, and when the job returns */
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int with_output_in_the_buffer(void)
{
    int ends[2];

    NEED(pipe(ends) == 0);
    fflush(stdout);
    NEED(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    printf("program ");
    NEED(nido_procpool_prepare() == 0);
    return nido_run(print_and_look, &ends[0], NULL);
}

NIDO_TEST(procpool_server, what_is_printed_appears_once)
{
    cr_expect(zero(int, in_child(with_output_in_the_buffer)));
}

static int hard_limits_job(nido_procjob *job)
{
    struct rlimit memory, cpu;

    (void)job;
    getrlimit(RLIMIT_AS, &memory);
    getrlimit(RLIMIT_CPU, &cpu);
    return memory.rlim_max == (rlim_t)1 << 46 && cpu.rlim_max == 5000;
}

static int ask_for_limits(void *unused)
{
    nido_procpool_options options;
    nido_procpool *pool = NULL;

    (void)unused;
    nido_procpool_options_init(&options);
    options.memory = (uint64_t)1 << 50;
    options.cpu_seconds = 60;
    NEED(nido_procpool_new(&options, &pool) == 0);
    NEED(ask(pool, hard_limits_job) == 1);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

static int with_hard_limits(void)
{
    NEED(setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)1 << 46, (rlim_t)1 << 46}) == 0);
    NEED(setrlimit(RLIMIT_CPU, &(struct rlimit){5000, 5000}) == 0);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(ask_for_limits, NULL, NULL);
}

/* Root could raise them. */
NIDO_TEST(procpool_server, a_limit_that_is_lower_already_stays)
{
    cr_expect(zero(int, in_child(with_hard_limits)));
}

static int say_job(nido_procjob *job)
{
    fputs("of the first job", stderr);
    return echo_job(job);
}

static int die_silently_job(nido_procjob *job)
{
    (void)job;
    _exit(1);
}

INSIDE(procpool_server, what_an_earlier_job_has_said_is_not_in_the_report_of_a_later)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);

    cr_expect(eq(int, ask(pool, say_job), 7));
    cr_expect(eq(int, ask(pool, die_silently_job), -ECHILD));
    cr_expect(eq(u64, stats_of(pool).started, 1));
    cr_expect(eq(str, (char *)nido_error_detail(nido_error_last()), ""));
    pool_end(pool);
}

#ifdef __linux__

static int stray; /* descriptors above the limit */

static int stray_job(nido_procjob *job)
{
    (void)job;
    return fcntl(stray, F_GETFD) < 0 && errno == EBADF;
}

static int look_for_stray(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, stray_job) == 1);
    NEED(nido_procpool_free(pool) == 0);
    return 0;
}

/* A system call that the kernel does not have, for this process and its children. */
static void deny(unsigned number, unsigned code)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int without_close_range(void)
{
    stray = fcntl(STDERR_FILENO, F_DUPFD, 200);
    NEED(stray >= 200);
    deny(SYS_close_range, ENOSYS);
    NEED(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}) == 0);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(look_for_stray, NULL, NULL);
}

NIDO_TEST(procpool_server, without_close_range_what_is_open_is_read_and_not_guessed)
{
    cr_expect(zero(int, in_child(without_close_range)));
}

/* ---- Rights that are given up ---- */

static int privileges_job(nido_procjob *job)
{
    (void)job;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

INSIDE(procpool_server, workers_gain_no_rights_if_that_is_wanted)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool *pool = pool_with(&options);
    int before = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);

    cr_expect(eq(int, ask(pool, privileges_job), before));
    pool_end(pool);
    options.no_new_privs = true;
    pool = pool_with(&options);
    cr_expect(eq(int, ask(pool, privileges_job), 1));
    pool_end(pool);
    cr_expect(eq(int, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), before), "the program is as it was");
}

static char confined_as[32];

/* All that a pool of no other needs: no file is opened any more. */
static int confine(const char *pool)
{
    snprintf(confined_as, sizeof confined_as, "%s", pool);
    deny(SYS_openat, EACCES);
    return 0;
}

static int open_job(nido_procjob *job)
{
    int fd = open("/dev/null", O_RDONLY);

    nido_procjob_reply(job, confined_as, strlen(confined_as));
    return fd < 0 ? -errno : 0;
}

INSIDE(procpool_server, a_filter_of_the_programs_own_confines_the_workers)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool_result result;
    nido_procpool *pool;

    options.name = "parsers";
    options.confine = confine;
    pool = pool_with(&options);
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, nido_procpool_call(pool, open_job, NULL, 0, NULL, &result), -EACCES));
        cr_expect(eq(str, (char *)result.data, "parsers"));
        nido_procpool_result_deinit(&result);
    }
    expect_works(pool);
    cr_expect(eq(u64, stats_of(pool).started, 1));
    pool_end(pool);
}

#endif

static int refuse(const char *pool)
{
    (void)pool;
    return -ENOPKG;
}

INSIDE(procpool_server, a_worker_that_cannot_be_confined_does_no_job)
{
    struct heard heard;
    nido_procpool_options options = heard_options(&heard);
    nido_procpool *pool;

    options.confine = refuse;
    pool = pool_with(&options);
    cr_expect(eq(int, ask(pool, echo_job), -ENOPKG));
    cr_expect(zero(u32, stats_of(pool).workers));
    pool_end(pool);
}

/* ---- Floods ---- */

static int flood_job(nido_procjob *job)
{
    static const char line[4096];

    (void)job;
    for (int i = 0; i < 2000; i++)
        if (write(STDERR_FILENO, line, sizeof line) < 0) return -errno;
    return 0;
}

static bool over;

static int count_turns(void *turns)
{
    while (!over && nido_yield() == 0) ++*(int *)turns;
    return 0;
}

struct slow {
    size_t len;
    int turns;     /* of another task */
    int unchanged; /* pieces in a row in which there was none */
    int most;
    int seen;
};

static void hear_slowly(void *ctx, const char *bytes, size_t len)
{
    struct slow *slow = ctx;

    (void)bytes;
    slow->len += len;
    slow->unchanged = slow->turns == slow->seen ? slow->unchanged + 1 : 0;
    slow->seen = slow->turns;
    if (slow->unchanged > slow->most) slow->most = slow->unchanged;
}

INSIDE(procpool_server, a_worker_that_floods_stderr_leaves_other_tasks_their_turns)
{
    struct slow slow = {.len = 0};
    nido_procpool_options options;
    nido_procpool *pool;
    nido_group group;

    nido_procpool_options_init(&options);
    options.workers = 1;
    options.on_stderr = hear_slowly;
    options.ctx = &slow;
    pool = pool_with(&options);
    over = false;
    nido_group_open(&group, NIDO_FAIL_FAST, "flood");
    begin(&group, count_turns, &slow.turns);
    cr_expect(zero(int, ask(pool, flood_job)));
    over = true;
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(sz, slow.len, 2000 * 4096));
    cr_expect(le(int, slow.most, 8), "every slice is charged");
    pool_end(pool);
}

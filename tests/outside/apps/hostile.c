/* SPDX-License-Identifier: MIT */
/* outside/apps/hostile.c: jobs and children that do what no one should do.
 *
 *     hostile NAME        one of `hostile list`
 *
 * Each runs under a deadline, while an honest job of the same pool works beside it. It must end in
 * time, by an answer or an error; the honest one, and a next one, must have their answers. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nido.h"

enum { DEADLINE_MS = 400, GRACE_MS = 200, LATE_S = 8, FDS = 64, CHILDREN = 20, LONG_US = 1500000 };

static void fail(const char *who, const char *what, int rc)
{
    printf("%s: %s (%s)\n", who, what, nido_strerror(rc));
}

/* ---- Jobs in processes: hostile ones ---- */

static int hang(void)
{
    while (pause()) continue;
    return 0;
}

static int crash(nido_procjob *job)
{
    (void)job;
    *(volatile int *)0 = 1;
    return 0;
}

static int overflow(nido_procjob *job)
{
    static nido_procjob_fn *volatile again = overflow;
    volatile char frame[1 << 16];

    frame[0] = 1;
    return again(job) + frame[0];
}

static int abort_in_job(nido_procjob *job)
{
    (void)job;
    abort();
}

static int exit_in_job(nido_procjob *job)
{
    (void)job;
    exit(0);
}

static int exit_at_once(nido_procjob *job)
{
    (void)job;
    _exit(3);
}

static int end_the_thread(nido_procjob *job)
{
    (void)job;
    pthread_exit(NULL);
}

static int become_another(nido_procjob *job)
{
    (void)job;
    return execlp("true", "true", NULL);
}

static int kill_itself(nido_procjob *job)
{
    (void)job;
    return raise(SIGKILL);
}

static int stop_itself(nido_procjob *job)
{
    (void)job;
    return raise(SIGSTOP);
}

static int stop_for_ever(nido_procjob *job)
{
    (void)job;
    while (!raise(SIGSTOP)) continue;
    return 0;
}

static int close_all(nido_procjob *job)
{
    (void)job;
    for (int fd = 0; fd < FDS; fd++) close(fd);
    return 0;
}

static int replace_all(nido_procjob *job)
{
    int null = open("/dev/null", O_RDWR);

    (void)job;
    for (int fd = 0; fd < FDS; fd++)
        if (fd != null && fcntl(fd, F_GETFD) >= 0) dup2(null, fd);
    return 0;
}

static int write_everywhere(nido_procjob *job)
{
    char bytes[4096];

    (void)job;
    memset(bytes, 'x', sizeof bytes);
    for (int fd = 2; fd < FDS; fd++) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (write(fd, bytes, sizeof bytes) < 0) continue;
    }
    return 0;
}

static int read_everything(nido_procjob *job)
{
    char bytes[4096];

    (void)job;
    for (int fd = 3; fd < FDS; fd++) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (read(fd, bytes, sizeof bytes) < 0) continue;
    }
    return hang();
}

static int ignore_and_hang(nido_procjob *job)
{
    (void)job;
    signal(SIGTERM, SIG_IGN);
    return hang();
}

static int block_and_hang(nido_procjob *job)
{
    sigset_t all;

    (void)job;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return hang();
}

static int block_and_return(nido_procjob *job)
{
    sigset_t all;

    (void)job;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_IGN);
    return 0;
}

static int compute_for_ever(nido_procjob *job)
{
    (void)job;
    for (volatile long n = 1; n; n = n + 1) continue;
    return 0;
}

static int leave_a_child(nido_procjob *job)
{
    (void)job;
    return fork() == 0 ? hang() : 0;
}

static int leave_a_daemon(nido_procjob *job)
{
    (void)job;
    if (fork() == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0) hang();
        _exit(0);
    }
    wait(NULL);
    return 0;
}

static int leave_many(nido_procjob *job)
{
    (void)job;
    for (int n = 0; n < CHILDREN; n++)
        if (fork() == 0) n % 2 ? hang() : (int)raise(SIGSTOP);
    return hang();
}

static int return_twice(nido_procjob *job)
{
    (void)job;
    fork();
    return 0;
}

static int leave_the_group(nido_procjob *job)
{
    (void)job;
    setpgid(0, getpgid(getppid()));
    setsid();
    return hang();
}

static int go_elsewhere(nido_procjob *job)
{
    (void)job;
    umask(0777);
    return chdir("/") + setpriority(PRIO_PROCESS, 0, 19);
}

static int give_up_descriptors(nido_procjob *job)
{
    (void)job;
    return setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0}) ? -errno : 0;
}

static int give_up_memory(nido_procjob *job)
{
    (void)job;
    setrlimit(RLIMIT_AS, &(struct rlimit){1, 1});
    return nido_procjob_reply(job, "", 0);
}

static int take_all_memory(nido_procjob *job)
{
    (void)job;
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 28, 1 << 28});
    for (;;) {
        char *memory = malloc(1 << 20);

        if (!memory) return -ENOMEM;
        memset(memory, 1, 1 << 20);
    }
}

static int fill_stderr(nido_procjob *job)
{
    (void)job;
    for (int n = 0; n < 20000; n++) dprintf(2, "%050d\n", n);
    return 0;
}

static int reply_too_much(nido_procjob *job)
{
    static char zeros[1 << 20];

    while (nido_procjob_reply(job, zeros, sizeof zeros) >= 0) continue;
    return 0;
}

static int return_a_cancel(nido_procjob *job)
{
    (void)job;
    return -ECANCELED;
}

static int set_an_alarm(nido_procjob *job)
{
    (void)job;
    alarm(1);
    return 0;
}

static int be_traced(nido_procjob *job)
{
    (void)job;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return raise(SIGTRAP);
}

static int use_the_runtime(nido_procjob *job)
{
    (void)job;
    return nido_sleep(1);
}

/* ---- Jobs in processes: the call ---- */

static int echo(nido_procjob *job)
{
    size_t len;
    const char *input = nido_procjob_input(job, &len);

    usleep(20000);
    return nido_procjob_reply(job, input, len);
}

/* 0, or the honest job did not get its answer. */
static int ask_honestly(void *arg)
{
    nido_procpool_result result;
    int rc = nido_procpool_call(arg, echo, "ping", 4, NULL, &result);

    if (!rc && (result.len != 4 || memcmp(result.data, "ping", 4) != 0)) rc = -EBADMSG;
    nido_procpool_result_deinit(&result);
    if (rc < 0 && rc != -ECANCELED) fail("an honest job", "has no answer", rc);
    return rc;
}

static int call_hostile(nido_procpool *pool, nido_procjob_fn *fn)
{
    nido_scope scope;
    int rc;

    nido_deadline_open(&scope, nido_after(NIDO_MS(DEADLINE_MS)));
    rc = nido_procpool_call(pool, fn, NULL, 0, NULL, NULL);
    rc = nido_scope_close(&scope, rc);
    return rc;
}

static void ignore_stderr(void *ctx, const char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
}

static int pool_under(nido_procjob_fn *fn)
{
    nido_procpool_options options;
    nido_procpool *pool;
    nido_group group;
    int rc;

    nido_procpool_options_init(&options);
    options.workers = 2;
    options.kill_grace_ns = NIDO_MS(GRACE_MS);
    options.max_frame = 1 << 16;
    options.on_stderr = ignore_stderr;
    rc = nido_procpool_new(&options, &pool);
    if (rc) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, ask_honestly, pool);
    if (!rc) call_hostile(pool, fn);
    rc = nido_group_close(&group, rc);
    for (int i = 0; i < 3 && !rc; i++) rc = ask_honestly(pool);
    if (!rc) rc = nido_procpool_free(pool);
    return rc;
}

/* ---- Jobs on workers of this process ---- */

static ssize_t sleep_long(void *unused)
{
    (void)unused;
    usleep(LONG_US);
    return 0;
}

static ssize_t wait_for_bytes(void *unused)
{
    int ends[2];
    char byte;

    (void)unused;
    if (pipe(ends)) return -errno;
    ssize_t n = read(ends[0], &byte, 1);
    int err = errno;
    close(ends[0]);
    close(ends[1]);
    return n < 0 ? -err : n;
}

static ssize_t block_signals(void *unused)
{
    sigset_t all;

    (void)unused;
    sigfillset(&all);
    sigdelset(&all, SIGURG);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    errno = EBADMSG;
    return pthread_setname_np(pthread_self(), "stranger");
}

static ssize_t open_signals(void *unused)
{
    sigset_t none;

    (void)unused;
    sigemptyset(&none);
    return pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static ssize_t fork_in_passing(void *unused)
{
    pid_t child = fork();

    (void)unused;
    if (child == 0) _exit(nido_sleep(1) == -EPERM ? 0 : 1);
    return waitpid(child, NULL, 0) == child ? 0 : -errno;
}

static ssize_t call_back(void *unused);

static int offload_again(void *unused)
{
    (void)unused;
    return (int)nido_offload(open_signals, NULL);
}

static ssize_t call_back(void *unused)
{
    (void)unused;
    return nido_call_in_loop(offload_again, NULL);
}

static void drop(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
}

static int worker_under(nido_job_fn *fn, enum nido_offload_mode mode)
{
    nido_offload_options options;
    nido_scope scope;
    ssize_t rc;

    nido_offload_options_init(&options);
    options.mode = mode;
    options.drop = drop;
    nido_deadline_open(&scope, nido_after(NIDO_MS(DEADLINE_MS)));
    rc = nido_offload_with(fn, NULL, &options);
    rc = nido_scope_close(&scope, (int)rc);
    if (rc && rc != -ETIMEDOUT && rc != -EINTR) return (int)rc;
    for (int i = 0; i < 3; i++)
        if ((rc = nido_offload(open_signals, NULL))) return (int)rc;
    return 0;
}

/* ---- Children ---- */

static int child_under(const char *script, bool group, size_t limit)
{
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    static char input[100000];
    nido_proc_options options;
    nido_proc_result result;
    nido_scope scope;
    int rc;

    nido_proc_options_init(&options);
    options.argv = argv;
    options.new_group = group;
    options.kill_grace_ns = NIDO_MS(GRACE_MS);
    options.output_limit = limit;
    memset(input, 'i', sizeof input);
    nido_deadline_open(&scope, nido_after(NIDO_MS(DEADLINE_MS)));
    rc = nido_proc_run(&options, input, sizeof input, &result);
    rc = nido_scope_close(&scope, rc);
    nido_proc_result_free(&result);
    return rc == -ETIMEDOUT || rc == -EOVERFLOW ? 0 : rc;
}

/* ---- All of them ---- */

static const struct {
    const char *name;
    nido_procjob_fn *job;
    nido_job_fn *offloaded;
    enum nido_offload_mode mode;
    const char *script;
} all[] = {
#define JOB(fn)                       \
    {                                 \
        .name = "job " #fn, .job = fn \
    }
    JOB(crash),
    JOB(overflow),
    JOB(abort_in_job),
    JOB(exit_in_job),
    JOB(exit_at_once),
    JOB(end_the_thread),
    JOB(become_another),
    JOB(kill_itself),
    JOB(stop_itself),
    JOB(stop_for_ever),
    JOB(close_all),
    JOB(replace_all),
    JOB(write_everywhere),
    JOB(read_everything),
    JOB(ignore_and_hang),
    JOB(block_and_hang),
    JOB(block_and_return),
    JOB(compute_for_ever),
    JOB(leave_a_child),
    JOB(leave_a_daemon),
    JOB(leave_many),
    JOB(return_twice),
    JOB(leave_the_group),
    JOB(go_elsewhere),
    JOB(give_up_descriptors),
    JOB(give_up_memory),
    JOB(take_all_memory),
    JOB(fill_stderr),
    JOB(reply_too_much),
    JOB(return_a_cancel),
    JOB(set_an_alarm),
    JOB(be_traced),
    JOB(use_the_runtime),
#define WORKER(fn, how)                                                             \
    {                                                                               \
        .name = "worker " #fn " " #how, .offloaded = fn, .mode = NIDO_OFFLOAD_##how \
    }
    WORKER(sleep_long, ABANDON),
    WORKER(sleep_long, WAIT),
    WORKER(wait_for_bytes, INTERRUPT),
    WORKER(block_signals, WAIT),
    WORKER(block_signals, INTERRUPT),
    WORKER(open_signals, WAIT),
    WORKER(fork_in_passing, WAIT),
    WORKER(call_back, WAIT),
#define CHILD(text)                           \
    {                                         \
        .name = "child " text, .script = text \
    }
    CHILD("trap '' TERM; while :; do sleep 0.05; done"),
    CHILD("sleep 2 & exit 0"),
    CHILD("setsid sleep 2 & exit 0"),
    CHILD("kill -STOP $$; echo on"),
    CHILD("trap '' TERM; while :; do kill -STOP $$; done"),
    CHILD("yes >&2"),
    CHILD("yes & yes >&2"),
    CHILD("exec <&- >&- 2>&-; sleep 2"),
    CHILD("exec <&-; echo done"),
    CHILD("cat >/dev/null; kill -9 $$"),
    CHILD("cat; exit 255"),
    CHILD("kill -TERM 0; sleep 2"),
    CHILD("n=0; while [ $n -lt 500 ]; do echo $n; n=$((n+1)); done"),
    CHILD("for n in 1 2 3 4 5 6 7 8 9; do (sleep 0.$n; exit 3) & done"),
    CHILD("exec sh -c 'trap \"\" TERM HUP INT QUIT; sleep 2'"),
    CHILD("ulimit -n 0; sleep 2"),
};

enum { ALL = sizeof all / sizeof *all };

static int run_one(void *arg)
{
    int i = *(int *)arg, rc;

    if (all[i].job) return pool_under(all[i].job);
    if (all[i].offloaded) return worker_under(all[i].offloaded, all[i].mode);
    rc = child_under(all[i].script, true, 0);
    if (!rc && !strstr(all[i].script, "kill -TERM 0")) rc = child_under(all[i].script, false, 0);
    return rc ? rc : child_under(all[i].script, true, 1000);
}

int main(int argc, char **argv)
{
    int rc = nido_procpool_prepare();

    for (int i = 0; argc == 2 && i < ALL; i++) {
        if (!strcmp(argv[1], "list")) puts(all[i].name);
        if (strcmp(argv[1], all[i].name) != 0) continue;
        alarm(LATE_S);
        rc = nido_run(run_one, &i, NULL);
        if (all[i].mode == NIDO_OFFLOAD_ABANDON) usleep(LONG_US); /* the job has outlived the run */
        if (rc < 0) fail(argv[1], "the pool or the runtime has failed", rc);
        if (!rc) puts("right");
    }
    return nido_exit_status(rc);
}

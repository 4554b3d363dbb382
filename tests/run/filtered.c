/* SPDX-License-Identifier: MIT */
/* System calls that a kernel or a container does not have: each newer one is denied in turn by a
 * filter (seccomp), with ENOSYS as an old kernel says and with EPERM as filters do. */
#include "abort_help.h"
#include "base/sys.h"
#include "inside_help.h"

#ifndef NIDOI_KQUEUE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From now on the call answers `code` in this process. */
static int deny(long call, int code)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)code),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int sleep_a_little(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(1));
}

static ssize_t job(void *unused)
{
    (void)unused;
    return 5;
}

static int read_a_file(void)
{
    char bytes[4];
    int fd = nido_open("/proc/self/exe", O_RDONLY, 0);

    if (fd < 0) return fd;
    if (nido_pread(fd, bytes, 4, 0) != 4 || memcmp(bytes, "\177ELF", 4)) return -EIO;
    if (nido_read(fd, bytes, 4) != 4 || memcmp(bytes, "\177ELF", 4)) return -EIO;
    return nido_close(fd);
}

static int run_a_program(void)
{
    nido_proc_options options;
    nido_proc_result result;
    int rc;

    nido_proc_options_init(&options);
    options.argv = (char *[]){"echo", "here", NULL};
    rc = nido_proc_run(&options, NULL, 0, &result);
    if (rc) return rc;
    rc = strcmp(result.out, "here\n") ? -EIO : 0;
    nido_proc_result_free(&result);
    return rc;
}

static int kill_a_program(void)
{
    nido_proc_options options;
    nido_proc_status status;
    nido_proc child;
    int rc;

    nido_proc_options_init(&options);
    options.argv = (char *[]){"sleep", "60", NULL};
    rc = nido_proc_spawn(&child, &options);
    if (rc) return rc;
    rc = nido_proc_kill(&child, SIGKILL);
    if (!rc) rc = nido_proc_wait(&child, &status);
    if (!rc && status.signal != SIGKILL) rc = -EIO;
    nido_proc_release(&child);
    return rc;
}

/* What the newer calls are used for; the number of what failed. */
static int use_everything(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 40; i++)
        if (nido_spawn(&group, sleep_a_little, NULL)) return 1;
    if (nido_group_close(&group, 0)) return 2;
    if (read_a_file()) return 3;
    if (nido_offload(job, NULL) != 5) return 4;
    if (run_a_program()) return 5;
    return kill_a_program() ? 6 : 0;
}

enum { NO_FILTER = 77 };

static int use_without(long call, int code)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        alarm(60);
        if (deny(call, code)) _exit(NO_FILTER);
        _exit(nido_run(use_everything, NULL, NULL));
    }
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct newer {
    long number;
    const char *name;
};

static const struct newer calls[] = {
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, "epoll_pwait2"},
#endif
#ifdef SYS_close_range
    {SYS_close_range, "close_range"},
#endif
#ifdef SYS_pidfd_open
    {SYS_pidfd_open, "pidfd_open"},
#endif
#ifdef SYS_pidfd_send_signal
    {SYS_pidfd_send_signal, "pidfd_send_signal"},
#endif
#ifdef SYS_preadv2
    {SYS_preadv2, "preadv2"},
#endif
#ifdef SYS_process_madvise
    {SYS_process_madvise, "process_madvise"},
#endif
    {SYS_madvise, "madvise"},
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait"}, /* an old call; epoll_pwait2 does its work */
#endif
};

static void use_without_each(int code)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int rc = use_without(calls[i].number, code);

        if (rc == NO_FILTER) cr_skip_test("this process may set no filter");
        cr_expect(eq(int, rc, 0), "without %s (%s)", calls[i].name, strerror(code));
    }
}

NIDO_TEST(filtered, calls_that_the_kernel_lacks_are_done_without)
{
    use_without_each(ENOSYS);
}

NIDO_TEST(filtered, calls_that_a_filter_denies_are_done_without)
{
    use_without_each(EPERM);
}

/* ---- What nido cannot do without ---- */

#if defined SYS_epoll_wait && defined SYS_epoll_pwait2
static int read_without_any_wait(void *unused)
{
    int ends[2] = {-1, -1};
    char byte;

    (void)unused;
    nido_pipe(ends);
    deny(SYS_epoll_wait, EPERM);
    deny(SYS_epoll_pwait2, EPERM);
    return (int)nido_read(ends[0], &byte, 1);
}
#endif

NIDO_TEST(filtered, a_filter_that_denies_every_wait_is_named)
{
#if defined SYS_epoll_wait && defined SYS_epoll_pwait2
    if (use_without(SYS_epoll_pwait2, ENOSYS) == NO_FILTER)
        cr_skip_test("this process may set no filter");
    EXPECT_LAST_WORDS(read_without_any_wait, "refuses the call that waits for descriptors");
#endif
}

static int empty_job(nido_procjob *unused)
{
    (void)unused;
    return 0;
}

/* With an answer or an error: what matters is the end. */
static int call_a_worker(void *unused)
{
    nido_procpool *pool;
    int rc = nido_procpool_new(NULL, &pool);

    (void)unused;
    if (rc) return 0;
    nido_procpool_call(pool, empty_job, NULL, 0, NULL, NULL);
    nido_procpool_free(pool);
    return 0;
}

static int use_the_pool_without(long call, int code)
{
    alarm(20);
    if (deny(call, code)) return NO_FILTER;
    if (nido_procpool_prepare()) return 0;
    return nido_run(call_a_worker, NULL, NULL) ? 1 : 0;
}

/* Orphans become children of this process: in ten seconds nothing must be left to wait for. */
static void expect_no_children(void)
{
    int pids[8], n;

    for (int i = 0; i < 1000; i++) {
        if (waitpid(-1, NULL, __WALL | WNOHANG) < 0) return;
        usleep(10000);
    }
    n = nidoi_sys.list_children(pids, 8);
    for (int i = 0; i < n; i++) kill(pids[i], SIGKILL);
    cr_fail("%d processes are left", n);
}

static void expect_the_server_to_end_without(long call, int code)
{
    int status = 0;
    pid_t child;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    child = fork();
    if (child == 0) _exit(use_the_pool_without(call, code));
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
        cr_skip_test("this process may set no filter");
    cr_expect(eq(int, status, 0), "without call %ld", call);
    expect_no_children();
}

static const long of_the_server[] = {
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_wait4
    SYS_wait4,
#endif
    SYS_recvmsg,
};

NIDO_TEST(filtered, a_fork_server_that_is_denied_a_call_ends_with_its_program)
{
    for (size_t i = 0; i < sizeof of_the_server / sizeof *of_the_server; i++) {
        expect_the_server_to_end_without(of_the_server[i], ENOSYS);
        expect_the_server_to_end_without(of_the_server[i], EPERM);
    }
}

#ifdef SYS_wait4
/* The process between this one and the server is reaped too. */
static int prepare_without_wait4(void)
{
    siginfo_t info;

    if (deny(SYS_wait4, EPERM)) return NO_FILTER;
    if (nido_procpool_prepare()) return 1;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) return 2;
    return nido_run(call_a_worker, NULL, NULL) ? 3 : 0;
}

NIDO_TEST(filtered, a_fork_server_is_prepared_without_wait4)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) _exit(prepare_without_wait4());
    cr_expect(eq(int, waitpid(child, &status, 0), child));
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
        cr_skip_test("this process may set no filter");
    cr_expect(eq(int, status, 0));
}
#endif

/* glibc itself does without clone3 where it is lacking. */
NIDO_TEST(filtered, threads_and_programs_start_without_clone3)
{
#ifdef SYS_clone3
    int rc = use_without(SYS_clone3, ENOSYS);

    cr_expect(rc == 0 || rc == NO_FILTER, "%d", rc);
#endif
}
#endif

/* SPDX-License-Identifier: MIT */
/* Limits, descriptors, threads and children. */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nido_test.h"

/* ---- Limits ---- */

static void expect_limit(uint64_t soft, uint64_t hard)
{
    struct rlimit now;

    cr_expect(zero(int, getrlimit(RLIMIT_CORE, &now)));
    cr_expect(eq(u64, (uint64_t)now.rlim_cur, soft));
    cr_expect(eq(u64, (uint64_t)now.rlim_max, hard));
}

/* Even root's. */
NIDO_TEST(sys_process, a_limit_is_lowered_and_never_raised)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){5000, 9000});
    cr_expect(zero(int, nidoi_sys.limit(RLIMIT_CORE, 4000, 8000)));
    expect_limit(4000, 8000);
    cr_expect(zero(int, nidoi_sys.limit(RLIMIT_CORE, 7000, 20000)));
    expect_limit(7000, 8000);
    cr_expect(zero(int, nidoi_sys.limit(RLIMIT_CORE, 20000, 20000)));
    expect_limit(8000, 8000);
    cr_expect(eq(int, nidoi_sys.limit(-1, 1, 1), -EINVAL));
}

/* ---- Descriptors ---- */

static void expect_open(int fd, bool open)
{
    cr_expect(eq(int, fcntl(fd, F_GETFD) >= 0, open), "%d", fd);
}

NIDO_TEST(sys_process, a_range_is_closed_and_nothing_beside_it)
{
    enum { FIRST = 500 };

    for (int i = 0; i < 6; i++) cr_assert(eq(int, dup2(STDERR_FILENO, FIRST + i), FIRST + i));
    close(FIRST + 2);
    cr_expect(zero(int, nidoi_sys.close_range(FIRST + 1, FIRST + 4)));
    expect_open(FIRST, true);
    for (int i = 1; i < 5; i++) expect_open(FIRST + i, false);
    expect_open(FIRST + 5, true);
    close(FIRST);
    close(FIRST + 5);
}

/* ---- Threads ---- */

static void *look_at_mask(void *blocked)
{
    pthread_sigmask(SIG_BLOCK, NULL, blocked);
    return NULL;
}

NIDO_TEST(sys_process, a_thread_begins_with_every_signal_blocked)
{
    sigset_t before, after, its_own;
    pthread_t thread;

    pthread_sigmask(SIG_BLOCK, NULL, &before);
    sigemptyset(&its_own);
    cr_assert(zero(int, nidoi_sys.thread(&thread, look_at_mask, &its_own)));
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int number = 1; number < 32; number++) {
        bool blockable = number != SIGKILL && number != SIGSTOP;

        cr_expect(eq(int, sigismember(&its_own, number), blockable), "%d", number);
        cr_expect(eq(int, sigismember(&after, number), sigismember(&before, number)));
    }
}

/* ---- Children ---- */

static int child_that_waits(void)
{
    int pid = fork();

    if (pid) return pid;
    for (;;) pause();
}

static void await_stop(int pid)
{
    siginfo_t info;

    cr_expect(zero(int, waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT)));
}

NIDO_TEST(sys_process, children_are_told_by_what_has_become_of_them)
{
    int pid, stopped = 0, status;

    cr_expect(eq(int, nidoi_sys.ended_child(), -ECHILD));
    cr_expect(eq(int, nidoi_sys.stopped_child(&stopped), -ECHILD));
    cr_expect(eq(int, nidoi_sys.await_child(), -ECHILD));
    pid = child_that_waits();
    cr_expect(zero(int, nidoi_sys.ended_child()));
    cr_expect(zero(int, nidoi_sys.stopped_child(&stopped)));
    kill(pid, SIGSTOP);
    await_stop(pid);
    cr_expect(eq(int, nidoi_sys.stopped_child(&stopped), CLD_STOPPED));
    cr_expect(eq(int, stopped, pid));
    cr_expect(zero(int, nidoi_sys.stopped_child(&stopped)), "once for each stop");
    kill(pid, SIGKILL);
    waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    cr_expect(eq(int, nidoi_sys.ended_child(), pid));
    cr_expect(eq(int, nidoi_sys.ended_child(), pid), "it is not reaped");
    cr_expect(eq(int, nidoi_sys.reap(pid, &status), pid));
    cr_expect(eq(int, WIFSIGNALED(status) ? WTERMSIG(status) : 0, SIGKILL));
    cr_expect(eq(int, nidoi_sys.reap(pid, &status), -ECHILD));
}

NIDO_TEST(sys_process, a_group_is_led_once_it_is_made)
{
    int pid = child_that_waits();

    cr_expect(zero(int, nidoi_sys.lead_group(pid)));
    cr_expect(eq(int, getpgid(pid), pid));
    cr_expect(zero(int, nidoi_sys.kill(-pid, SIGKILL)));
    cr_expect(eq(int, nidoi_sys.await_child(), pid));
    cr_expect(lt(int, nidoi_sys.lead_group(pid), 0));
}

#ifdef __linux__
NIDO_TEST(sys_process, as_many_children_are_listed_as_there_is_room_for)
{
    int pids[3], listed[4];

    cr_expect(zero(int, nidoi_sys.list_children(listed, 4)));
    for (int i = 0; i < 3; i++) pids[i] = child_that_waits();
    cr_expect(eq(int, nidoi_sys.list_children(listed, 4), 3));
    for (int i = 0; i < 3; i++) cr_expect(eq(int, listed[i], pids[i]));
    cr_expect(eq(int, nidoi_sys.list_children(listed, 2), 2));
    for (int i = 0; i < 3; i++) kill(pids[i], SIGKILL);
    for (int i = 0; i < 3; i++) waitpid(pids[i], NULL, 0);
}

static void adopt_and_exit(void)
{
    bool before = nidoi_sys.adopts_orphans();

    if (nidoi_sys.adopt_orphans()) _exit(1);
    _exit(!before && nidoi_sys.adopts_orphans() ? 0 : 2);
}

NIDO_TEST(sys_process, it_can_be_asked_who_adopts_orphans)
{
    int status, pid = fork();

    if (pid == 0) adopt_and_exit();
    waitpid(pid, &status, 0);
    cr_expect(zero(int, status));
}
#endif

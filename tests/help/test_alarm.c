/* SPDX-License-Identifier: MIT */
/* test_alarm.c: a test that hangs is named, and ended. Criterion's own time-out does neither if the
 * test sleeps.
 *
 * Each test's process has two timers of the kernel that the test does not see: no thread, no
 * descriptor, and a signal that nothing else uses. After NIDO_TEST_SECONDS (60) the handler of the
 * first says which test it is and where its tasks are, ends its children, which would hold the
 * terminal, and ends the process by SIGALRM, which no test expects. The second kills it some seconds
 * later, if the signal is blocked, or what the handler looks at is broken. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "coro/run/report.h"

enum { SECONDS = 60, SECONDS_TO_SAY_IT = 5, MS_A_THREAD = 100 };

static int seconds = SECONDS;
static atomic_bool ending;
static atomic_int answers; /* of threads that have listed their tasks */

static void say(void *ctx, const char *text)
{
    ssize_t rc = write(STDERR_FILENO, text, strlen(text));

    (void)ctx, (void)rc;
}

static void say_tasks(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (loop) nidoi_tasks_each(loop, say, NULL);
}

static void end_children(const char *thread)
{
    char path[320], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%s/children", thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = '\0';
    for (char *at = text, *end; strtol(at, &end, 10) > 0; at = end) {
        pid_t child = (pid_t)strtol(at, NULL, 10);

        snprintf(path, sizeof path, "  and its child process %d, killed\n", (int)child);
        say(NULL, path);
        kill(child, SIGKILL);
    }
}

/* The thread comes into the handler too, unless it blocks the signal. */
static void ask_thread(const char *thread)
{
    int before = answers;

    if (atoi(thread) == syscall(SYS_gettid)) return;
    if (syscall(SYS_tgkill, getpid(), atoi(thread), SIGRTMAX - 1) < 0) return;
    for (int ms = 0; ms < MS_A_THREAD && answers == before; ms++) poll(NULL, 0, 1);
}

static void each_thread(void (*call)(const char *thread))
{
    DIR *threads = opendir("/proc/self/task");

    if (!threads) return;
    for (struct dirent *entry; (entry = readdir(threads));)
        if (entry->d_name[0] != '.') call(entry->d_name);
    closedir(threads);
}

static void end_test(int number)
{
    const struct criterion_test *test = criterion_current_test;
    char text[512];
    sigset_t all;

    (void)number;
    if (atomic_exchange(&ending, true)) {
        say_tasks();
        answers++;
        for (;;) pause();
    }
    snprintf(text, sizeof text,
             "nido: the test %s::%s still runs after %d s and is ended; its tasks are\n",
             test ? test->category : "?", test ? test->name : "?", seconds);
    say(NULL, text);
    say_tasks();
    each_thread(ask_thread);
    each_thread(end_children);
    signal(SIGALRM, SIG_DFL);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    raise(SIGALRM);
}

static void start_timer(int number, int after)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};
    timer_t timer;

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &(struct itimerspec){.it_value.tv_sec = after}, NULL);
}

/* A process of a test is known by what Criterion puts into its environment. */
__attribute__((constructor)) static void start_alarm(void)
{
    const char *wanted = getenv("NIDO_TEST_SECONDS");

    if (!getenv("BXFI_MAP")) return;
    if (wanted && atoi(wanted) > 0) seconds = atoi(wanted);
    sigaction(SIGRTMAX - 1,
              &(struct sigaction){.sa_handler = end_test, .sa_flags = SA_ONSTACK | SA_RESTART},
              NULL);
    start_timer(SIGRTMAX - 1, seconds);
    start_timer(SIGKILL, seconds + SECONDS_TO_SAY_IT);
}

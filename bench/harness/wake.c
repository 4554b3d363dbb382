/* SPDX-License-Identifier: MIT */
/* wake.c: the process that wakes, and the account of how long it took.
 *
 * The waker does not wait for an answer, so a slow turn is not hidden: what it has written
 * meanwhile is late by as much. */
#include "wake.h"
#include "peers.h"
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GAP_LEAST = 50000, GAP_MOST = 150000, WARM_UP_SHARE = 5 };

/* Twice the length of a load: the rarest thousandth shall be more than a few. */
static int64_t length_of(const struct bench_ask *ask)
{
    return (int64_t)(2e9 * ask->seconds);
}

static void pause_a_little(unsigned short *seed)
{
    struct timespec gap = {.tv_nsec = GAP_LEAST + nrand48(seed) % (GAP_MOST - GAP_LEAST)};
    nanosleep(&gap, NULL);
}

static bool wake(int fd)
{
    int64_t now = bench_now();
    return write(fd, &now, sizeof now) == sizeof now;
}

/* The process that wakes; it must not outlive the one it wakes. */
static _Noreturn void wake_on(int fd, int64_t length)
{
    unsigned short seed[3] = {1, 2, 3};
    char ready;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1UL);
    signal(SIGPIPE, SIG_IGN);
    bench_pin(1);
    bool good = write(fd, "", 1) == 1 && read(fd, &ready, 1) == 1;
    for (int64_t end = bench_now() + length; good && bench_now() < end;) {
        pause_a_little(seed);
        good = wake(fd);
    }
    _exit(!good);
}

/* The end where the waker's stamps come out, non-blocking; *pid is the waker. -1: the sample says
 * why there is none. */
static int start_waker(const struct bench_ask *ask, pid_t *pid, struct bench_sample *out)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        bench_fail(out, "socketpair: %s", strerror(errno));
        return -1;
    }
    *pid = fork();
    if (*pid == 0) {
        close(ends[0]);
        wake_on(ends[1], length_of(ask));
    }
    close(ends[1]);
    char there; /* on its own CPU: it may never get there once this one is busy */
    if (read(ends[0], &there, 1) == 1) {
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        return ends[0];
    }
    bench_fail(out, "there is no process that wakes");
    close(ends[0]);
    return -1;
}

/* With the other end closed the waker ends by itself. */
static void await_waker(pid_t pid, struct bench_sample *out)
{
    int status = -1;
    if (pid > 0) waitpid(pid, &status, 0);
    if (status && out->outcome == BENCH_MEASURED)
        bench_fail(out, "the process that wakes did not get to its end");
}

static bool log_init(struct wake_log *log, const struct bench_ask *ask)
{
    *log = (struct wake_log){.room = (size_t)(length_of(ask) / GAP_LEAST) + 1};
    log->us = malloc(log->room * sizeof *log->us);
    if (log->us) memset(log->us, 0, log->room * sizeof *log->us); /* no page faults later */
    return log->us != NULL;
}

static void report(const struct wake_log *log, struct bench_sample *out)
{
    static const double percents[] = {50, 99, 99.9};
    size_t skip = log->count / WARM_UP_SHARE, n = log->count - skip;
    if (!n) {
        bench_fail(out, "nothing was woken");
        return;
    }
    stats_sort(log->us + skip, n);
    out->outcome = BENCH_MEASURED;
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++)
        out->values[i] = stats_percentile(log->us + skip, n, percents[i]);
}

void wake_work(void)
{
    enum { WORK_NS = 1000 };
    int64_t end = bench_now() + WORK_NS;
    while (bench_now() < end) {
    }
}

void wake_note(struct wake_log *log, const int64_t *stamps, ssize_t bytes)
{
    int64_t now = bench_now();
    size_t n = (size_t)bytes / sizeof *stamps;
    for (size_t i = 0; i < n && log->count < log->room; i++)
        log->us[log->count++] = (double)(now - stamps[i]) / 1000;
}

void wake_measure(const struct bench_ask *ask, wake_fn *fn, struct bench_sample *out)
{
    struct wake_log log;
    pid_t pid;
    if (!log_init(&log, ask)) {
        bench_skip(out, "no memory");
        return;
    }
    int fd = start_waker(ask, &pid, out);
    if (fd < 0) return;
    int rc = fn(ask, fd, &log);
    close(fd);
    if (rc)
        bench_fail(out, "%s", strerror(-rc));
    else
        report(&log, out);
    await_waker(pid, out);
    free(log.us);
}

void wake_measure_peer(const struct peer *peer, const struct bench_ask *ask,
                       struct bench_sample *out)
{
    pid_t pid;
    int fd = start_waker(ask, &pid, out);
    if (fd < 0) return;
    dup2(fd, STDIN_FILENO);
    close(fd);
    peer_measure(peer, ask, out);
    close(STDIN_FILENO);
    await_waker(pid, out);
}

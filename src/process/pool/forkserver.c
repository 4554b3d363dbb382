/* SPDX-License-Identifier: MIT */
/* process/pool/forkserver.c: how a program starts the fork server and sends orders to it. The
 * server is forked once, before the program has threads, and has one thread itself, so the
 * processes that it forks may call malloc and printf.
 *
 * It is no child of the program (a process in between has forked it and ended), so waitpid(-1) and
 * SIGCHLD in the program do not find it. */
#include "process/pool/forkserver.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "coro/task/sched.h"
#include "nido/fd.h"
#include "nido/procpool.h"
#include "process/pool/server.h"

static struct {
    int pid; /* of this process: in a child of fork, which has the socket too, it differs */
    int command;
    int server;  /* its pid */
    bool unseen; /* it is a child of this process, but plain waits do not find it */
} prepared = {.command = -1};

bool nidoi_forkserver_ready(void)
{
    return prepared.pid == getpid();
}

/* In the process in between: its end makes the server an orphan. */
static _Noreturn void fork_orphan(int command, int life)
{
    struct nidoi_worker_status failed = {NIDOI_STATUS_FAILED, 0};
    int pid = nidoi_sys.fork();

    if (pid == 0) nidoi_server_run(command, life);
    failed.value = pid;
    if (pid < 0) nidoi_sys.send(command, &failed, sizeof failed, 0);
    _exit(0);
}

/* The server's pid, or the error. */
static int server_wait_started(int command)
{
    struct pollfd answer = {.fd = command, .events = POLLIN};
    struct nidoi_worker_status status;
    ssize_t n;
    int ready;

    do ready = nidoi_sys.poll(&answer, 1, -1);
    while (ready == -EINTR);
    if (ready < 0) return ready;
    n = nidoi_sys.recv(command, &status, sizeof status, 0);
    if (n < 0) return (int)n;
    return n == sizeof status ? status.value : -EPIPE;
}

/* An orphan becomes the child of a program that adopts orphans, as PID 1 of a container does. There
 * the server is a child from the start, one that plain waits do not find. */
static int server_fork_detached(int command, int life)
{
    int pid = nidoi_sys.adopts_orphans() ? nidoi_sys.fork_unseen() : -ENOSYS, status;

    if (pid == 0) nidoi_server_run(command, life);
    prepared.unseen = pid > 0;
    if (pid > 0) return 0;
    pid = nidoi_sys.fork();
    if (pid == 0) fork_orphan(command, life);
    if (pid < 0) return pid;
    nidoi_sys.reap(pid, &status);
    return 0;
}

static int server_start(int *pair)
{
    int life = nidoi_sys.process_fd(getpid());
    int err;

    fflush(NULL); /* or both processes would print it */
    err = server_fork_detached(pair[1], life);
    if (life >= 0) nidoi_sys.close(life);
    nidoi_sys.close(pair[1]);
    return err ? err : server_wait_started(pair[0]);
}

int nido_procpool_prepare(void)
{
    int pair[2], err;

    if (nidoi_sched_self) return -EPERM;
    if (nidoi_forkserver_ready()) return 0;
    if (prepared.command >= 0) nidoi_sys.close(prepared.command); /* of the parent process */
    prepared.command = -1;
    err = nidoi_sys.socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    if (err) return err;
    err = server_start(pair);
    if (err < 0) {
        nidoi_sys.close(pair[0]);
        return err;
    }
    prepared.command = pair[0];
    prepared.server = err;
    prepared.pid = getpid();
    return 0;
}

/* The server may have been stopped. While its socket takes orders it runs, and the pid is its own.
 */
static void server_continue(void)
{
    nidoi_sys.kill(prepared.server, SIGCONT);
}

static void server_reap(void)
{
    siginfo_t info;

    if (prepared.unseen)
        nidoi_sys.waitid(P_PID, prepared.server, &info, WEXITED | WNOHANG | NIDOI_EVERY_CHILD);
}

int nidoi_forkserver_send(const struct nidoi_forkserver_order *order, const int *fds)
{
    union nidoi_passed_fds passed = {.head = {.cmsg_len = CMSG_LEN(NIDOI_START_FDS * sizeof *fds),
                                              .cmsg_level = SOL_SOCKET,
                                              .cmsg_type = SCM_RIGHTS}};
    struct iovec bytes = {(void *)order, sizeof *order};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    ssize_t n;
    int err;

    if (fds) {
        message.msg_control = &passed;
        message.msg_controllen = sizeof passed;
        memcpy(CMSG_DATA(&passed.head), fds, NIDOI_START_FDS * sizeof *fds);
    }
    while ((n = nidoi_sys.sendmsg(prepared.command, &message, MSG_DONTWAIT)) == -EAGAIN) {
        server_continue();
        err = nido_wait_fd(prepared.command, NIDO_OUT);
        if (err < 0) return err;
    }
    if (n >= 0) server_continue();
    if (n == -EPIPE) server_reap();
    return n < 0 ? (int)n : 0;
}

/* SPDX-License-Identifier: MIT */
/* process/pool/server.c: what runs in the fork server, and in a worker before its first job.
 *
 * Orders come on a stream, because its end shows the end of the program on every system, which
 * packets do not on some. Each order is written by one call and read by one; a socket takes so few
 * bytes all or none. */
#include "process/pool/server.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "process/pool/job.h"

enum { FIRST_FREE = STDERR_FILENO + 1 };

struct server_child {
    uint64_t id;
    int pid;
    int status_fd;
};

struct server {
    int pid;
    int command;
    int life; /* can be read when the program has ended; -1: only the end of `command` shows it */
    int signal_pipe[2]; /* written when a child has ended or stopped */
    struct server_child *children;
    size_t count, capacity;
};

static int signal_pipe_end; /* the end that the signal handler writes to */

static void on_sigchld(int signal)
{
    int saved = errno;

    (void)signal;
    nidoi_sys.write(signal_pipe_end, "", 1);
    errno = saved;
}

static void set_handler(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    nidoi_sys.sigaction(signal, &action, NULL);
}

/* As after exec: ignored signals stay ignored, the others get the default action. */
static void reset_signals(void)
{
    struct sigaction action;
    sigset_t none;

    for (int signal = 1; signal < NSIG; signal++)
        if (nidoi_sys.sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
            action.sa_handler != SIG_DFL)
            set_handler(signal, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_all_but(int one, int other)
{
    int low = one < other ? one : other, high = one < other ? other : one;

    if (low > FIRST_FREE) nidoi_sys.close_range(FIRST_FREE, low - 1);
    if (high > low + 1) nidoi_sys.close_range(low + 1, high - 1);
    nidoi_sys.close_range(high + 1, INT_MAX);
}

/* Moves a descriptor above the standard streams, of which some may have been closed. */
static int raise_above_stdio(int *fd)
{
    int raised;

    if (*fd >= FIRST_FREE) return 0;
    raised = nidoi_sys.dup(*fd, FIRST_FREE);
    if (raised < 0) return raised;
    nidoi_sys.close(*fd);
    *fd = raised;
    return 0;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) nidoi_sys.close(fds[i]);
}

static void send_status(int status_fd, enum nidoi_worker_status_kind kind, int value)
{
    struct nidoi_worker_status message = {kind, value};

    nidoi_sys.write(status_fd, &message, sizeof message); /* fails if the program has ended */
}

static int worker_set_up(const struct nidoi_forkserver_order *order, const int *fds, int server)
{
    int err;

    set_handler(SIGCHLD, SIG_DFL);
    nidoi_sys.adopt_orphans(); /* so that orphans of a job become children of this process */
    nidoi_sys.follow_parent(SIGKILL);
    if (getppid() != server) _exit(1);
    nidoi_sys.lead_group(getpid());
    err = nidoi_sys.dup2(fds[NIDOI_START_STDERR], STDERR_FILENO);
    if (err < 0) return err;
    nidoi_sys.nonblock(STDERR_FILENO, false);
    nidoi_sys.nonblock(fds[NIDOI_START_JOB], false);
    close_all_but(fds[NIDOI_START_JOB], fds[NIDOI_START_STATUS]);
    nidoi_sys_set_name(order->name);
    err = order->memory ? nidoi_sys.limit(RLIMIT_AS, order->memory, order->memory) : 0;
    return err ? err : nidoi_procjob_confine(order);
}

/* Waits until the server has closed its copies of the descriptors. Otherwise a job could stop the
 * server (SIGSTOP) and end, and the caller would wait for the end of a socket that the server still
 * has. */
static void worker_wait_for_parent(const int *gate)
{
    struct pollfd end = {.fd = gate[0], .events = POLLIN};

    nidoi_sys.close(gate[1]);
    while (nidoi_sys.poll(&end, 1, -1) == -EINTR) continue;
    nidoi_sys.close(gate[0]);
}

static _Noreturn void worker_run(const struct nidoi_forkserver_order *order, const int *fds,
                                 int server, const int *gate)
{
    int err;

    worker_wait_for_parent(gate);
    err = worker_set_up(order, fds, server);
    send_status(fds[NIDOI_START_STATUS], err ? NIDOI_STATUS_FAILED : NIDOI_STATUS_STARTED,
                err ? err : getpid());
    if (err) _exit(1);
    nidoi_sys.close(fds[NIDOI_START_STATUS]);
    nidoi_procjob_serve(fds[NIDOI_START_JOB], order);
}

/* Signals the child, which may have left its group, and the processes in its group. A stopped
 * process gets SIGTERM only when it is continued. */
static void signal_child(const struct server_child *child, int signal)
{
    nidoi_sys.kill(-child->pid, signal);
    if (signal == SIGKILL || getpgid(child->pid) != child->pid) nidoi_sys.kill(child->pid, signal);
    if (signal == SIGTERM) signal_child(child, SIGCONT);
}

static void server_add_child(struct server *server, const struct nidoi_forkserver_order *order,
                             int pid, const int *fds)
{
    nidoi_sys.lead_group(pid); /* child and server both do it: one of them is first */
    server->children[server->count++] =
        (struct server_child){order->id, pid, fds[NIDOI_START_STATUS]};
    nidoi_sys.close(fds[NIDOI_START_JOB]);
    nidoi_sys.close(fds[NIDOI_START_STDERR]);
}

static int server_start(struct server *server, const struct nidoi_forkserver_order *order, int *fds)
{
    int gate[2], pid, err = 0;

    for (int i = 0; i < NIDOI_START_FDS && !err; i++) err = raise_above_stdio(&fds[i]);
    if (!err)
        err = nidoi_mem_grow((void **)&server->children, &server->capacity, server->count + 1,
                             sizeof *server->children);
    if (!err) err = nidoi_sys.pipe(gate);
    if (err) return err;
    pid = nidoi_sys.fork();
    if (pid == 0) worker_run(order, fds, server->pid, gate);
    if (pid > 0) server_add_child(server, order, pid, fds);
    close_all(gate, 2);
    return pid < 0 ? pid : 0;
}

static void server_handle_order(struct server *server, const struct nidoi_forkserver_order *order,
                                int *fds, int n)
{
    int err;

    if (order->kind == NIDOI_ORDER_START && n > NIDOI_START_STATUS) {
        err = n == NIDOI_START_FDS ? server_start(server, order, fds) : -EMFILE;
        if (err)
            send_status(fds[NIDOI_START_STATUS], NIDOI_STATUS_FAILED, err);
        else
            n = 0; /* they belong to the child now */
    }
    for (size_t i = 0; order->kind == NIDOI_ORDER_SIGNAL && i < server->count; i++)
        if (server->children[i].id == order->id) signal_child(&server->children[i], order->signal);
    close_all(fds, (size_t)n);
}

static int passed_fds(struct msghdr *message, int *out)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    size_t size;

    if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return 0;
    size = head->cmsg_len - CMSG_LEN(0);
    memcpy(out, CMSG_DATA(head), size);
    return (int)(size / sizeof *out);
}

/* After an error such as ENOMEM: to try again at once would only use the processor. */
static void pause_briefly(void)
{
    static const struct timespec pause = {.tv_nsec = 10000000};

    nanosleep(&pause, NULL);
}

/* The call is denied for ever: no order will ever be read. */
static bool is_denied(ssize_t err)
{
    return err == -ENOSYS || err == -EPERM;
}

/* False: the program has ended, or cannot be heard. */
static bool server_take_order(struct server *server)
{
    struct nidoi_forkserver_order order = {0};
    union nidoi_passed_fds passed;
    struct iovec bytes = {&order, sizeof order};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &passed,
                             .msg_controllen = sizeof passed};
    int fds[NIDOI_START_FDS];
    ssize_t n = nidoi_sys.recvmsg(server->command, &message, 0);

    if (n < 0) {
        if (n != -EAGAIN) pause_briefly();
        return !is_denied(n);
    }
    if (n != sizeof order) return false;
    server_handle_order(server, &order, fds, passed_fds(&message, fds));
    return true;
}

static size_t server_child_index(const struct server *server, int pid)
{
    size_t i = 0;

    while (i < server->count && server->children[i].pid != pid) i++;
    return i;
}

/* Processes that workers have left behind have become children of the server. False: the system has
 * no list of children. */
static bool server_kill_orphans(const struct server *server)
{
    int pids[256];
    int n = nidoi_sys.list_children(pids, sizeof pids / sizeof *pids);

    for (int i = 0; i < n; i++)
        if (server_child_index(server, pids[i]) == server->count) nidoi_sys.kill(pids[i], SIGKILL);
    return n >= 0;
}

/* waitpid(2) also returns when a worker that this process traces stops. False: it is denied, and the
 * child stays. */
static bool reap_child(int pid, int *status)
{
    int reaped;

    nidoi_sys.kill(-pid, SIGKILL); /* its group: the number is its own until it is reaped */
    nidoi_sys.kill(pid, SIGKILL);
    do reaped = nidoi_sys.reap(pid, status);
    while (reaped == pid && WIFSTOPPED(*status));
    return reaped == pid;
}

static bool server_reap(struct server *server, int pid)
{
    struct server_child *children = server->children;
    size_t i = server_child_index(server, pid);
    int status = 0;
    bool reaped = reap_child(pid, &status);

    server_kill_orphans(server);
    if (i == server->count) return reaped;
    send_status(children[i].status_fd, NIDOI_STATUS_ENDED, status);
    nidoi_sys.close(children[i].status_fd);
    children[i] = children[--server->count];
    return reaped;
}

/* Continues stopped workers, because a stop would hold up a call for ever, and it did not come from
 * a terminal. A worker that has made the server its tracer is killed. */
static void continue_stopped_children(void)
{
    int pid, how;

    while ((how = nidoi_sys.stopped_child(&pid)) > 0)
        nidoi_sys.kill(pid, how == CLD_TRAPPED ? SIGKILL : SIGCONT);
}

static void server_reap_all(struct server *server)
{
    char discarded[64];
    int pid;

    while (nidoi_sys.read(server->signal_pipe[0], discarded, sizeof discarded) > 0) continue;
    continue_stopped_children();
    while ((pid = nidoi_sys.ended_child()) > 0 && server_reap(server, pid)) continue;
}

/* If poll(2) fails, because memory is short or a filter denies it, the calls themselves find out
 * after a pause: none of them waits. */
static void server_wait(struct pollfd *fds, size_t n)
{
    int ready = nidoi_sys.poll(fds, n, -1);

    if (ready >= 0 || ready == -EINTR) return;
    pause_briefly();
    fds[0].revents = fds[1].revents = POLLIN;
}

static void server_serve(struct server *server)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = server->command, .events = POLLIN},
                               {.fd = server->signal_pipe[0], .events = POLLIN},
                               {.fd = server->life, .events = POLLIN}};

        server_wait(fds, 3);
        if (fds[1].revents) server_reap_all(server);
        if (fds[2].revents || (fds[0].revents && !server_take_order(server))) return;
    }
}

/* The program has ended: all workers are killed. Each end may leave orphans to the server. */
static _Noreturn void server_end(struct server *server)
{
    for (size_t i = 0; i < server->count; i++) signal_child(&server->children[i], SIGKILL);
    server->count = 0;
    while (server_kill_orphans(server) && nidoi_sys.await_child() > 0) continue;
    _exit(0);
}

_Noreturn void nidoi_server_run(int command, int life)
{
    struct server server = {.pid = getpid(), .command = command, .life = life};
    struct nidoi_worker_status started = {NIDOI_STATUS_STARTED, server.pid};

    reset_signals();
    nidoi_sys.lead_group(server.pid); /* signals from the terminal are for the program */
    nidoi_sys.adopt_orphans();
    /* a process outside the terminal's group that reads from it or writes to it would be stopped */
    set_handler(SIGTTIN, SIG_IGN);
    set_handler(SIGTTOU, SIG_IGN);
    close_all_but(command, life < 0 ? command : life);
    nidoi_sys_set_name("nido-forkserver");
    if (nidoi_sys.pipe(server.signal_pipe) < 0) _exit(1);
    signal_pipe_end = server.signal_pipe[1];
    set_handler(SIGCHLD, on_sigchld);
    if (nidoi_sys.send(command, &started, sizeof started, 0) < 0) _exit(1);
    server_serve(&server);
    server_end(&server);
}

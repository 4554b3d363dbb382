/* process/pool/server.c: what runs in the fork server, and in a worker before its first job.
 *
 * Orders come on a stream, because its end tells the end of the program on every system, and not
 * every one has packets with an end. Each is written by one call and read by one; a socket takes so
 * few bytes whole or not at all. */
#include "process/pool/server.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "process/pool/job.h"

enum { FIRST_FREE = STDERR_FILENO + 1 };

/* ---- In the server ---- */

struct child {
    uint64_t id;
    int pid;
    int fate;
};

struct server {
    int pid;
    int command;
    int life;      /* can be read when the program has ended; -1: only the end of `command` tells */
    int wakeup[2]; /* rung when a child has ended or stopped */
    struct child *children;
    size_t count, capacity;
};

static int ringing; /* the bell's end for the signal handler */

static void ring(int signal)
{
    int saved = errno;

    (void)signal;
    nidoi_sys.write(ringing, "", 1);
    errno = saved;
}

static void handle(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    nidoi_sys.sigaction(signal, &action, NULL);
}

/* As after exec: what was ignored stays so, the rest is the default. */
static void reset_signals(void)
{
    struct sigaction action;
    sigset_t none;

    for (int signal = 1; signal < NSIG; signal++)
        if (nidoi_sys.sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
            action.sa_handler != SIG_DFL)
            handle(signal, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void keep_only(int one, int other)
{
    int low = one < other ? one : other, high = one < other ? other : one;

    if (low > FIRST_FREE) nidoi_sys.close_range(FIRST_FREE, low - 1);
    if (high > low + 1) nidoi_sys.close_range(low + 1, high - 1);
    nidoi_sys.close_range(high + 1, INT_MAX);
}

/* A number that does not stand for a standard stream, which may have been closed. */
static int raise_fd(int *fd)
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

static void report(int fate, enum nidoi_worker_status_kind kind, int value)
{
    struct nidoi_worker_status message = {kind, value};

    nidoi_sys.write(fate, &message, sizeof message); /* nobody reads: nobody cares any more */
}

static int settle(const struct nidoi_forkserver_order *order, const int *fds, int server)
{
    int err;

    handle(SIGCHLD, SIG_DFL);
    nidoi_sys.adopt_orphans(); /* so that it knows of whatever a job has started */
    nidoi_sys.follow_parent(SIGKILL);
    if (getppid() != server) _exit(1);
    nidoi_sys.lead_group(getpid());
    err = nidoi_sys.dup2(fds[NIDOI_START_STDERR], STDERR_FILENO);
    if (err < 0) return err;
    nidoi_sys.nonblock(STDERR_FILENO, false);
    nidoi_sys.nonblock(fds[NIDOI_START_JOB], false);
    keep_only(fds[NIDOI_START_JOB], fds[NIDOI_START_FATE]);
    nidoi_sys_set_name(order->name);
    err = order->memory ? nidoi_sys.limit(RLIMIT_AS, order->memory, order->memory) : 0;
    return err ? err : nidoi_procjob_confine(order);
}

/* Until the server has let go of what it gave us. A job could stop it before that, and then end:
 * the caller would wait for the end of a socket that the server still has. */
static void await_turn(const int *turn)
{
    struct pollfd end = {.fd = turn[0], .events = POLLIN};

    nidoi_sys.close(turn[1]);
    while (nidoi_sys.poll(&end, 1, -1) == -EINTR) continue;
    nidoi_sys.close(turn[0]);
}

static _Noreturn void become_worker(const struct nidoi_forkserver_order *order, const int *fds,
                                    int server, const int *turn)
{
    int err;

    await_turn(turn);
    err = settle(order, fds, server);
    report(fds[NIDOI_START_FATE], err ? NIDOI_FATE_FAILED : NIDOI_FATE_STARTED,
           err ? err : getpid());
    if (err) _exit(1);
    nidoi_sys.close(fds[NIDOI_START_FATE]);
    nidoi_procjob_serve(fds[NIDOI_START_JOB], order);
}

/* The child, wherever it is, and what it has forked. One that is stopped hears of SIGTERM only when
 * it is continued. */
static void signal_child(const struct child *child, int signal)
{
    nidoi_sys.kill(-child->pid, signal);
    if (signal == SIGKILL || getpgid(child->pid) != child->pid) nidoi_sys.kill(child->pid, signal);
    if (signal == SIGTERM) signal_child(child, SIGCONT);
}

static void adopt(struct server *server, const struct nidoi_forkserver_order *order, int pid,
                  const int *fds)
{
    nidoi_sys.lead_group(pid); /* whichever of the two is first */
    server->children[server->count++] = (struct child){order->id, pid, fds[NIDOI_START_FATE]};
    nidoi_sys.close(fds[NIDOI_START_JOB]);
    nidoi_sys.close(fds[NIDOI_START_STDERR]);
}

static int start(struct server *server, const struct nidoi_forkserver_order *order, int *fds)
{
    int turn[2], pid, err = 0;

    for (int i = 0; i < NIDOI_START_FDS && !err; i++) err = raise_fd(&fds[i]);
    if (!err)
        err = nidoi_mem_grow((void **)&server->children, &server->capacity, server->count + 1,
                             sizeof *server->children);
    if (!err) err = nidoi_sys.pipe(turn);
    if (err) return err;
    pid = nidoi_sys.fork();
    if (pid == 0) become_worker(order, fds, server->pid, turn);
    if (pid > 0) adopt(server, order, pid, fds);
    close_all(turn, 2);
    return pid < 0 ? pid : 0;
}

static void obey(struct server *server, const struct nidoi_forkserver_order *order, int *fds, int n)
{
    int err;

    if (order->kind == NIDOI_ORDER_START && n > NIDOI_START_FATE) {
        err = n == NIDOI_START_FDS ? start(server, order, fds) : -EMFILE;
        if (err)
            report(fds[NIDOI_START_FATE], NIDOI_FATE_FAILED, err);
        else
            n = 0; /* they are the child's now */
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

/* The kernel lacks memory, say: to ask it at once again would only keep it busy. */
static void pause_a_moment(void)
{
    enum { PAUSE_MS = 10 };

    nidoi_sys.poll(NULL, 0, PAUSE_MS);
}

/* False: the program has ended. */
static bool take_order(struct server *server)
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
        if (n != -EAGAIN) pause_a_moment();
        return true;
    }
    if (n != sizeof order) return false;
    obey(server, &order, fds, passed_fds(&message, fds));
    return true;
}

static size_t index_of(const struct server *server, int pid)
{
    size_t i = 0;

    while (i < server->count && server->children[i].pid != pid) i++;
    return i;
}

/* What workers have left behind, wherever it went, has become our child. False: the system does not
 * say what is. */
static bool kill_orphans(const struct server *server)
{
    int pids[256];
    int n = nidoi_sys.list_children(pids, sizeof pids / sizeof *pids);

    for (int i = 0; i < n; i++)
        if (index_of(server, pids[i]) == server->count) nidoi_sys.kill(pids[i], SIGKILL);
    return n >= 0;
}

/* A stop is no end, but a worker that has us for a tracer would wait for us. */
static int reap(int pid)
{
    int status = 0;

    nidoi_sys.kill(-pid, SIGKILL); /* its own children; while it is not reaped the number is its */
    nidoi_sys.kill(pid, SIGKILL);
    while (nidoi_sys.reap(pid, &status) == pid && WIFSTOPPED(status)) continue;
    return status;
}

static void bury(struct server *server, int pid)
{
    struct child *children = server->children;
    size_t i = index_of(server, pid);
    int status = reap(pid);

    kill_orphans(server);
    if (i == server->count) return;
    report(children[i].fate, NIDOI_FATE_ENDED, status);
    nidoi_sys.close(children[i].fate);
    children[i] = children[--server->count];
}

/* A worker that stands still fails nobody's call; what stopped it was no terminal. One that has made
 * us its tracer would wait for us. */
static void continue_stopped(void)
{
    int pid, how;

    while ((how = nidoi_sys.stopped_child(&pid)) > 0)
        nidoi_sys.kill(pid, how == CLD_TRAPPED ? SIGKILL : SIGCONT);
}

static void bury_all(struct server *server)
{
    char rings[64];
    int pid;

    while (nidoi_sys.read(server->wakeup[0], rings, sizeof rings) > 0) continue;
    continue_stopped();
    while ((pid = nidoi_sys.ended_child()) > 0) bury(server, pid);
}

static void serve(struct server *server)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = server->command, .events = POLLIN},
                               {.fd = server->wakeup[0], .events = POLLIN},
                               {.fd = server->life, .events = POLLIN}};

        nidoi_sys.poll(fds, 3, -1);
        if (fds[1].revents) bury_all(server);
        if (fds[2].revents || (fds[0].revents && !take_order(server))) return;
    }
}

/* The program has ended: so does everything here. Each end may leave orphans to us. */
static _Noreturn void end_all(struct server *server)
{
    for (size_t i = 0; i < server->count; i++) signal_child(&server->children[i], SIGKILL);
    server->count = 0;
    while (kill_orphans(server) && nidoi_sys.await_child() > 0) continue;
    _exit(0);
}

_Noreturn void nidoi_server_run(int command, int life)
{
    struct server server = {.pid = getpid(), .command = command, .life = life};
    struct nidoi_worker_status hello = {NIDOI_FATE_STARTED, server.pid};

    reset_signals();
    nidoi_sys.lead_group(server.pid); /* the terminal's signals are for the program */
    nidoi_sys.adopt_orphans();
    /* outside the terminal's group, who reads from it or writes to it would be stopped */
    handle(SIGTTIN, SIG_IGN);
    handle(SIGTTOU, SIG_IGN);
    keep_only(command, life < 0 ? command : life);
    nidoi_sys_set_name("nido-forkserver");
    if (nidoi_sys.pipe(server.wakeup) < 0) _exit(1);
    ringing = server.wakeup[1];
    handle(SIGCHLD, ring);
    if (nidoi_sys.send(command, &hello, sizeof hello, 0) < 0) _exit(1);
    serve(&server);
    end_all(&server);
}

/* SPDX-License-Identifier: MIT */
/* What is tried again after a refusal is tried again after a pause, or it would use a processor until
 * the shortage ends. Each pause of the library has a line here (tests/checks/pauses misses it
 * otherwise): a program in which a call of the kernel is refused several times. */
#include "procpool_help.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "faults.h"
#include "io_help.h"
#include "nido/serve.h"

enum { REFUSALS = 3, WITHOUT_END = 1 << 30, MANY = 60 };

static int refusals; /* still to come */
static int *refused; /* so far; a fork counts here too */

static bool refuses(void)
{
    if (__atomic_sub_fetch(&refusals, 1, __ATOMIC_RELAXED) < 0) return false;
    __atomic_add_fetch(refused, 1, __ATOMIC_RELAXED);
    return true;
}

/* The next calls of this kind for which `condition` holds are refused. */
#define REFUSE(type, name, parameters, arguments, condition, code)        \
    static type(*real_##name) parameters;                                 \
    static type refuse_##name parameters                                  \
    {                                                                     \
        return (condition) && refuses() ? (code) : real_##name arguments; \
    }                                                                     \
    static void begin_##name(int times)                                   \
    {                                                                     \
        real_##name = nidoi_sys.name;                                     \
        __atomic_store_n(&refusals, times, __ATOMIC_RELAXED);             \
        nidoi_sys.name = refuse_##name;                                   \
    }

REFUSE(int, accept, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length),
       true, -EMFILE)
REFUSE(int, connect, (int fd, const struct sockaddr *address, socklen_t length),
       (fd, address, length), true, -EAGAIN)
REFUSE(int, spawn, (const struct nidoi_program *program, int *pid), (program, pid), true, -ETXTBSY)
REFUSE(int, socketpair, (int domain, int type, int protocol, int *out),
       (domain, type, protocol, out), true, -EMFILE)
REFUSE(int, thread, (pthread_t * out, void *(*fn)(void *), void *arg), (out, fn, arg), true,
       -EAGAIN)
REFUSE(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), true,
       -ENOMEM)
REFUSE(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags),
       true, -ENOBUFS)
REFUSE(int, waitid, (int type, int id, siginfo_t *out, int options), (type, id, out, options), true,
       0 * (out->si_pid = 0))
REFUSE(int, poll, (struct pollfd * fds, size_t n, int milliseconds), (fds, n, milliseconds), n == 3,
       -ENOMEM) /* the server's */
REFUSE(int, map, (size_t size, void **out), (size, out), true, -ENOMEM)
REFUSE(ssize_t, sendto,
       (int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to,
        socklen_t length),
       (fd, bytes, len, flags, to, length), true, -EAGAIN)

/* ---- Descriptors ---- */

static int accept_one(void *unused)
{
    int listener = io_listen(), client = nido_dial(io_place(), NULL, NULL), fd;

    (void)unused;
    NEED(client >= 0);
    begin_accept(REFUSALS);
    fd = nido_accept(listener, NULL, NULL);
    NEED(fd >= 0 && nido_close(fd) == 0 && nido_close(client) == 0);
    return nido_close(listener);
}

/* A listener that blocks and is not nido's: a worker accepts, and there is none. */
static int accept_foreign(void *unused)
{
    int own = io_listen(), listener = dup(own), client = nido_dial(io_place(), NULL, NULL), fd;

    (void)unused;
    NEED(nido_close(own) == 0 && fcntl(listener, F_SETFL, 0) == 0);
    begin_thread(REFUSALS);
    fd = nido_accept(listener, NULL, NULL);
    NEED(fd >= 0 && nido_close(fd) == 0 && nido_close(client) == 0);
    return close(listener);
}

static int connect_one(void *unused)
{
    int listener = io_listen(), fd = nido_socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un place = {.sun_family = AF_UNIX};

    (void)unused;
    snprintf(place.sun_path, sizeof place.sun_path, "%s", io_place() + 5);
    begin_connect(REFUSALS);
    NEED(nido_connect(fd, (struct sockaddr *)&place, sizeof place) == 0);
    NEED(nido_close(fd) == 0);
    return nido_close(listener);
}

static int dial_one(void *unused)
{
    int listener = io_listen(), fd;

    (void)unused;
    begin_connect(REFUSALS);
    fd = nido_dial(io_place(), NULL, NULL);
    NEED(fd >= 0 && nido_close(fd) == 0);
    return nido_close(listener);
}

static int send_one(void *unused)
{
    int ends[2];

    (void)unused;
    NEED(nido_socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    begin_sendto(REFUSALS + 1); /* a report of room is believed once */
    NEED(nido_sendto(ends[0], "a", 1, 0, NULL, 0) == 1);
    NEED(nido_close(ends[0]) == 0);
    return nido_close(ends[1]);
}

/* The kernel's report comes at once, and then poll(2) finds nothing. */
static int (*real_poll_now)(struct pollfd *fds, size_t n, int milliseconds);

static int find_nothing(struct pollfd *fds, size_t n, int milliseconds)
{
    static bool second;

    if (milliseconds || *refused == REFUSALS) return real_poll_now(fds, n, milliseconds);
    *refused += second;
    second = !second;
    return 0;
}

static int poll_one(void *unused)
{
    struct pollfd entry = {.events = POLLIN | POLLPRI};
    int ends[2];

    (void)unused;
    NEED(pipe(ends) == 0 && write(ends[1], "a", 1) == 1);
    entry.fd = ends[0];
    real_poll_now = nidoi_sys.poll;
    nidoi_sys.poll = find_nothing;
    NEED(nido_poll(&entry, 1) == 1);
    nidoi_sys.poll = real_poll_now;
    close(ends[0]);
    return close(ends[1]);
}

static int serve_nothing(nido_stream *stream, void *unused)
{
    (void)stream, (void)unused;
    return 0;
}

/* For the first ones there is no room for a stack. */
static int serve_one(void *unused)
{
    int listener = io_listen(), clients[REFUSALS + 1];
    nido_serve_options options;

    (void)unused;
    for (int i = 0; i <= REFUSALS; i++) NEED((clients[i] = nido_dial(io_place(), NULL, NULL)) >= 0);
    nido_serve_options_init(&options);
    options.accepts = 1;
    options.stack_size = 1 << 20;
    begin_map(REFUSALS);
    NEED(nido_serve(listener, serve_nothing, NULL, &options) == 0);
    for (int i = 0; i <= REFUSALS; i++) NEED(nido_close(clients[i]) == 0);
    return 0;
}

/* ---- Children ---- */

static int run_true(void *unused)
{
    char *argv[] = {"true", NULL};
    nido_proc_options options;
    nido_proc_result result;

    (void)unused;
    nido_proc_options_init(&options);
    options.argv = argv;
    begin_spawn(7); /* 127 ms in all */
    NEED(nido_proc_run(&options, NULL, 0, &result) == 0);
    nido_proc_result_free(&result);
    return 0;
}

static int kept_input[2];

static int leave_cat(void *pid)
{
    char *argv[] = {"cat", NULL};
    nido_proc_options options;
    nido_proc child;

    nido_proc_options_init(&options);
    options.argv = argv;
    options.in = (nido_stdio){NIDO_STDIO_FD, kept_input[0]};
    NEED(nido_proc_spawn(&child, &options) == 0);
    *(int *)pid = nido_proc_pid(&child);
    return 0;
}

/* A thread reaps it, after the run. */
static int reap_one(void)
{
    siginfo_t info;
    int pid;

    NEED(pipe2(kept_input, O_CLOEXEC) == 0);
    NEED(nido_run(leave_cat, &pid, NULL) == 0);
    begin_waitid(REFUSALS);
    close(kept_input[0]);
    close(kept_input[1]);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) usleep(1000);
    return 0;
}

/* ---- Processes of a pool ---- */

static int call_one(void *unused)
{
    nido_procpool *pool = NULL;

    (void)unused;
    NEED(nido_procpool_new(NULL, &pool) == 0);
    NEED(ask(pool, echo_job) == 7);
    return nido_procpool_free(pool);
}

/* The server inherits it. */
static int take_orders(void)
{
    begin_recvmsg(REFUSALS);
    NEED(nido_procpool_prepare() == 0);
    return nido_run(call_one, NULL, NULL);
}

static int wait_for_orders(void)
{
    begin_poll(WITHOUT_END);
    NEED(nido_procpool_prepare() == 0);
    nidoi_sys.poll = real_poll;
    usleep(100000);
    return nido_run(call_one, NULL, NULL);
}

static int start_worker(void)
{
    NEED(nido_procpool_prepare() == 0);
    begin_socketpair(REFUSALS);
    return nido_run(call_one, NULL, NULL);
}

static int stop_one(void *unused)
{
    struct heard heard;
    nido_procpool *pool = pool_of_one(&heard);
    struct asker asker;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    asker_begin(&group, &asker, pool, hang_job);
    NEED(nido_event_wait(&heard.ready) == 0);
    begin_sendmsg(REFUSALS);
    nido_scope_cancel(&asker.scope, -ETIME, "enough");
    NEED(nido_group_close(&group, 0) == 0);
    return nido_procpool_free(pool);
}

static int stop_worker(void)
{
    NEED(nido_procpool_prepare() == 0);
    return nido_run(stop_one, NULL, NULL);
}

/* ---- All of them ---- */

static int in_run(nido_fn *fn)
{
    int rc = nido_run(fn, NULL, NULL);

    unlink(io_place() + 5);
    return rc;
}

#define IN_A_RUN(fn)          \
    static int run_##fn(void) \
    {                         \
        return in_run(fn);    \
    }
IN_A_RUN(accept_one)
IN_A_RUN(accept_foreign)
IN_A_RUN(connect_one)
IN_A_RUN(dial_one)
IN_A_RUN(send_one)
IN_A_RUN(poll_one)
IN_A_RUN(serve_one)
IN_A_RUN(run_true)

static const struct pause {
    const char *file;
    int (*run)(void);
    int ms; /* its pauses, on average */
} pauses[] = {
    {"net/socket.c", run_accept_one, 100},
    {"net/socket.c", run_connect_one, 5},
    {"net/connect.c", run_dial_one, 5},
    {"io/foreign.c", run_accept_foreign, 5},
    {"io/fd.c", run_send_one, 5},
    {"io/poll.c", run_poll_one, 5},
    {"serve/serve.c", run_serve_one, 100},
    {"process/launch.c", run_run_true, 20},
    {"process/child.c", reap_one, 50},
    {"process/pool/server.c", take_orders, 10},
    /* Of 10 ms: signals of children end some early. */
    {"process/pool/server.c", wait_for_orders, 5},
    {"process/pool/procpool.c", start_worker, 50},
    {"process/pool/worker.c", stop_worker, 50},
};

static const struct pause *asked;

/* The time is as long as its pauses; a slow machine makes it longer. */
static int run_asked(void)
{
    int64_t began = nido_now(), took;

    alarm(MANY);
    NEED(asked->run() == 0);
    took = nido_now() - began;
    NEED(*refused >= REFUSALS);
    NEED(took >= NIDO_MS((*refused - 1) * asked->ms));
    return 0;
}

NIDO_TEST(pauses, what_was_refused_is_tried_again_after_a_pause)
{
    refused =
        mmap(NULL, sizeof *refused, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        *refused = 0;
        asked = &pauses[i];
        cr_expect(zero(int, in_child(run_asked)), "%s, pause %zu", asked->file, i);
    }
}

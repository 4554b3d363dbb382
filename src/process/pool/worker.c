/* process/pool/worker.c: one worker process, as this program sees it: three descriptors. The task
 * that has the worker feeds its input, drains its reply and its stderr, and looks for its end, all
 * in one poll: there is no task beside it. */
#include "process/pool/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/scope/park.h"
#include "io/fd.h"
#include "nido/fd.h"
#include "nido/scope.h"
#include "nido/time.h"
#include "process/pool/forkserver.h"
#include "process/pool/stderr.h"

/* After SIGKILL only the kernel holds a process up, or the server's queue. */
#define REAPING NIDO_SEC(10)
#define PAUSE   NIDO_MS(50)

static void close_end(int *fd)
{
    if (*fd >= 0) nido_close(*fd);
    *fd = -1;
}

/* ---- Its fate ---- */

static void become(struct nidoi_procworker *worker, const struct nidoi_worker_status *fate)
{
    nidoi_assert(!nidoi_procworker_over(worker));
    switch (fate->kind) {
    case NIDOI_FATE_STARTED:
        worker->state = NIDOI_WORKER_READY;
        worker->pid = fate->value;
        return;
    case NIDOI_FATE_FAILED:
        worker->state = NIDOI_WORKER_FAILED;
        worker->outcome = fate->value;
        return;
    default:
        worker->state = NIDOI_WORKER_ENDED;
        worker->outcome = fate->value;
    }
}

void nidoi_procworker_learn_fate(struct nidoi_procworker *worker)
{
    while (!nidoi_procworker_over(worker)) {
        struct nidoi_worker_status fate;
        ssize_t n = nidoi_sys.read(worker->fate, &fate, sizeof fate);

        if (n == -EAGAIN) return;
        if (n == sizeof fate)
            become(worker, &fate);
        else
            worker->state = NIDOI_WORKER_LOST;
    }
}

/* Parks until one of them has news, or the job's socket room for more. */
static int wait_for_news(const struct nidoi_procworker *worker, bool has_more)
{
    struct pollfd fds[] = {
        {.fd = worker->fate, .events = POLLIN},
        {.fd = worker->err, .events = POLLIN},
        {.fd = worker->job, .events = (short)(has_more ? POLLIN | POLLOUT : POLLIN)},
    };
    int ready = nido_poll(fds, 3);

    return ready < 0 ? ready : 0;
}

/* The same while something is bound to come: a virtual clock does not jump meanwhile. */
int nidoi_procworker_wait_for_answer(const struct nidoi_procworker *worker, bool has_more)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err;

    nidoi_loop_expect(loop, 1);
    err = wait_for_news(worker, has_more);
    nidoi_loop_expect(loop, -1);
    return err;
}

/* ---- Starting ---- */

struct ends {
    int job[2], err[2], fate[2]; /* ours, its */
};

static void close_pair(const int *pair)
{
    nidoi_sys.close(pair[0]);
    nidoi_sys.close(pair[1]);
}

static int make_ends(struct ends *ends)
{
    int err = nidoi_sys.socketpair(AF_UNIX, SOCK_STREAM, 0, ends->job);

    if (err) return err;
    err = nidoi_sys.pipe(ends->err);
    if (err) goto fail_job;
    err = nidoi_sys.pipe(ends->fate);
    if (err) goto fail_err;
    return 0;

fail_err:
    close_pair(ends->err);
fail_job:
    close_pair(ends->job);
    return err;
}

static int send_order(const nido_procpool_options *options, uint64_t id, const struct ends *ends)
{
    struct nidoi_forkserver_order order = {.id = id,
                                           .kind = NIDOI_ORDER_START,
                                           .memory = options->memory,
                                           .max_frame = options->max_frame,
                                           .cpu_seconds = options->cpu_seconds,
                                           .no_new_privs = options->no_new_privs};
    int fds[NIDOI_START_FDS] = {[NIDOI_START_JOB] = ends->job[1],
                                [NIDOI_START_STDERR] = ends->err[1],
                                [NIDOI_START_FATE] = ends->fate[1]};

    if (options->confine) order.confine = nidoi_image_of((uintptr_t)options->confine);
    snprintf(order.name, sizeof order.name, "%s", options->name);
    return nidoi_forkserver_send(&order, fds);
}

/* Our ends are polled at every job: once registered that costs no system call. */
static void take_ends(struct nidoi_procworker *worker, const struct ends *ends)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    worker->job = ends->job[0];
    worker->err = ends->err[0];
    worker->fate = ends->fate[0];
    nidoi_fd_adopt(loop, worker->job, nidoi_fd_stream(worker->job, AF_UNIX));
    nidoi_fd_adopt(loop, worker->err, NIDOI_FD_STREAM);
    nidoi_fd_adopt(loop, worker->fate, NIDOI_FD_STREAM);
}

int nidoi_procworker_start(const nido_procpool_options *options, struct nidoi_procworker **out)
{
    static uint64_t ids; /* atomic: of all pools of all threads, for they share the server */
    struct nidoi_procworker *worker = nidoi_mem_zeroed(sizeof *worker);
    struct ends ends;
    int err;

    if (!worker) return -ENOMEM;
    worker->options = options;
    worker->id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
    err = make_ends(&ends);
    if (err) goto fail_memory;
    err = send_order(options, worker->id, &ends);
    nidoi_sys.close(ends.job[1]);
    nidoi_sys.close(ends.err[1]);
    nidoi_sys.close(ends.fate[1]);
    take_ends(worker, &ends);
    if (err) goto fail_ends;
    *out = worker;
    return 0;

fail_ends:
    close_end(&worker->job);
    close_end(&worker->err);
    close_end(&worker->fate);
fail_memory:
    nidoi_mem.release(worker);
    return err;
}

int nidoi_procworker_wait_started(struct nidoi_procworker *worker)
{
    if (worker->state == NIDOI_WORKER_READY) return 0;
    for (nidoi_procworker_learn_fate(worker); worker->state == NIDOI_WORKER_STARTING;
         nidoi_procworker_learn_fate(worker)) {
        int err = nidoi_procworker_wait_for_answer(worker, false);

        if (err) return err;
        nidoi_procworker_read_stderr(worker, NIDOI_STDERR_SLICE);
    }
    if (worker->state == NIDOI_WORKER_READY) return 0;
    if (worker->state == NIDOI_WORKER_FAILED) return worker->outcome;
    return worker->state == NIDOI_WORKER_LOST ? -EAGAIN : -ECHILD;
}

bool nidoi_procworker_usable(const struct nidoi_procworker *worker)
{
    struct pollfd fds[] = {{.fd = worker->fate, .events = POLLIN},
                           {.fd = worker->job, .events = POLLIN}};

    return worker->state == NIDOI_WORKER_STARTING || nidoi_sys.poll(fds, 2, 0) == 0;
}

/* ---- Letting go ---- */

bool nidoi_is_shortage(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -EAGAIN || code == -ENOMEM ||
           code == -ENOBUFS || code == -ENOSPC || code == -ETOOMANYREFS;
}

/* An order that is not sent for want of memory would leave the worker alive. */
static void send_signal(const struct nidoi_procworker *worker, int signal)
{
    struct nidoi_forkserver_order order = {
        .id = worker->id, .kind = NIDOI_ORDER_SIGNAL, .signal = signal};
    int err;

    do err = nidoi_forkserver_send(&order, NULL);
    while (nidoi_is_shortage(err) && nido_sleep(PAUSE) == 0);
}

static void wait_for_end(struct nidoi_procworker *worker, int64_t ns)
{
    nido_scope limit;
    int err = 0;

    nido_timeout_open(&limit, ns);
    for (nidoi_procworker_learn_fate(worker); !err && !nidoi_procworker_over(worker);
         nidoi_procworker_learn_fate(worker)) {
        err = wait_for_news(worker, false);
        nidoi_procworker_read_stderr(worker, NIDOI_STDERR_SLICE);
    }
    nido_scope_close(&limit, 0);
}

void nidoi_procworker_dismiss(struct nidoi_procworker *worker)
{
    close_end(&worker->job);
}

/* The last resort always comes: a virtual clock does not jump over it. */
static void kill_it(struct nidoi_procworker *worker)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    send_signal(worker, SIGKILL);
    nidoi_loop_expect(loop, 1);
    wait_for_end(worker, REAPING);
    nidoi_loop_expect(loop, -1);
}

void nidoi_procworker_stop(struct nidoi_procworker *worker, enum nidoi_stop_means means)
{
    int64_t grace = worker->options->kill_grace_ns;
    nido_scope shield;

    nidoi_procworker_dismiss(worker);
    nidoi_procworker_learn_fate(worker);
    nido_shield_open(&shield, grace > NIDO_NEVER - REAPING ? NIDO_NEVER : grace + REAPING);
    if (!nidoi_procworker_over(worker) && means != NIDOI_KILL) {
        /* one that is stopped would not find the end of its socket */
        send_signal(worker, means == NIDOI_TERMINATE ? SIGTERM : SIGCONT);
        wait_for_end(worker, grace);
    }
    if (!nidoi_procworker_over(worker)) kill_it(worker);
    nido_scope_close(&shield, 0);
    nidoi_procworker_read_stderr(worker, NIDOI_STDERR_REST);
}

void nidoi_procworker_free(struct nidoi_procworker *worker)
{
    if (!worker) return;
    close_end(&worker->job);
    close_end(&worker->err);
    close_end(&worker->fate);
    nidoi_mem.release(worker);
}

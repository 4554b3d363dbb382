/* SPDX-License-Identifier: MIT */
/* process/pool/worker.c: one worker process, which this program has three descriptors of: its
 * socket, its stderr and its status pipe. The task that uses the worker polls all three at once, so
 * there is no other task for it. */
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

/* After SIGKILL only the kernel can delay the end of a process, or orders that the server has not
 * read. */
#define REAPING NIDO_SEC(10)
#define PAUSE   NIDO_MS(50)

static void worker_close_fd(int *fd)
{
    if (*fd >= 0) nido_close(*fd);
    *fd = -1;
}

/* ---- Its status ---- */

static void worker_set_status(struct nidoi_procworker *worker,
                              const struct nidoi_worker_status *status)
{
    nidoi_assert(!nidoi_procworker_has_ended(worker));
    switch (status->kind) {
    case NIDOI_STATUS_STARTED:
        worker->state = NIDOI_WORKER_READY;
        worker->pid = status->value;
        return;
    case NIDOI_STATUS_FAILED:
        worker->state = NIDOI_WORKER_FAILED;
        worker->outcome = status->value;
        return;
    default:
        worker->state = NIDOI_WORKER_ENDED;
        worker->outcome = status->value;
    }
}

void nidoi_procworker_read_status(struct nidoi_procworker *worker)
{
    while (!nidoi_procworker_has_ended(worker)) {
        struct nidoi_worker_status status;
        ssize_t n = nidoi_sys.read(worker->status_fd, &status, sizeof status);

        if (n == -EAGAIN) return;
        if (n == sizeof status)
            worker_set_status(worker, &status);
        else
            worker->state = NIDOI_WORKER_LOST;
    }
}

/* Parks until one of them can be read or, if `has_more`, the socket can be written. */
static int worker_wait_for_events(const struct nidoi_procworker *worker, bool has_more)
{
    struct pollfd fds[] = {
        {.fd = worker->status_fd, .events = POLLIN},
        {.fd = worker->stderr_fd, .events = POLLIN},
        {.fd = worker->job_fd, .events = (short)(has_more ? POLLIN | POLLOUT : POLLIN)},
    };
    int ready = nido_poll(fds, 3);

    return ready < 0 ? ready : 0;
}

int nidoi_procworker_wait(const struct nidoi_procworker *worker, bool has_more)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int err;

    nidoi_loop_expect(loop, 1);
    err = worker_wait_for_events(worker, has_more);
    nidoi_loop_expect(loop, -1);
    return err;
}

/* ---- Starting ---- */

struct worker_pipes {
    int job[2], err[2], status[2]; /* this side, the worker's side */
};

static void close_pair(const int *pair)
{
    nidoi_sys.close(pair[0]);
    nidoi_sys.close(pair[1]);
}

static int pipes_open(struct worker_pipes *pipes)
{
    int err = nidoi_sys.socketpair(AF_UNIX, SOCK_STREAM, 0, pipes->job);

    if (err) return err;
    err = nidoi_sys.pipe(pipes->err);
    if (err) goto fail_job;
    err = nidoi_sys.pipe(pipes->status);
    if (err) goto fail_err;
    return 0;

fail_err:
    close_pair(pipes->err);
fail_job:
    close_pair(pipes->job);
    return err;
}

static int worker_send_order(const nido_procpool_options *options, uint64_t id,
                             const struct worker_pipes *pipes)
{
    struct nidoi_forkserver_order order = {.id = id,
                                           .kind = NIDOI_ORDER_START,
                                           .memory = options->memory,
                                           .max_frame = options->max_frame,
                                           .cpu_seconds = options->cpu_seconds,
                                           .no_new_privs = options->no_new_privs};
    int fds[NIDOI_START_FDS] = {[NIDOI_START_JOB] = pipes->job[1],
                                [NIDOI_START_STDERR] = pipes->err[1],
                                [NIDOI_START_STATUS] = pipes->status[1]};

    if (options->confine) order.confine = nidoi_image_of((uintptr_t)options->confine);
    snprintf(order.name, sizeof order.name, "%s", options->name);
    return nidoi_forkserver_send(&order, fds);
}

/* This side is polled at every job: once it is registered, that costs no system call. */
static void worker_take_pipes(struct nidoi_procworker *worker, const struct worker_pipes *pipes)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    worker->job_fd = pipes->job[0];
    worker->stderr_fd = pipes->err[0];
    worker->status_fd = pipes->status[0];
    nidoi_fd_adopt(loop, worker->job_fd, nidoi_fd_stream(worker->job_fd, AF_UNIX));
    nidoi_fd_adopt(loop, worker->stderr_fd, NIDOI_FD_STREAM);
    nidoi_fd_adopt(loop, worker->status_fd, NIDOI_FD_STREAM);
}

int nidoi_procworker_start(const nido_procpool_options *options, struct nidoi_procworker **out)
{
    static uint64_t ids; /* atomic: pools of all threads share the server */
    struct nidoi_procworker *worker = nidoi_mem_zeroed(sizeof *worker);
    struct worker_pipes pipes;
    int err;

    if (!worker) return -ENOMEM;
    worker->options = options;
    worker->id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
    err = pipes_open(&pipes);
    if (err) goto fail_memory;
    err = worker_send_order(options, worker->id, &pipes);
    nidoi_sys.close(pipes.job[1]);
    nidoi_sys.close(pipes.err[1]);
    nidoi_sys.close(pipes.status[1]);
    worker_take_pipes(worker, &pipes);
    if (err) goto fail_pipes;
    *out = worker;
    return 0;

fail_pipes:
    worker_close_fd(&worker->job_fd);
    worker_close_fd(&worker->stderr_fd);
    worker_close_fd(&worker->status_fd);
fail_memory:
    nidoi_mem.release(worker);
    return err;
}

int nidoi_procworker_wait_started(struct nidoi_procworker *worker)
{
    if (worker->state == NIDOI_WORKER_READY) return 0;
    for (nidoi_procworker_read_status(worker); worker->state == NIDOI_WORKER_STARTING;
         nidoi_procworker_read_status(worker)) {
        int err = nidoi_procworker_wait(worker, false);

        if (err) return err;
        nidoi_procworker_read_stderr(worker, NIDOI_STDERR_SLICE);
    }
    if (worker->state == NIDOI_WORKER_READY) return 0;
    if (worker->state == NIDOI_WORKER_FAILED) return worker->outcome;
    return worker->state == NIDOI_WORKER_LOST ? -EAGAIN : -ECHILD;
}

bool nidoi_procworker_usable(const struct nidoi_procworker *worker)
{
    struct pollfd fds[] = {{.fd = worker->status_fd, .events = POLLIN},
                           {.fd = worker->job_fd, .events = POLLIN}};

    return worker->state == NIDOI_WORKER_STARTING || nidoi_sys.poll(fds, 2, 0) == 0;
}

/* ---- Stopping ---- */

bool nidoi_is_shortage(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -EAGAIN || code == -ENOMEM ||
           code == -ENOBUFS || code == -ENOSPC || code == -ETOOMANYREFS;
}

/* Tries again if the order could not be sent for lack of memory: the worker would run on. */
static void worker_send_signal(const struct nidoi_procworker *worker, int signal)
{
    struct nidoi_forkserver_order order = {
        .id = worker->id, .kind = NIDOI_ORDER_SIGNAL, .signal = signal};
    int err;

    do err = nidoi_forkserver_send(&order, NULL);
    while (nidoi_is_shortage(err) && nido_sleep(PAUSE) == 0);
}

static void worker_wait_for_end(struct nidoi_procworker *worker, int64_t ns)
{
    nido_scope limit;
    int err = 0;

    nido_timeout_open(&limit, ns);
    for (nidoi_procworker_read_status(worker); !err && !nidoi_procworker_has_ended(worker);
         nidoi_procworker_read_status(worker)) {
        err = worker_wait_for_events(worker, false);
        nidoi_procworker_read_stderr(worker, NIDOI_STDERR_SLICE);
    }
    nido_scope_close(&limit, 0);
}

void nidoi_procworker_close_socket(struct nidoi_procworker *worker)
{
    worker_close_fd(&worker->job_fd);
}

/* A virtual clock does not jump while the killed worker is waited for. */
static void worker_kill(struct nidoi_procworker *worker)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    worker_send_signal(worker, SIGKILL);
    nidoi_loop_expect(loop, 1);
    worker_wait_for_end(worker, REAPING);
    nidoi_loop_expect(loop, -1);
}

void nidoi_procworker_stop(struct nidoi_procworker *worker, enum nidoi_stop_means means)
{
    int64_t grace = worker->options->kill_grace_ns;
    nido_scope shield;

    nidoi_procworker_close_socket(worker);
    nidoi_procworker_read_status(worker);
    nido_shield_open(&shield, grace > NIDO_NEVER - REAPING ? NIDO_NEVER : grace + REAPING);
    if (!nidoi_procworker_has_ended(worker) && means != NIDOI_STOP_BY_SIGKILL) {
        /* a stopped process would not read the end of its socket */
        worker_send_signal(worker, means == NIDOI_STOP_BY_SIGTERM ? SIGTERM : SIGCONT);
        worker_wait_for_end(worker, grace);
    }
    if (!nidoi_procworker_has_ended(worker)) worker_kill(worker);
    nido_scope_close(&shield, 0);
    nidoi_procworker_read_stderr(worker, NIDOI_STDERR_REST);
}

void nidoi_procworker_free(struct nidoi_procworker *worker)
{
    if (!worker) return;
    worker_close_fd(&worker->job_fd);
    worker_close_fd(&worker->stderr_fd);
    worker_close_fd(&worker->status_fd);
    nidoi_mem.release(worker);
}

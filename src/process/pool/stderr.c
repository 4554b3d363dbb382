/* SPDX-License-Identifier: MIT */
#include "process/pool/stderr.h"

#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "coro/scope/park.h"
#include "coro/scope/scope.h"
#include "nido/fd.h"

enum { PIECE = 4096 };

static void worker_keep_tail(struct nidoi_procworker *worker, const char *bytes, size_t len)
{
    size_t kept = len < NIDOI_TAIL ? NIDOI_TAIL - len : 0;

    if (kept > worker->tail_len) kept = worker->tail_len;
    memmove(worker->tail, worker->tail + worker->tail_len - kept, kept);
    if (len > NIDOI_TAIL) bytes += len - NIDOI_TAIL;
    memcpy(worker->tail + kept, bytes, len < NIDOI_TAIL ? len : NIDOI_TAIL);
    worker->tail_len = kept + (len < NIDOI_TAIL ? len : NIDOI_TAIL);
}

/* If the program's own stderr is full, the bytes are dropped: the loop must not block. */
static void stderr_print(const char *bytes, size_t len)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (nidoi_sys.poll(&out, 1, 0) == 1) nidoi_sys.write(STDERR_FILENO, bytes, len);
}

static void stderr_deliver(const nido_procpool_options *options, const char *bytes, size_t len)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!options->on_stderr) {
        stderr_print(bytes, len);
        return;
    }
    nidoi_no_parking_begin(&loop->sched);
    options->on_stderr(options->ctx, bytes, len);
    nidoi_no_parking_end(&loop->sched);
}

/* After a slice the task yields, as if its budget were spent. */
static void yield_turn(struct nidoi_loop *loop)
{
    loop->sched.budget = 0;
    nidoi_charge(loop);
}

/* A worker may never stop writing: after each slice other tasks run. */
void nidoi_procworker_read_stderr(struct nidoi_procworker *worker, int pieces)
{
    char piece[PIECE];

    for (int i = 0; worker->stderr_fd >= 0 && i < pieces; i++) {
        ssize_t n = nidoi_sys.read(worker->stderr_fd, piece, sizeof piece);

        if (n == -EAGAIN) return;
        if (n <= 0) {
            nido_close(worker->stderr_fd);
            worker->stderr_fd = -1;
            return;
        }
        worker_keep_tail(worker, piece, (size_t)n);
        stderr_deliver(worker->options, piece, (size_t)n);
        if (i % NIDOI_STDERR_SLICE == NIDOI_STDERR_SLICE - 1) yield_turn(nidoi_loop_self());
    }
}

#include "process/pool/stderr.h"

#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "coro/scope/park.h"
#include "coro/scope/scope.h"
#include "nido/fd.h"

enum { PIECE = 4096 };

static void keep_tail(struct nidoi_procworker *worker, const char *bytes, size_t len)
{
    size_t kept = len < NIDOI_TAIL ? NIDOI_TAIL - len : 0;

    if (kept > worker->tail_len) kept = worker->tail_len;
    memmove(worker->tail, worker->tail + worker->tail_len - kept, kept);
    if (len > NIDOI_TAIL) bytes += len - NIDOI_TAIL;
    memcpy(worker->tail + kept, bytes, len < NIDOI_TAIL ? len : NIDOI_TAIL);
    worker->tail_len = kept + (len < NIDOI_TAIL ? len : NIDOI_TAIL);
}

/* What the program's stderr does not take at once is not worth a loop that stands still. */
static void pass_on(const char *bytes, size_t len)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (nidoi_sys.poll(&out, 1, 0) == 1) nidoi_sys.write(STDERR_FILENO, bytes, len);
}

static void hand_on(const nido_procpool_options *options, const char *bytes, size_t len)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!options->on_stderr) {
        pass_on(bytes, len);
        return;
    }
    nidoi_no_parking_begin(&loop->sched);
    options->on_stderr(options->ctx, bytes, len);
    nidoi_no_parking_end(&loop->sched);
}

/* A slice is as much as a turn is charged for. */
static void give_way(struct nidoi_loop *loop)
{
    loop->sched.budget = 0;
    nidoi_charge(loop);
}

/* A worker that never stops leaves the loop to other tasks after each slice. */
void nidoi_procworker_read_stderr(struct nidoi_procworker *worker, int pieces)
{
    char piece[PIECE];

    for (int i = 0; worker->err >= 0 && i < pieces; i++) {
        ssize_t n = nidoi_sys.read(worker->err, piece, sizeof piece);

        if (n == -EAGAIN) return;
        if (n <= 0) {
            nido_close(worker->err);
            worker->err = -1;
            return;
        }
        keep_tail(worker, piece, (size_t)n);
        hand_on(worker->options, piece, (size_t)n);
        if (i % NIDOI_STDERR_SLICE == NIDOI_STDERR_SLICE - 1) give_way(nidoi_loop_self());
    }
}

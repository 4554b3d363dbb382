/* process/pool/worker.c: one worker process, as this program sees it: three descriptors. The task
 * that has the worker feeds its input, drains its reply and its stderr, and looks for its end, all
 * in one poll: there is no task beside it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "io/fd.h"
#include "nido/fd.h"
#include "nido/scope.h"
#include "nido/time.h"
#include "process/pool/procpool.h"

/* After SIGKILL only the kernel holds a process up, or the server's queue. */
#define REAPING NIDO_SEC(10)
#define PAUSE   NIDO_MS(50)

/* Of stderr, pieces: at one look, and of a worker that has ended. */
enum { PIECE = 4096, SLICE = 4, REST = 256 };

/* ---- What it says on stderr ---- */

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

static void close_end(int *fd)
{
    if (*fd >= 0) nido_close(*fd);
    *fd = -1;
}

/* A slice is as much as a turn is charged for. */
static void give_way(struct nidoi_loop *loop)
{
    loop->sched.budget = 0;
    nidoi_charge(loop);
}

/* A worker that never stops leaves the loop to other tasks after each slice. */
static void read_stderr(struct nidoi_procworker *worker, int pieces)
{
    char piece[PIECE];

    for (int i = 0; worker->err >= 0 && i < pieces; i++) {
        ssize_t n = nidoi_sys.read(worker->err, piece, sizeof piece);

        if (n == -EAGAIN) return;
        if (n <= 0) {
            close_end(&worker->err);
            return;
        }
        keep_tail(worker, piece, (size_t)n);
        hand_on(worker->options, piece, (size_t)n);
        if (i % SLICE == SLICE - 1) give_way(nidoi_loop_self());
    }
}

/* ---- Its fate ---- */

static bool over(const struct nidoi_procworker *worker)
{
    return worker->state >= NIDOI_WORKER_ENDED;
}

static void become(struct nidoi_procworker *worker, const struct nidoi_worker_status *fate)
{
    nidoi_assert(!over(worker));
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

static void learn_fate(struct nidoi_procworker *worker)
{
    while (!over(worker)) {
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
static int wait_for_answer(const struct nidoi_procworker *worker, bool has_more)
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
    struct nidoi_order order = {.id = id,
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
    return nidoi_forkserver_order(&order, fds);
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
    for (learn_fate(worker); worker->state == NIDOI_WORKER_STARTING; learn_fate(worker)) {
        int err = wait_for_answer(worker, false);

        if (err) return err;
        read_stderr(worker, SLICE);
    }
    if (worker->state == NIDOI_WORKER_READY) return 0;
    if (worker->state == NIDOI_WORKER_FAILED) return worker->outcome;
    return worker->state == NIDOI_WORKER_LOST ? -EAGAIN : -ECHILD;
}

bool nidoi_procworker_options_valid(const struct nidoi_procworker *worker)
{
    struct pollfd fds[] = {{.fd = worker->fate, .events = POLLIN},
                           {.fd = worker->job, .events = POLLIN}};

    return worker->state == NIDOI_WORKER_STARTING || nidoi_sys.poll(fds, 2, 0) == 0;
}

/* ---- Talking ---- */

static size_t left_to_say(const struct nidoi_talk *talk)
{
    return sizeof talk->request + (size_t)talk->request.len - talk->sent;
}

/* As much as fits. What the worker does not take, because it is dead or has answered already, shows
 * elsewhere. 0; -ENOMEM: it waits for what the kernel has no room for. */
static int say(struct nidoi_procworker *worker, struct nidoi_talk *talk)
{
    while (!talk->deaf && left_to_say(talk)) {
        size_t head = talk->sent < sizeof talk->request ? sizeof talk->request - talk->sent : 0;
        size_t past = head ? 0 : talk->sent - sizeof talk->request;
        struct iovec parts[] = {
            {(char *)&talk->request + sizeof talk->request - head, head},
            {talk->input ? (char *)talk->input + past : NULL, (size_t)talk->request.len - past},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = nidoi_sys.sendmsg(worker->job, &message, MSG_DONTWAIT);

        if (n == -EAGAIN) return 0;
        if (n == -ENOBUFS || n == -ENOMEM) return -ENOMEM;
        talk->deaf = n < 0;
        if (n > 0) talk->sent += (size_t)n;
    }
    return 0;
}

static int admit(const struct nidoi_procworker *worker, struct nidoi_talk *talk)
{
    if (talk->reply.magic != NIDOI_REPLY_MAGIC || talk->reply.number != talk->request.number ||
        talk->reply.len > worker->options->max_frame)
        return -EPROTO;
    talk->data = nidoi_mem.alloc((size_t)talk->reply.len + 1);
    if (!talk->data) return -ENOMEM;
    talk->data[talk->reply.len] = '\0';
    return 0;
}

/* A socket is reset if its other end is closed over bytes that were not read: the rest of ours.
 * 0: the reply is complete; -EAGAIN; -ECHILD: no more will come; -EPROTO, -ENOMEM. */
static int hear(const struct nidoi_procworker *worker, struct nidoi_talk *talk)
{
    const size_t head = sizeof talk->reply;

    while (talk->heard < head || talk->heard - head < talk->reply.len) {
        bool in_head = talk->heard < head;
        char *to = in_head ? (char *)&talk->reply + talk->heard : talk->data + talk->heard - head;
        size_t want = (in_head ? head : head + (size_t)talk->reply.len) - talk->heard;
        ssize_t n = nidoi_sys.recv(worker->job, to, want, MSG_DONTWAIT);
        int err;

        if (n == -EAGAIN) return -EAGAIN;
        talk->reset = n == -ECONNRESET;
        if (n <= 0) return -ECHILD;
        talk->heard += (size_t)n;
        err = in_head && talk->heard == head ? admit(worker, talk) : 0;
        if (err) return err;
    }
    return 0;
}

/* Fate first, stderr last: what was said before the end, or before the reply, is then there. */
static int move_on(struct nidoi_procworker *worker, struct nidoi_talk *talk)
{
    int said, heard;

    learn_fate(worker);
    said = say(worker, talk);
    heard = hear(worker, talk);
    read_stderr(worker, heard == -EAGAIN ? SLICE : REST);
    if (heard == -EAGAIN && over(worker)) return -ECHILD;
    return heard == -EAGAIN && said ? said : heard;
}

int nidoi_procworker_talk(struct nidoi_procworker *worker, struct nidoi_talk *talk)
{
    int err = say(worker, talk), rc;

    worker->tail_len = 0;
    while (!err) {
        err = wait_for_answer(worker, !talk->deaf && left_to_say(talk));
        rc = move_on(worker, talk); /* also if cancelled: what has arrived counts */
        if (rc != -EAGAIN) return rc;
    }
    return err;
}

/* ---- Letting go ---- */

/* An order that is not sent for want of memory would leave the worker alive. */
static void send_signal(const struct nidoi_procworker *worker, int signal)
{
    struct nidoi_order order = {.id = worker->id, .kind = NIDOI_ORDER_SIGNAL, .signal = signal};
    int err;

    do err = nidoi_forkserver_order(&order, NULL);
    while (nidoi_is_shortage(err) && nido_sleep(PAUSE) == 0);
}

static void wait_for_end(struct nidoi_procworker *worker, int64_t ns)
{
    nido_scope limit;
    int err = 0;

    nido_timeout_open(&limit, ns);
    for (learn_fate(worker); !err && !over(worker); learn_fate(worker)) {
        err = wait_for_news(worker, false);
        read_stderr(worker, SLICE);
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

void nidoi_procworker_stop(struct nidoi_procworker *worker, enum nidoi_held_remove means)
{
    int64_t grace = worker->options->kill_grace_ns;
    nido_scope shield;

    nidoi_procworker_dismiss(worker);
    learn_fate(worker);
    nido_shield_open(&shield, grace > NIDO_NEVER - REAPING ? NIDO_NEVER : grace + REAPING);
    if (!over(worker) && means != NIDOI_KILL) {
        /* one that is stopped would not find the end of its socket */
        send_signal(worker, means == NIDOI_TERMINATE ? SIGTERM : SIGCONT);
        wait_for_end(worker, grace);
    }
    if (!over(worker)) kill_it(worker);
    nido_scope_close(&shield, 0);
    read_stderr(worker, REST);
}

void nidoi_procworker_free(struct nidoi_procworker *worker)
{
    if (!worker) return;
    close_end(&worker->job);
    close_end(&worker->err);
    close_end(&worker->fate);
    nidoi_mem.release(worker);
}

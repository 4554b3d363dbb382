/* SPDX-License-Identifier: MIT */
#include "io/fd.h"

#include <sys/stat.h>

#include "base/sys.h"
#include "coro/scope/error.h"
#include "coro/scope/park.h"
#include "nido/fd.h"
#include "nido/time.h"

/* ---- A wait for one descriptor ---- */

struct fd_wait {
    struct nidoi_waiter waiter;
    struct nidoi_watch watch;
};

static struct fd_wait *fd_wait_of(struct nidoi_watch *watch)
{
    return nidoi_container(watch, struct fd_wait, watch);
}

static void fd_wait_wake(struct nidoi_watch *watch, int result)
{
    nidoi_wake(&fd_wait_of(watch)->waiter, result);
}

/* ---- Beginning and ending a call ---- */

/* A system call costs more than a look at the clock, so work past a deadline ends here. */
int nidoi_io_enter_from(struct nidoi_loop **out, const char *frame)
{
    int err = nidoi_enter_from(out, frame);

    if (err || (*out)->sched.current->scope->due == NIDO_NEVER) return err;
    return nidoi_enter_check(*out);
}

/* The kernel is asked about an unknown number before the table grows for it: it may be no
 * descriptor at all. */
static int io_find_slot(struct nidoi_io *io)
{
    int err;

    io->slot = nidoi_reactor_find(&io->loop->reactor, io->fd);
    if (io->slot) return nidoi_io_check_fd(io);
    err = nidoi_sys.mode(io->fd);
    return err < 0 ? err : nidoi_reactor_slot(&io->loop->reactor, io->fd, &io->slot);
}

/* The task that has the direction, if it waits for the descriptor; on a worker it is not known here. */
static const struct nidoi_task *io_holder(const struct nidoi_io *io)
{
    const struct nidoi_link *link, *list = &io->slot->watches[io->direction];

    for (link = list->next; link != list; link = link->next) {
        struct nidoi_watch *watch = nidoi_container(link, struct nidoi_watch, link);

        if (watch->fire == fd_wait_wake) return fd_wait_of(watch)->waiter.task;
    }
    return NULL;
}

static NIDOI_RARE int io_refuse(const struct nidoi_io *io)
{
    const struct nidoi_task *holder = io_holder(io);
    const char *act = io->direction == NIDOI_READING ? "reads from" : "writes to";

    if (!nidoi_on_task(&io->loop->sched)) return -EBUSY;
    if (!holder)
        return nidoi_fail(io->loop->sched.current, NULL, -EBUSY, "another task %s descriptor %d",
                          act, io->fd);
    return nidoi_fail(io->loop->sched.current, NULL, -EBUSY, "task #%llu \"%s\" %s descriptor %d",
                      (unsigned long long)holder->id, holder->name ? holder->name : "", act,
                      io->fd);
}

static int io_take_direction(struct nidoi_io *io)
{
    uint8_t bit = (uint8_t)(1u << io->direction);

    if (io->slot->busy & bit) {
        if (!nidoi_reactor_stale(&io->loop->reactor, io->fd)) return io_refuse(io);
        io->since = io->loop->reactor.renewals;
    }
    io->slot->busy |= bit;
    return 0;
}

static inline int io_start(struct nidoi_io *io)
{
    int err = io_find_slot(io);

    return !err && io->exclusive ? io_take_direction(io) : err;
}

int nidoi_io_begin_from(struct nidoi_io *io, int fd, enum nidoi_direction direction, bool exclusive,
                        const char *frame)
{
    int err;

    if (!nidoi_sched_self) return -EPERM;
    *io = (struct nidoi_io){
        .fd = fd, .direction = direction, .since = nidoi_io_renewals(), .exclusive = exclusive};
    err = nidoi_io_enter_from(&io->loop, frame);
    return err ? err : io_start(io);
}

int nidoi_io_begin_within(struct nidoi_io *io, struct nidoi_loop *loop, int fd,
                          enum nidoi_direction direction, bool exclusive)
{
    *io = (struct nidoi_io){.loop = loop,
                            .fd = fd,
                            .direction = direction,
                            .since = nidoi_io_renewals(),
                            .exclusive = exclusive};
    return io_start(io);
}

void nidoi_io_end(struct nidoi_io *io)
{
    if (nidoi_io_check_fd(io)) return;
    if (io->exclusive)
        io->slot->busy &= (uint8_t) ~(1u << io->direction);
    else
        nidoi_reactor_pass(&io->loop->reactor, io->fd, io->direction);
}

bool nidoi_io_must_queue(const struct nidoi_io *io)
{
    return !nidoi_list_empty(&io->slot->watches[io->direction]) || io->slot->called[io->direction];
}

int nidoi_io_poll(const struct nidoi_io *io)
{
    struct pollfd ask = {io->fd, io->direction == NIDOI_READING ? POLLIN : POLLOUT, 0};
    int ready;

    do ready = nidoi_sys.poll(&ask, 1, 0);
    while (ready == -EINTR);
    if (ready > 0 && ask.revents & POLLNVAL) return -EBADF;
    return ready > 0 ? 0 : ready < 0 ? ready : -EAGAIN;
}

/* ---- Parking ---- */

static enum nidoi_undo fd_wait_undo(struct nidoi_waiter *waiter)
{
    struct nidoi_loop *loop = nidoi_loop_of(waiter->task->sched);

    nidoi_reactor_unwatch(&loop->reactor, &nidoi_container(waiter, struct fd_wait, waiter)->watch);
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind fd_wait_kinds[] = {
    [NIDOI_READING] = {.name = "input on descriptor", .undo = fd_wait_undo, .is_fd = true},
    [NIDOI_WRITING] = {.name = "output on descriptor", .undo = fd_wait_undo, .is_fd = true},
};

/* A datagram that is refused a second time: the receiver's queue is full. Its room is not reported
 * to the sender's socket, and some kernels report the refusal itself as room; so it is tried again
 * after a pause. */
static int io_pause_writing(struct nidoi_io *io)
{
    int err = nido_sleep(NIDO_MS(5));

    if (!err) err = nidoi_io_check_fd(io);
    if (!err) io->slot->ready |= 1u << NIDOI_WRITING;
    return err;
}

/* A shared call that was woken now has its turn. */
static void io_take_turn(struct nidoi_io *io)
{
    if (!io->exclusive) io->slot->called[io->direction]--;
}

int nidoi_io_wait(struct nidoi_io *io)
{
    struct fd_wait wait = {
        .waiter = {.kind = &fd_wait_kinds[io->direction], .object = (void *)(intptr_t)io->fd},
        .watch = {.fire = fd_wait_wake,
                  .ticket = io->ticket,
                  .fd = io->fd,
                  .direction = io->direction,
                  .shared = !io->exclusive},
    };
    int err = nidoi_io_check_fd(io); /* an attempt may have slept */

    if (!err && io->refused && !io->exclusive && io->direction == NIDOI_WRITING)
        return io_pause_writing(io);
    io->refused = true;
    if (!err) err = nidoi_reactor_watch(&io->loop->reactor, &wait.watch);
    if (err) return err;
    io->ticket = wait.watch.ticket;
    io->since = io->loop->reactor.renewals; /* the watch may have renewed a foreign number */
    if (io->exclusive) io->slot->busy |= (uint8_t)(1u << io->direction);
    err = (int)nidoi_park(io->loop, &wait.waiter);
    if (!err) err = nidoi_io_check_fd(io);
    if (!err) io_take_turn(io);
    return err;
}

/* ---- Transfers ---- */

void nidoi_io_charge_bytes(struct nidoi_io *io, ssize_t n)
{
    ssize_t calls = n / NIDOI_BYTES_A_CALL;
    int *budget;

    if (calls <= 0) return;
    budget = &io->loop->sched.budget;
    *budget = calls < *budget ? *budget - (int)calls : 1;
}

ssize_t nidoi_io_bulk(int fd, enum nidoi_direction direction, bool exclusive,
                      nidoi_attempt *attempt, void *call)
{
    struct nidoi_io io;
    ssize_t n = nidoi_io_run(&io, fd, direction, exclusive, attempt, call);

    nidoi_io_charge_bytes(&io, n);
    return n;
}

ssize_t nidoi_io_try(int fd, enum nidoi_direction direction, bool exclusive, nidoi_attempt *attempt,
                     void *call)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct nidoi_io io;
    ssize_t n = loop ? nidoi_io_begin_within(&io, loop, fd, direction, exclusive) : -EPERM;

    if (n) return n;
    io.once = true;
    io.seen = nidoi_edge_count(io.slot, direction);
    n = !exclusive && nidoi_io_must_queue(&io) ? -EAGAIN : attempt(&io, call);
    nidoi_io_end(&io);
    nidoi_io_charge_bytes(&io, n);
    return n;
}

static int io_transfer_all(struct nidoi_io *io, struct nidoi_io_transfer *transfer)
{
    while (transfer->done < transfer->len) {
        ssize_t n = nidoi_io_perform(io, transfer->attempt, transfer->call);
        int err;

        if (n <= 0) return n ? (int)n : -EPIPE;
        nidoi_io_charge_bytes(io, n);
        transfer->done += (size_t)n;
        transfer->advance(transfer->call, (size_t)n);
        if (transfer->done == transfer->len) break;
        err = nidoi_io_enter(&io->loop);
        if (!err) err = nidoi_io_check_fd(io); /* closed while this task yielded? */
        if (err) return err;
    }
    return 0;
}

int nidoi_io_all_from(int fd, enum nidoi_direction direction, struct nidoi_io_transfer *transfer,
                      const char *frame)
{
    struct nidoi_io io;
    int err = nidoi_io_begin_from(&io, fd, direction, true, frame);

    if (err) return err;
    err = io_transfer_all(&io, transfer);
    nidoi_io_end(&io);
    return err;
}

/* During an attempt on a worker the loop runs: reports may come, and the number may be closed. */
int nidoi_io_wait_refused(struct nidoi_io *io)
{
    int err = nidoi_io_check_fd(io);

    if (err) return err;
    return nidoi_edge_spend(io->slot, io->direction, io->seen) ? nidoi_io_wait(io) : 0;
}

/* ---- Owning ---- */

/* A short read does not always mean empty: that of a Unix socket stops at a passed descriptor, that
 * of a pipe at a packet, if the writer has chosen packets. */
int nidoi_fd_stream(int fd, int family)
{
    bool drains = (family == AF_INET || family == AF_INET6) && nidoi_backend_drains(fd);

    return NIDOI_FD_SOCKET | NIDOI_FD_STREAM | (drains ? NIDOI_FD_DRAINS : 0);
}

static int fd_kind_of_socket(int fd, int family)
{
    int type = 0;
    int err = nidoi_sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type);

    if (err < 0) return err;
    return type == SOCK_STREAM ? nidoi_fd_stream(fd, family) : NIDOI_FD_SOCKET;
}

static int fd_kind_of(int fd)
{
    int family = nidoi_sys.family(fd), mode;

    if (family >= 0) return fd_kind_of_socket(fd, family);
    if (family != -ENOTSOCK) return family;
    mode = nidoi_sys.mode(fd);
    return mode < 0 ? mode : NIDOI_FD_STREAM;
}

bool nidoi_fd_is_file(int fd)
{
    int mode = nidoi_sys.mode(fd);

    return mode >= 0 && (S_ISREG(mode) || S_ISBLK(mode) || S_ISDIR(mode));
}

void nidoi_fd_adopt(struct nidoi_loop *loop, int fd, int kind)
{
    if (kind < 0) kind = fd_kind_of(fd);
    if (kind >= 0 && nidoi_reactor_own(&loop->reactor, fd, (unsigned)kind) == -EPERM &&
        nidoi_fd_is_file(fd))
        nidoi_reactor_own_file(&loop->reactor, fd);
}

int nido_fd_own(int fd)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int kind, changed, err;

    if (!loop) return -EPERM;
    kind = fd_kind_of(fd);
    if (kind < 0) return kind;
    changed = nidoi_sys.nonblock(fd, true);
    if (changed < 0) return changed;
    err = nidoi_reactor_own(&loop->reactor, fd, (unsigned)kind);
    if (err && changed == 0) nidoi_sys.nonblock(fd, false);
    return err == -EPERM ? -EINVAL : err;
}

void nido_fd_forget(int fd)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (loop) nidoi_reactor_drop(&loop->reactor, fd);
}

int nido_pipe(int out[2])
{
    struct nidoi_loop *loop = nidoi_loop_self();
    int ends[2], err;

    if (!loop) return -EPERM;
    err = nidoi_sys.pipe(ends);
    if (err) return err;
    for (int i = 0; i < 2; i++) {
        nidoi_fd_adopt(loop, ends[i], NIDOI_FD_STREAM);
        out[i] = ends[i];
    }
    return 0;
}

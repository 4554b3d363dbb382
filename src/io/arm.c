/* SPDX-License-Identifier: MIT */
/* io/arm.c: the arm of a select that waits for a descriptor, as nido_wait_fd does: poll(2) is asked
 * before the task parks and after it was woken, because other code may read what has come. */
#include "base/sys.h"
#include "io/fd.h"
#include "nido/fd.h"
#include "sync/select.h"

static int fd_arm_attempt(struct nidoi_loop *loop, nido_arm *arm)
{
    bool reading = arm->of.watch.direction == NIDOI_READING;
    struct pollfd ask = {.fd = arm->of.watch.fd, .events = reading ? POLLIN : POLLOUT};
    int ready;

    (void)loop;
    if (ask.fd < 0) return -EBADF;
    do ready = nidoi_sys.poll(&ask, 1, 0);
    while (ready == -EINTR);
    if (ready == 0) return -EAGAIN;
    if (ready < 0) return ready;
    return ask.revents & POLLNVAL ? -EBADF : reading ? NIDO_IN : NIDO_OUT;
}

static void fd_arm_fire(struct nidoi_watch *watch, int result)
{
    nidoi_arm_done(nidoi_container(watch, nido_arm, of.watch), result);
}

static int fd_arm_enlist(struct nidoi_loop *loop, nido_arm *arm)
{
    struct nidoi_watch *watch = &arm->of.watch;
    struct nidoi_fd *slot;
    int err;

    watch->fire = fd_arm_fire;
    watch->ticket = 0;
    err = nidoi_reactor_watch(&loop->reactor, watch);
    if (err) return err;
    slot = nidoi_reactor_find(&loop->reactor, watch->fd);
    arm->generation = slot->generation;
    nidoi_edge_doubt(slot, watch->direction);
    return 0;
}

static void fd_arm_withdraw(struct nidoi_loop *loop, nido_arm *arm)
{
    nidoi_reactor_unwatch(&loop->reactor, &arm->of.watch);
}

static bool fd_arm_lost(struct nidoi_loop *loop, const nido_arm *arm, uint64_t since)
{
    return nidoi_reactor_renewed(&loop->reactor, arm->of.watch.fd, since);
}

static int fd_arm_woken(struct nidoi_loop *loop, nido_arm *arm, int value)
{
    const struct nidoi_fd *slot = nidoi_reactor_find(&loop->reactor, arm->of.watch.fd);

    if (value) return value;
    return slot->generation == arm->generation ? fd_arm_attempt(loop, arm) : -EBADF;
}

static int fd_arm_refuse(struct nidoi_loop *loop, nido_arm *arm)
{
    (void)loop, (void)arm;
    return -EINVAL;
}

static const struct nidoi_arm_kind fd_arm_kind = {.name = "descriptor",
                                                  .attempt = fd_arm_attempt,
                                                  .enlist = fd_arm_enlist,
                                                  .withdraw = fd_arm_withdraw,
                                                  .lost = fd_arm_lost,
                                                  .woken = fd_arm_woken};
static const struct nidoi_arm_kind invalid_fd_arm_kind = {.attempt = fd_arm_refuse};

void nido_arm_fd(nido_arm *arm, int fd, unsigned event)
{
    *arm = (nido_arm){.kind = event == NIDO_IN || event == NIDO_OUT ? &fd_arm_kind
                                                                    : &invalid_fd_arm_kind};
    arm->of.watch.fd = fd;
    arm->of.watch.direction = event == NIDO_IN ? NIDOI_READING : NIDOI_WRITING;
}

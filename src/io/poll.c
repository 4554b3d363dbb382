/* SPDX-License-Identifier: MIT */
/* io/poll.c: waiting for descriptors on behalf of code that does its own I/O. What nido remembers
 * of an owned descriptor may not hold after reads and writes by such code, so poll(2) is asked
 * before parking and before returning. */
#include "base/mem.h"
#include "base/sys.h"
#include "coro/scope/park.h"
#include "io/fd.h"
#include "nido/fd.h"
#include "nido/time.h"

enum { FEW = 12, EACH = 3 }; /* watches of an entry, at most */

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

struct poll_wait;

struct poll_watch {
    struct nidoi_watch watch;
    struct poll_wait *wait;
};

/* One waiter, any number of watches; the first that fires unlinks the others. */
struct poll_wait {
    struct nidoi_waiter waiter;
    struct poll_watch *watches;
    size_t count;
    int early_result; /* of a watch that fired while others were still being linked */
};

static void poll_wait_unwatch(struct poll_wait *wait)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    for (size_t i = 0; i < wait->count; i++)
        if (nidoi_linked(&wait->watches[i].watch.link))
            nidoi_reactor_unwatch(&loop->reactor, &wait->watches[i].watch);
}

static void poll_watch_fire(struct nidoi_watch *watch, int result)
{
    struct poll_wait *wait = nidoi_container(watch, struct poll_watch, watch)->wait;

    poll_wait_unwatch(wait);
    if (wait->waiter.task)
        nidoi_wake(&wait->waiter, result);
    else
        wait->early_result = result;
}

static enum nidoi_undo poll_wait_undo(struct nidoi_waiter *waiter)
{
    poll_wait_unwatch(nidoi_container(waiter, struct poll_wait, waiter));
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind poll_wait_kind = {.name = "descriptors",
                                                      .undo = poll_wait_undo};

static int poll_wait_watch(struct nidoi_loop *loop, struct poll_wait *wait, int fd,
                           enum nidoi_direction direction, unsigned also)
{
    struct poll_watch *each = &wait->watches[wait->count];
    int err;

    *each = (struct poll_watch){
        .watch = {.fire = poll_watch_fire, .fd = fd, .direction = direction, .also = (uint8_t)also},
        .wait = wait};
    err = nidoi_reactor_watch(&loop->reactor, &each->watch);
    if (!err) wait->count++;
    return err;
}

enum { INPUT = POLLIN | POLLRDNORM, OUTPUT = POLLOUT | POLLWRNORM };

/* What is asked for besides input and room for output. A hang-up and an error are always reported.
 */
static unsigned other_events(const struct pollfd *entry)
{
    return (entry->events & POLLRDHUP ? NIDOI_ENDING : 0) |
           (entry->events & (POLLPRI | POLLRDBAND) ? NIDOI_URGENT : 0);
}

static bool has_other_events(const struct pollfd *entry)
{
    return entry->fd >= 0 && (other_events(entry) || !(entry->events & (INPUT | OUTPUT)));
}

static int poll_wait_watch_entry(struct nidoi_loop *loop, struct poll_wait *wait,
                                 const struct pollfd *entry)
{
    int err = 0;

    if (entry->fd < 0) return 0;
    if (entry->events & INPUT) err = poll_wait_watch(loop, wait, entry->fd, NIDOI_READING, 0);
    if (!err && entry->events & OUTPUT)
        err = poll_wait_watch(loop, wait, entry->fd, NIDOI_WRITING, 0);
    if (!err && has_other_events(entry))
        err = poll_wait_watch(loop, wait, entry->fd, NIDOI_NEITHER, other_events(entry));
    return err;
}

/* After a sleep: 0, or -EBADF: one of the numbers may belong to another file. */
static int fds_check(const struct nidoi_loop *loop, const struct pollfd *fds, size_t n,
                     uint64_t since)
{
    if (loop->reactor.renewals == since) return 0;
    for (size_t i = 0; i < n; i++)
        if (nidoi_reactor_renewed(&loop->reactor, fds[i].fd, since)) return -EBADF;
    return 0;
}

static int poll_wait_park(struct nidoi_loop *loop, struct poll_wait *wait, const struct pollfd *fds,
                          size_t n)
{
    uint64_t since;
    int err = 0;

    for (size_t i = 0; i < n && !err && !wait->early_result; i++)
        err = poll_wait_watch_entry(loop, wait, &fds[i]);
    if (err || wait->early_result) {
        poll_wait_unwatch(wait);
        return wait->early_result ? wait->early_result : err;
    }
    since = loop->reactor.renewals; /* the watch may have renewed a foreign number */
    err = (int)nidoi_park(loop, &wait->waiter);
    return err ? err : fds_check(loop, fds, n, since);
}

static int poll_wait_any(struct nidoi_loop *loop, const struct pollfd *fds, size_t n)
{
    struct poll_watch few[FEW];
    struct poll_wait wait = {.waiter = {.kind = &poll_wait_kind}, .watches = few};
    int err;

    if (n > FEW / EACH) wait.watches = nidoi_mem.alloc(EACH * n * sizeof *wait.watches);
    if (!wait.watches) return -ENOMEM;
    err = poll_wait_park(loop, &wait, fds, n);
    if (wait.watches != few) nidoi_mem.release(wait.watches);
    return err;
}

/* Some kernels cannot report a hang-up alone: a wait for one would end at once again and again. */
static int poll_pause(struct nidoi_loop *loop, const struct pollfd *fds, size_t n)
{
    uint64_t since = loop->reactor.renewals;
    int err = nido_sleep(NIDO_MS(5));

    return err ? err : fds_check(loop, fds, n, since);
}

static bool any_has_other_events(const struct pollfd *fds, size_t n)
{
    while (n && !has_other_events(&fds[n - 1])) n--;
    return n;
}

int nido_poll(struct pollfd *fds, nfds_t n)
{
    struct nidoi_loop *loop;
    uint64_t since = nidoi_io_renewals();
    int err = nidoi_io_enter(&loop);

    if (!err && !n) err = -EINVAL;
    if (!err) err = fds_check(loop, fds, n, since);
    if (err) return err;
    for (bool woken = false;; woken = !woken) {
        int ready;

        do ready = nidoi_sys.poll(fds, n, 0);
        while (ready == -EINTR);
        if (ready) return ready;
        err = woken && any_has_other_events(fds, n) ? poll_pause(loop, fds, n)
                                                    : poll_wait_any(loop, fds, n);
        if (err) return err;
    }
}

int nido_wait_fd(int fd, unsigned events)
{
    struct pollfd ask = {.fd = fd};
    int ready;

    nidoi_check_frames();
    if (!events || events & ~(unsigned)(NIDO_IN | NIDO_OUT)) return -EINVAL;
    if (fd < 0) return -EBADF;
    if (events & NIDO_IN) ask.events |= POLLIN;
    if (events & NIDO_OUT) ask.events |= POLLOUT;
    ready = nido_poll(&ask, 1);
    if (ready < 0) return ready;
    if (ask.revents & POLLNVAL) return -EBADF;
    if (ask.revents & (POLLERR | POLLHUP)) return (int)events;
    return (ask.revents & POLLIN ? NIDO_IN : 0) | (ask.revents & POLLOUT ? NIDO_OUT : 0);
}

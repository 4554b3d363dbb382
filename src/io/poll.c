/* io/poll.c: waiting for descriptors on behalf of code that does its own I/O. Such code reads and
 * writes by itself, so what is remembered of an owned descriptor is not trusted: poll(2) is asked
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

struct any_wait;

struct any_watch {
    struct nidoi_watch watch;
    struct any_wait *wait;
};

/* One waiter, any number of watches; the first that fires takes the others back. */
struct any_wait {
    struct nidoi_waiter waiter;
    struct any_watch *watches;
    size_t count;
    int early; /* what fired while the others were still being linked: a number was found stale */
};

static void unwatch_all(struct any_wait *wait)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    for (size_t i = 0; i < wait->count; i++)
        if (nidoi_linked(&wait->watches[i].watch.link))
            nidoi_reactor_unwatch(&loop->reactor, &wait->watches[i].watch);
}

static void fire(struct nidoi_watch *watch, int result)
{
    struct any_wait *wait = nidoi_container(watch, struct any_watch, watch)->wait;

    unwatch_all(wait);
    if (wait->waiter.task)
        nidoi_wake(&wait->waiter, result);
    else
        wait->early = result;
}

static enum nidoi_undo undo(struct nidoi_waiter *waiter)
{
    unwatch_all(nidoi_container(waiter, struct any_wait, waiter));
    return NIDOI_WITHDRAWN;
}

static const struct nidoi_wait_kind polling = {.name = "descriptors", .undo = undo};

static int watch_one(struct nidoi_loop *loop, struct any_wait *wait, int fd,
                     enum nidoi_direction direction, unsigned also)
{
    struct any_watch *any = &wait->watches[wait->count];
    int err;

    *any = (struct any_watch){
        .watch = {.fire = fire, .fd = fd, .direction = direction, .also = (uint8_t)also},
        .wait = wait};
    err = nidoi_reactor_watch(&loop->reactor, &any->watch);
    if (!err) wait->count++;
    return err;
}

enum { BYTES = POLLIN | POLLRDNORM, ROOM = POLLOUT | POLLWRNORM };

/* What is asked for beside bytes and room; a hang-up and an error need no asking. */
static unsigned beside(const struct pollfd *entry)
{
    return (entry->events & POLLRDHUP ? NIDOI_ENDING : 0) |
           (entry->events & (POLLPRI | POLLRDBAND) ? NIDOI_URGENT : 0);
}

static bool is_quiet(const struct pollfd *entry)
{
    return entry->fd >= 0 && (beside(entry) || !(entry->events & (BYTES | ROOM)));
}

static int watch_entry(struct nidoi_loop *loop, struct any_wait *wait, const struct pollfd *entry)
{
    int err = 0;

    if (entry->fd < 0) return 0;
    if (entry->events & BYTES) err = watch_one(loop, wait, entry->fd, NIDOI_READING, 0);
    if (!err && entry->events & ROOM) err = watch_one(loop, wait, entry->fd, NIDOI_WRITING, 0);
    if (!err && is_quiet(entry))
        err = watch_one(loop, wait, entry->fd, NIDOI_NEITHER, beside(entry));
    return err;
}

/* After a sleep: 0, or -EBADF: one of the numbers may be another file's. */
static int still_named(const struct nidoi_loop *loop, const struct pollfd *fds, size_t n,
                       uint64_t since)
{
    if (loop->reactor.renewals == since) return 0;
    for (size_t i = 0; i < n; i++)
        if (nidoi_reactor_renewed(&loop->reactor, fds[i].fd, since)) return -EBADF;
    return 0;
}

static int park_on(struct nidoi_loop *loop, struct any_wait *wait, const struct pollfd *fds,
                   size_t n)
{
    uint64_t since;
    int err = 0;

    for (size_t i = 0; i < n && !err && !wait->early; i++) err = watch_entry(loop, wait, &fds[i]);
    if (err || wait->early) {
        unwatch_all(wait);
        return wait->early ? wait->early : err;
    }
    since = loop->reactor.renewals; /* a foreign number may just have started anew */
    err = (int)nidoi_park(loop, &wait->waiter);
    return err ? err : still_named(loop, fds, n, since);
}

static int wait_for_any(struct nidoi_loop *loop, const struct pollfd *fds, size_t n)
{
    struct any_watch few[FEW];
    struct any_wait wait = {.waiter = {.kind = &polling}, .watches = few};
    int err;

    if (n > FEW / EACH) wait.watches = nidoi_mem.alloc(EACH * n * sizeof *wait.watches);
    if (!wait.watches) return -ENOMEM;
    err = park_on(loop, &wait, fds, n);
    if (wait.watches != few) nidoi_mem.release(wait.watches);
    return err;
}

/* A kernel that knows no report of a hang-up alone wakes who waits for one again and again. */
static int pause_between(struct nidoi_loop *loop, const struct pollfd *fds, size_t n)
{
    uint64_t since = loop->reactor.renewals;
    int err = nido_sleep(NIDO_MS(5));

    return err ? err : still_named(loop, fds, n, since);
}

static bool any_quiet(const struct pollfd *fds, size_t n)
{
    while (n && !is_quiet(&fds[n - 1])) n--;
    return n;
}

int nido_poll(struct pollfd *fds, nfds_t n)
{
    struct nidoi_loop *loop;
    uint64_t since = nidoi_io_now();
    int err = nidoi_io_enter(&loop);

    if (!err && !n) err = -EINVAL;
    if (!err) err = still_named(loop, fds, n, since);
    if (err) return err;
    for (bool woken = false;; woken = !woken) {
        int ready;

        do ready = nidoi_sys.poll(fds, n, 0);
        while (ready == -EINTR); /* which is no answer */
        if (ready) return ready;
        err = woken && any_quiet(fds, n) ? pause_between(loop, fds, n) : wait_for_any(loop, fds, n);
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

/* SPDX-License-Identifier: MIT */
/* kqueue.c: a test double: kqueue(2) on Linux, over epoll, so that the backend that other systems
 * use is run by every test. Built with the tests, never installed.
 *
 * A queue is an epoll set of the descriptors to read, with two more in it: the set of those to
 * write, so that each direction has edges of its own, and an eventfd that counts while a user event
 * is pending. So a queue is itself readable when events are pending. Nothing in the sets is
 * level-triggered: what BSD repeats is armed anew after each report.
 *
 * Closing a number drops its entries: this file defines close, dup2 and dup3 for the whole program.
 * A child made by fork has no queues. Calls may be made by any thread and by signal handlers.
 *
 * Where it is not true to BSD:
 * - numbers closed by other means (fclose, closedir, close_range) keep their entries; a change of
 *   such an entry is found out (ENOENT), unless it was disabled by name;
 * - Linux cannot look at a socket's error without taking it: fflags is EIO, whatever the error;
 * - `data` of EVFILT_WRITE, of a listening socket and of a queue is always 1;
 * - of processes a queue watches one, for its end, and cannot be told to stop;
 * - files and directories are refused with EINVAL;
 * - a stream socket that was never connected is at its end, as epoll has it; BSD says nothing of it;
 * - shutting down one's own side for writing is no EV_EOF for EVFILT_WRITE;
 * - user events carry no flags of their own; one thread at a time may wait for a queue. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "queue.h"

static struct queue *queues;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* No handler may find the mutex held by the thread that it interrupts. */
static void lock(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
    pthread_mutex_lock(&mutex);
}

static void unlock(const sigset_t *before)
{
    pthread_mutex_unlock(&mutex);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void close_really(int fd)
{
    syscall(SYS_close, fd);
}

/* ---- Queues ---- */

struct queue *queue_find(int kq)
{
    struct queue *queue = queues;

    while (queue && queue->fd != kq) queue = queue->next;
    return queue;
}

static void free_queue(struct queue *queue)
{
    close_really(queue->writes);
    close_really(queue->wakeup);
    if (queue->process) close_really(queue->process);
    while (queue->users) {
        struct user *user = queue->users;

        queue->users = user->next;
        free(user);
    }
    free(queue->numbers);
    free(queue);
}

static sigset_t before_fork;

static void prepare_fork(void)
{
    lock(&before_fork);
}

static void after_fork(void)
{
    unlock(&before_fork);
}

static void after_fork_in_child(void)
{
    while (queues) {
        struct queue *queue = queues;

        queues = queue->next;
        close_really(queue->fd);
        free_queue(queue);
    }
    unlock(&before_fork);
}

static void watch_forks(void)
{
    pthread_atfork(prepare_fork, after_fork, after_fork_in_child);
}

static int nest(int set, int fd, int mark)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = mark};

    return fd < 0 ? -1 : epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static int open_queue(struct queue *queue)
{
    queue->fd = epoll_create1(EPOLL_CLOEXEC);
    queue->writes = epoll_create1(EPOLL_CLOEXEC);
    queue->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->fd >= 0 && nest(queue->fd, queue->writes, WRITES) == 0 &&
        nest(queue->fd, queue->wakeup, USERS) == 0)
        return queue->fd;
    return -1;
}

int kqueue(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct queue *queue = calloc(1, sizeof *queue);
    sigset_t before;
    int kq, err;

    if (!queue) return -1;
    pthread_once(&once, watch_forks);
    kq = open_queue(queue);
    err = errno;
    if (kq < 0) {
        close_really(queue->fd);
        free_queue(queue);
        errno = err;
        return -1;
    }
    lock(&before);
    queue->next = queues;
    queues = queue;
    unlock(&before);
    return kq;
}

/* ---- Numbers that are closed ---- */

static void forget(struct queue *queue, int fd)
{
    if (!queue->numbers[fd].reading.used && !queue->numbers[fd].writing.used) return;
    epoll_ctl(queue->fd, EPOLL_CTL_DEL, fd, NULL);
    epoll_ctl(queue->writes, EPOLL_CTL_DEL, fd, NULL);
    queue->numbers[fd] = (struct number){0};
}

static void forget_everywhere(int fd)
{
    int err = errno;
    sigset_t before;

    lock(&before);
    for (struct queue **at = &queues; *at;) {
        struct queue *queue = *at;

        if (queue->fd == fd) {
            *at = queue->next;
            free_queue(queue);
            continue;
        }
        if (fd >= 0 && (size_t)fd < queue->number_count) forget(queue, fd);
        at = &queue->next;
    }
    unlock(&before);
    errno = err;
}

int close(int fd)
{
    if (__atomic_load_n(&queues, __ATOMIC_ACQUIRE)) forget_everywhere(fd);
    return (int)syscall(SYS_close, fd);
}

int dup3(int fd, int to, int flags)
{
    if (__atomic_load_n(&queues, __ATOMIC_ACQUIRE) && fd != to && fcntl(fd, F_GETFD) >= 0)
        forget_everywhere(to);
    return (int)syscall(SYS_dup3, fd, to, flags);
}

int dup2(int fd, int to)
{
    if (fd == to) return fcntl(fd, F_GETFD) < 0 ? -1 : to;
    return dup3(fd, to, 0);
}

/* ---- The two calls ---- */

/* How many receipts and errors were put into `events`; -1, and errno, if there was no room. */
static int apply(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                 int event_count)
{
    int reported = 0;

    for (int i = 0; i < change_count; i++) {
        struct queue *queue;
        sigset_t before;
        int err;

        lock(&before);
        queue = queue_find(kq);
        err = queue ? queue_change(queue, &changes[i]) : EBADF;
        unlock(&before);
        if (!err && !(changes[i].flags & EV_RECEIPT)) continue;
        if (reported < event_count) {
            events[reported] = changes[i];
            events[reported].flags = EV_ERROR;
            events[reported++].data = err;
        } else if (err) {
            errno = err;
            return -1;
        } else {
            break;
        }
    }
    return reported;
}

static int64_t now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* 0, or -1 and errno; < 0 ns: no limit. */
static int sleep_until_readable(int kq, int64_t ns)
{
    struct pollfd ask = {.fd = kq, .events = POLLIN};
    struct timespec limit = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

    return ppoll(&ask, 1, ns < 0 ? NULL : &limit, NULL) < 0 ? -1 : 0;
}

static int fetch(int kq, struct kevent *events, int event_count)
{
    struct queue *queue;
    sigset_t before;
    int count = -1;

    lock(&before);
    queue = queue_find(kq);
    if (queue) count = queue_report(queue, events, event_count);
    unlock(&before);
    if (!queue) errno = EBADF;
    return count;
}

int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout)
{
    bool limited = timeout && timeout->tv_sec < INT_MAX;
    int64_t ns = limited ? (int64_t)timeout->tv_sec * 1000000000 + timeout->tv_nsec : -1;
    int64_t end = now() + ns;
    int count = apply(kq, changes, change_count, events, event_count);

    if (count || event_count == 0) return count;
    for (;;) {
        count = fetch(kq, events, event_count);
        if (count || ns == 0) return count;
        if (sleep_until_readable(kq, ns) < 0) return -1;
        if (limited && (ns = end - now()) < 0) ns = 0;
    }
}

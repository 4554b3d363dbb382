/* SPDX-License-Identifier: MIT */
/* wake.c: floor of a wake: an epoll loop that looks for what is ready, then lets each of the others
 * compute once, and looks again, as loops do. The woken task has its turn at once. Looking after each
 * of the others would wake sooner, for a system call each time. It leaves out tasks. */
#include "harness/wake.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static int loop(const struct bench_ask *ask, int epoll, int fd, struct wake_log *log)
{
    int64_t stamps[WAKE_STAMPS];
    struct epoll_event event;
    for (ssize_t n = 1; n;) {
        int ready = epoll_wait(epoll, &event, 1, ask->count ? 0 : -1);
        if (ready < 0) return -errno;
        if (ready) n = read(fd, stamps, sizeof stamps);
        if (n < 0) return -errno;
        if (ready) wake_note(log, stamps, n);
        for (long i = 0; i < ask->count; i++) wake_work();
    }
    return 0;
}

int floor_wake(const struct bench_ask *ask, int fd, struct wake_log *log)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) return -errno;
    int rc = write(fd, "", 1) == 1 ? loop(ask, epoll, fd, log) : -EPIPE;
    close(epoll);
    return rc;
}

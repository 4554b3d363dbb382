/* SPDX-License-Identifier: MIT */
/* base/sys_epoll.c: the calls of the epoll backend. */
#include "base/sys_call.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int nidoi_os_epoll_create(void)
{
    RETURN_RETRIED(int, nidoi_above_stdio(epoll_create1(EPOLL_CLOEXEC)));
}

int nidoi_os_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    RETURN_RETRIED(int, epoll_ctl(epoll, op, fd, event));
}

/* Milliseconds, rounded up: a wait is never shorter than asked. */
static int milliseconds(int64_t ns)
{
    int64_t rounded = ns / 1000000 + (ns % 1000000 != 0);

    return ns < 0 ? -1 : rounded > INT_MAX ? INT_MAX : (int)rounded;
}

/* libc has the call since glibc 2.35 only; its time is the kernel's own, of 64 bits everywhere. */
static int wait_precisely(int epoll, struct epoll_event *events, int n, int64_t ns)
{
#ifdef SYS_epoll_pwait2
    const int64_t limit[2] = {ns / NANO, ns % NANO}, *most = ns < 0 ? NULL : limit;

    return (int)syscall(SYS_epoll_pwait2, epoll, events, n, most, NULL, (size_t)0);
#else
    (void)epoll, (void)events, (void)n, (void)ns;
    errno = ENOSYS;
    return -1;
#endif
}

int nidoi_os_epoll_wait(int epoll, struct epoll_event *events, int n, int64_t ns)
{
    static bool no_pwait2; /* Linux 5.11; all threads find out the same */
    int ready;

    if (ns > 0 && !__atomic_load_n(&no_pwait2, __ATOMIC_RELAXED)) {
        ready = wait_precisely(epoll, events, n, ns);
        if (ready >= 0 || !nidoi_lacks_call()) return ready < 0 ? -errno : ready;
        __atomic_store_n(&no_pwait2, true, __ATOMIC_RELAXED);
    }
    ready = epoll_wait(epoll, events, n, milliseconds(ns));
    if (ready < 0 && nidoi_lacks_call()) ready = wait_precisely(epoll, events, n, ns);
    return ready < 0 ? -errno : ready;
}

int nidoi_os_eventfd(void)
{
    RETURN_RETRIED(int, nidoi_above_stdio(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)));
}

/* Unlike other writes this one needs no care for SIGPIPE. A counter that is full says so, and wakes
 * all the same. Not by write(2), at which pthread_cancel could end the thread half-way. */
int nidoi_os_eventfd_write(int fd)
{
    uint64_t one = 1;
    RETURN_RETRIED(int, (int)syscall(SYS_write, fd, &one, sizeof one));
}

int nidoi_os_pidfd_send_signal(int fd, int signal)
{
#ifdef SYS_pidfd_send_signal
    RETURN_RETRIED(int, (int)syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0));
#else
    (void)fd, (void)signal;
    return -ENOSYS;
#endif
}

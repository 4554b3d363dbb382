/* SPDX-License-Identifier: MIT */
/* base/sys_kqueue.c: the calls of the kqueue backend. */
#include "base/sys_call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/event.h>
#include <unistd.h>

int nidoi_os_kqueue(void)
{
    int kq = kqueue(), low;

    if (kq < 0) return -errno;
    fcntl(kq, F_SETFD, FD_CLOEXEC); /* cannot fail: it is open */
    if (kq > STDERR_FILENO) return kq;
    low = kq; /* not every system can give it another number: it is held while the next is made */
    kq = nidoi_os_kqueue();
    close(low);
    return kq;
}

int nidoi_os_kevent_change(int kq, const struct kevent *change)
{
    RETURN_RETRIED(int, kevent(kq, change, 1, NULL, 0, NULL));
}

int nidoi_os_kevent_wait(int kq, struct kevent *events, int n, int64_t ns)
{
    struct timespec limit = {(time_t)(ns / NANO), (long)(ns % NANO)};
    int ready = kevent(kq, NULL, 0, events, n, ns < 0 ? NULL : &limit);

    return ready < 0 ? -errno : ready;
}

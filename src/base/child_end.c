/* SPDX-License-Identifier: MIT */
#include "base/child_end.h"

#ifndef NIDOI_KQUEUE /* which reports the end itself */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"

struct end_wait {
    int pid;
    int event; /* the thread's own duplicate: the caller may close its one first */
};

static void *end_wait_thread(void *arg)
{
    struct end_wait wait = *(struct end_wait *)arg;
    siginfo_t info;

    nidoi_mem.release(arg);
    while (waitid(P_PID, (id_t)wait.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
    nidoi_sys.eventfd_write(wait.event);
    nidoi_sys.close(wait.event);
    return NULL;
}

static int end_wait_start(struct end_wait *wait, int event)
{
    pthread_t thread;
    int err;

    wait->event = nidoi_sys.dup(event, STDERR_FILENO + 1);
    if (wait->event < 0) return wait->event;
    err = nidoi_sys.thread(&thread, end_wait_thread, wait);
    if (!err) return pthread_detach(thread);
    nidoi_sys.close(wait->event);
    return err;
}

int nidoi_child_end_fd(int pid)
{
    struct end_wait *wait = nidoi_mem.alloc(sizeof *wait);
    int event, err;

    if (!wait) return -ENOMEM;
    wait->pid = pid;
    event = nidoi_sys.eventfd();
    err = event < 0 ? event : end_wait_start(wait, event);
    if (!err) return event;
    if (event >= 0) nidoi_sys.close(event);
    nidoi_mem.release(wait);
    return err;
}
#endif

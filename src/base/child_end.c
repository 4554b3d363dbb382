#include "base/child_end.h"

#ifndef NIDOI_KQUEUE /* which hears of it by itself */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"

struct vigil {
    int pid;
    int wakeup; /* the thread's own number of it, for the child may outlive the caller */
};

static void *await_end(void *arg)
{
    struct vigil vigil = *(struct vigil *)arg;
    siginfo_t info;

    nidoi_mem.release(arg);
    while (waitid(P_PID, (id_t)vigil.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
    nidoi_sys.ring(vigil.wakeup);
    nidoi_sys.close(vigil.wakeup);
    return NULL;
}

static int start(struct vigil *vigil, int wakeup)
{
    pthread_t thread;
    int err;

    vigil->wakeup = nidoi_sys.dup(wakeup, STDERR_FILENO + 1);
    if (vigil->wakeup < 0) return vigil->wakeup;
    err = nidoi_sys.thread(&thread, await_end, vigil);
    if (!err) return pthread_detach(thread);
    nidoi_sys.close(vigil->wakeup);
    return err;
}

int nidoi_child_end_fd(int pid)
{
    struct vigil *vigil = nidoi_mem.alloc(sizeof *vigil);
    int wakeup, err;

    if (!vigil) return -ENOMEM;
    vigil->pid = pid;
    wakeup = nidoi_sys.eventfd();
    err = wakeup < 0 ? wakeup : start(vigil, wakeup);
    if (!err) return wakeup;
    if (wakeup >= 0) nidoi_sys.close(wakeup);
    nidoi_mem.release(vigil);
    return err;
}
#endif

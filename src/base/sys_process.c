/* SPDX-License-Identifier: MIT */
/* base/sys_process.c: processes, threads and signals. */
#include "base/sys_call.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "base/program.h"

/* ---- As the systems have it ---- */

#ifdef __linux__

/* False: there is no list. A limit says little: it may be huge, or lower than what is open. */
static bool close_listed(int first, int last)
{
    DIR *list = opendir("/proc/self/fd");

    if (!list) return false;
    for (struct dirent *entry; (entry = readdir(list));) {
        int fd = atoi(entry->d_name);

        if (fd >= first && fd <= last && fd != dirfd(list)) close(fd);
    }
    closedir(list);
    return true;
}

#else

static bool close_listed(int first, int last)
{
    (void)first, (void)last;
    return false;
}

#endif

static void close_from_to(int first, int last)
{
    long most = sysconf(_SC_OPEN_MAX);

#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, last, 0) == 0) return;
#endif
    if (close_listed(first, last)) return;
    for (int fd = first; fd <= last && fd < most; fd++) close(fd);
}

#ifdef __linux__

static int signal_with_parent(int signal)
{
    return prctl(PR_SET_PDEATHSIG, signal);
}

/* No flag, no stack, no signal at its end. The C library does not notice, so what it knows of the
 * thread is the parent's number. */
static int fork_without_signal(void)
{
    return (int)syscall(SYS_clone, 0, 0, 0, 0, 0);
}

static bool is_subreaper(void)
{
    int adopts = 0;

    return prctl(PR_GET_CHILD_SUBREAPER, &adopts) == 0 && adopts;
}

static int become_subreaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int list_children(int *pids, int most)
{
    FILE *list = fopen("/proc/thread-self/children", "re");
    int count = 0;

    if (!list) return -1;
    while (count < most && fscanf(list, "%d", &pids[count]) == 1) count++;
    fclose(list);
    return count;
}

static int forbid_new_rights(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

#else

static int fail_without_call(void)
{
    errno = ENOSYS;
    return -1;
}

static int signal_with_parent(int signal)
{
    (void)signal;
    return fail_without_call();
}

static int fork_without_signal(void)
{
    return fail_without_call();
}

static bool is_subreaper(void)
{
    return false;
}

static int become_subreaper(void)
{
    return fail_without_call();
}

static int list_children(int *pids, int most)
{
    (void)pids, (void)most;
    return fail_without_call();
}

static int forbid_new_rights(void)
{
    return fail_without_call();
}

#endif

/* ---- Processes ---- */

/* Not retried: it is not interrupted. */
int nidoi_os_fork(void)
{
    pid_t pid = fork();

    return pid < 0 ? -errno : pid;
}

int nidoi_os_fork_unseen(void)
{
    RETURN_RETRIED(int, fork_without_signal());
}

int nidoi_os_adopts_orphans(void)
{
    return getpid() == 1 || is_subreaper();
}

int nidoi_os_adopt_orphans(void)
{
    RETURN_RETRIED(int, become_subreaper());
}

int nidoi_os_list_children(int *pids, int most)
{
    RETURN_RETRIED(int, list_children(pids, most));
}

int nidoi_os_no_new_privs(void)
{
    RETURN_RETRIED(int, forbid_new_rights());
}

int nidoi_os_ended_child(void)
{
    siginfo_t info = {0};
    int options = WEXITED | WNOHANG | WNOWAIT | NIDOI_EVERY_CHILD;

    return waitid(P_ALL, 0, &info, options) < 0 ? -errno : info.si_pid;
}

int nidoi_os_stopped_child(int *pid)
{
    siginfo_t info = {0};
    int options = WSTOPPED | WNOHANG | NIDOI_EVERY_CHILD;

    if (waitid(P_ALL, 0, &info, options) < 0) return -errno;
    *pid = info.si_pid;
    return info.si_pid ? info.si_code : 0;
}

/* As waitpid(2) would give it. */
static int status_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED) return (info->si_status & 0xff) << 8;
    return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static int reap_by_waitid(int pid, int *status)
{
    siginfo_t info;

    if (waitid(pid < 0 ? P_ALL : P_PID, pid < 0 ? 0 : (id_t)pid, &info,
               WEXITED | NIDOI_EVERY_CHILD) < 0)
        return -1;
    *status = status_of(&info);
    return info.si_pid;
}

/* A filter may allow only one of the two calls. */
static int reap(int pid, int *status)
{
    int reaped = waitpid(pid, status, NIDOI_EVERY_CHILD);

    return reaped < 0 && nidoi_lacks_call() ? reap_by_waitid(pid, status) : reaped;
}

int nidoi_os_reap(int pid, int *status)
{
    RETURN_RETRIED(int, reap(pid, status));
}

int nidoi_os_await_child(void)
{
    int status;

    RETURN_RETRIED(int, reap(-1, &status));
}

int nidoi_os_lead_group(int pid)
{
    return setpgid(pid, pid) < 0 ? -errno : 0;
}

int nidoi_os_follow_parent(int signal)
{
    RETURN_RETRIED(int, signal_with_parent(signal));
}

static rlim_t lower_of(uint64_t value, rlim_t limit)
{
    return (rlim_t)value < limit ? (rlim_t)value : limit;
}

int nidoi_os_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) < 0) return -errno;
    limit.rlim_max = lower_of(hard, limit.rlim_max);
    limit.rlim_cur = lower_of(soft, limit.rlim_max);
    return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

int nidoi_os_close_range(int first, int last)
{
    close_from_to(first, last);
    return 0;
}

int nidoi_os_sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    RETURN_RETRIED(int, sigaction(number, action, before));
}

int nidoi_os_thread(pthread_t *out, void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(out, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

int nidoi_os_spawn(const struct nidoi_program *program, int *pid)
{
    return nidoi_program_start(program, pid);
}

int nidoi_os_waitid(int type, int id, siginfo_t *out, int options)
{
    RETURN_RETRIED(int, waitid((idtype_t)type, (id_t)id, out, options));
}

int nidoi_os_kill(int pid, int signal)
{
    RETURN_RETRIED(int, kill(pid, signal));
}

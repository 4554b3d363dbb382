/* SPDX-License-Identifier: MIT */
#include "base/thread_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#endif
#ifdef NIDOI_VALGRIND
#include <valgrind/valgrind.h>
#endif

#ifdef __linux__

struct nidoi_thread nidoi_thread_self(void)
{
    return (struct nidoi_thread){pthread_self(), (int)syscall(SYS_gettid)};
}

void nidoi_thread_name(char *name)
{
    if (prctl(PR_GET_NAME, name, 0, 0, 0)) name[0] = '\0';
}

static bool read_file(const char *path, char *text, size_t size)
{
    int fd = nidoi_sys.open(path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t n;

    if (fd < 0) return false;
    n = nidoi_sys.read(fd, text, size - 1);
    nidoi_sys.close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Under Valgrind a thread that does not run waits in a system call of Valgrind's. */
static bool is_told(void)
{
#ifdef NIDOI_VALGRIND
    return !RUNNING_ON_VALGRIND;
#else
    return true;
#endif
}

/* "running", or the number of a call, its six arguments, sp and pc; -1, sp and pc in no call. */
void nidoi_thread_look(const struct nidoi_thread *thread, struct nidoi_thread_look *out)
{
    unsigned long long words[8];
    char path[64], text[256], *at = text;
    int n = 0;

    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread->number);
    if (!is_told() || !read_file(path, text, sizeof text)) return;
    out->state = NIDOI_THREAD_RUNS;
    if (*text == 'r') return;
    out->call = strtol(at, &at, 10);
    while (n < 8 && *at == ' ') words[n++] = strtoull(at, &at, 16);
    if (n < 2) return;
    out->state = out->call < 0 ? NIDOI_THREAD_BLOCKED : NIDOI_THREAD_CALLS;
    out->first = (int64_t)words[0];
    out->sp = (void *)(uintptr_t)words[n - 2];
    out->pc = (void *)(uintptr_t)words[n - 1];
}

/* By the system call itself: what the tools for races and bad addresses know of memory they apply to
 * functions of libc. */
int nidoi_peek(void *to, const void *from, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)(uintptr_t)from, size};
    long n = syscall(SYS_process_vm_readv, (long)getpid(), &local, 1L, &remote, 1L, 0L);

    if (n < 0) return -errno;
    return (size_t)n == size ? 0 : -EFAULT;
}

#define ON_FD(name)             \
    {                           \
        SYS_##name, #name, true \
    }
#define ON_OTHER(name)           \
    {                            \
        SYS_##name, #name, false \
    }

const char *nidoi_thread_call_name(long call, bool *on_fd)
{
    static const struct {
        long number;
        const char *name;
        bool on_fd;
    } calls[] = {
        ON_FD(read),
        ON_FD(write),
        ON_FD(readv),
        ON_FD(writev),
        ON_FD(pread64),
        ON_FD(pwrite64),
        ON_FD(preadv),
        ON_FD(pwritev),
        ON_FD(recvfrom),
        ON_FD(recvmsg),
        ON_FD(sendto),
        ON_FD(sendmsg),
        ON_FD(sendmmsg),
        ON_FD(sendfile),
        ON_FD(splice),
        ON_FD(connect),
        ON_FD(accept4),
        ON_FD(fsync),
        ON_FD(fdatasync),
        ON_FD(flock),
        ON_FD(ftruncate),
        ON_FD(fallocate),
        ON_FD(ioctl),
        ON_FD(close),
        ON_FD(getdents64),
        ON_FD(epoll_pwait),
        ON_OTHER(ppoll),
        ON_OTHER(pselect6),
        ON_OTHER(nanosleep),
        ON_OTHER(clock_nanosleep),
        ON_OTHER(futex),
        ON_OTHER(wait4),
        ON_OTHER(waitid),
        ON_OTHER(openat),
        ON_OTHER(rt_sigsuspend),
        ON_OTHER(rt_sigtimedwait),
        ON_OTHER(msync),
        ON_OTHER(execve),
        ON_OTHER(unlinkat),
#ifdef SYS_fcntl
        ON_FD(fcntl),
#endif
#ifdef SYS_accept
        ON_FD(accept),
#endif
#ifdef SYS_epoll_wait
        ON_FD(epoll_wait),
#endif
#ifdef SYS_poll
        ON_OTHER(poll),
#endif
#ifdef SYS_select
        ON_OTHER(select),
#endif
#ifdef SYS_pause
        ON_OTHER(pause),
#endif
#ifdef SYS_open
        ON_OTHER(open),
#endif
#ifdef SYS_unlink
        ON_OTHER(unlink),
#endif
#ifdef SYS_vfork
        ON_OTHER(vfork),
#endif
    };

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].number != call) continue;
        *on_fd = calls[i].on_fd;
        return calls[i].name;
    }
    return NULL;
}

#else

struct nidoi_thread nidoi_thread_self(void)
{
    return (struct nidoi_thread){pthread_self(), 0};
}

void nidoi_thread_name(char *name)
{
    name[0] = '\0';
}

void nidoi_thread_look(const struct nidoi_thread *thread, struct nidoi_thread_look *out)
{
    (void)thread;
    memset(out, 0, sizeof *out);
}

int nidoi_peek(void *to, const void *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return -ENOSYS;
}

const char *nidoi_thread_call_name(long call, bool *on_fd)
{
    (void)call, (void)on_fd;
    return NULL;
}

#endif

int64_t nidoi_thread_cpu(const struct nidoi_thread *thread)
{
#ifdef __APPLE__
    (void)thread;
    return 0;
#else
    struct timespec used;
    clockid_t clock;

    if (pthread_getcpuclockid(thread->thread, &clock) || clock_gettime(clock, &used)) return 0;
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
#endif
}

int64_t nidoi_thread_cpu_own(void)
{
    struct timespec used;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used)) return 0;
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

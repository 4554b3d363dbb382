/* SPDX-License-Identifier: MIT */
/* trace.c: ptrace stops the child at every entry and return of a system call. That slows it much,
 * so nothing else is measured meanwhile. */
#include "trace.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SYSTEM_CALL_STOP = SIGTRAP | 0x80 }; /* as PTRACE_O_TRACESYSGOOD marks it */

struct trace_count *trace_count_new(void)
{
    void *count = mmap(NULL, sizeof(struct trace_count), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return count == MAP_FAILED ? NULL : count;
}

static bool is_poll(uint64_t number)
{
#ifdef SYS_epoll_wait
    if (number == SYS_epoll_wait) return true;
#endif
    return number == SYS_epoll_pwait || number == SYS_epoll_pwait2;
}

/* The child stands at the entry or at the return of a call. */
static void note_stop(pid_t child, struct trace_count *count)
{
    struct __ptrace_syscall_info info = {0};
    ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof info, &info);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    atomic_fetch_add(is_poll(info.entry.nr) ? &count->polls : &count->calls, 1);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static _Noreturn void be_traced(int (*fn)(void *arg), void *arg)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(EXIT_FAILURE);
    raise(SIGSTOP); /* until the tracer has set its options */
    _exit(fn(arg));
}

/* Lets the child go on to its next stop. False once it has ended. */
static bool step(pid_t child, int *status)
{
    int signal = WIFSTOPPED(*status) ? WSTOPSIG(*status) : 0;
    if (signal == SYSTEM_CALL_STOP || signal == SIGSTOP) signal = 0;
    ptrace(PTRACE_SYSCALL, child, NULL, (void *)(intptr_t)signal);
    return waitpid(child, status, 0) == child && WIFSTOPPED(*status);
}

int trace_run(int (*fn)(void *arg), void *arg, struct trace_count *count)
{
    int status;
    pid_t child = fork();
    if (child == 0) be_traced(fn, arg);
    waitpid(child, &status, 0);
    if (WIFSTOPPED(status)) {
        ptrace(PTRACE_SETOPTIONS, child, NULL,
               (void *)(intptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
        while (step(child, &status))
            if (WSTOPSIG(status) == SYSTEM_CALL_STOP) note_stop(child, count);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool trace_allowed(void)
{
    struct trace_count count = {0};
    return trace_run(nothing, NULL, &count) == 0 && count.calls > 0;
}

/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failure.h"

enum { HOLD_TRIES = 25, HOLD_PAUSE_MS = 20 };

/* ---- Is it there, and ours to read? ---- */

static int yama_scope(void)
{
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    int scope = 0;

    if (!file) return 0;
    if (fscanf(file, "%d", &scope) != 1) scope = 0;
    fclose(file);
    return scope;
}

/* Of its files in /proc, which root owns when it is not dumpable. */
static bool process_owner(pid_t pid, uid_t *out)
{
    char path[64];
    struct stat status;

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &status)) return false;
    *out = status.st_uid;
    return true;
}

/* The process that traces it; 0: none. */
static pid_t process_tracer(pid_t pid)
{
    char path[64], line[256];
    int tracer = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    if (!file) return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "TracerPid: %d", &tracer) != 1) continue;
    fclose(file);
    return tracer;
}

static bool fail_traced(pid_t pid, pid_t tracer)
{
    char path[64], name[64] = "?";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)tracer);
    file = fopen(path, "re");
    if (file && !fgets(name, sizeof name, file)) strcpy(name, "?");
    if (file) fclose(file);
    name[strcspn(name, "\n")] = '\0';
    return fail("process %d is busy, so it must be held while it is read, and process %d (%s) "
                "traces it already: a process has one tracer",
                (int)pid, (int)tracer, name);
}

static bool fail_forbidden(pid_t pid)
{
    uid_t owner = 0;
    const struct passwd *user;
    int scope = yama_scope();

    if (!process_owner(pid, &owner)) return fail("process %d has ended", (int)pid);
    user = getpwuid(owner);
    if (geteuid() && owner != geteuid())
        return fail("process %d belongs to user %s%s: run nido-ps as that user, or with sudo",
                    (int)pid, user ? user->pw_name : "?",
                    owner ? ""
                          : " (or does not let itself be read: it is setuid, or not dumpable)");
    if (scope == 3)
        return fail(
            "the kernel lets no process be read (kernel.yama.ptrace_scope is 3): only a core "
            "file can be looked at (nido-ps --core)");
    if (scope)
        return fail(
            "the kernel lets a process be read by its parents alone (kernel.yama.ptrace_scope "
            "is %d): run nido-ps with sudo",
            scope);
    return fail("reading process %d is not permitted: it is in a container or sandbox that forbids "
                "ptrace; run nido-ps where it runs, with sudo",
                (int)pid);
}

static bool fail_unreadable(pid_t pid, int err)
{
    if (err == ESRCH || err == ENOENT) return fail("there is no process %d", (int)pid);
    if (err == EPERM || err == EACCES) return fail_forbidden(pid);
    if (err == ENOSYS)
        return fail("this kernel has no process_vm_readv: only a core file can be looked at");
    return fail("process %d cannot be read: %s", (int)pid, strerror(err));
}

/* The address of its first mapping; 0: it has none (a thread of the kernel), or it is forbidden. */
static bool process_first_address(pid_t pid, unsigned long *out)
{
    char path[64];
    FILE *file;
    bool found;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    file = fopen(path, "re");
    if (!file) return fail_unreadable(pid, errno);
    errno = 0;
    found = fscanf(file, "%lx", out) == 1;
    if (!found && errno) fail_unreadable(pid, errno);
    fclose(file);
    return found ||
           fail("process %d has no memory: it has ended, or is a thread of the kernel", (int)pid);
}

bool process_open(pid_t pid)
{
    unsigned long first;
    char byte;
    struct iovec here = {&byte, 1}, there;

    if (!process_first_address(pid, &first)) return false;
    there = (struct iovec){(void *)first, 1}; /* NOLINT: an address there */
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) == 1 || errno == EFAULT) return true;
    return fail_unreadable(pid, errno);
}

/* ---- Memory ---- */

/* A call stops at the first block that cannot be read: it is left out, and the rest asked for again. */
void process_read(void *pid, struct piece *pieces, size_t n)
{
    size_t at = 0;

    while (at < n) {
        struct iovec here[FETCH_MOST], there[FETCH_MOST];
        ssize_t got;

        for (size_t i = at; i < n; i++) {
            here[i - at] = (struct iovec){pieces[i].to, BLOCK};
            there[i - at] = (struct iovec){(void *)(uintptr_t)pieces[i].address, BLOCK};
        }
        got = process_vm_readv(*(pid_t *)pid, here, n - at, there, n - at, 0);
        if (got < 0 && errno != EFAULT) return;
        for (; got >= BLOCK; got -= BLOCK) pieces[at++].read = true;
        at++;
    }
}

/* ---- Holding it ---- */

/* What stops it may be a signal that was on its way: it gets that when it is released. */
static bool thread_hold(pid_t id, int *signal)
{
    int status;

    if (ptrace(PTRACE_SEIZE, id, NULL, NULL)) return false;
    if (ptrace(PTRACE_INTERRUPT, id, NULL, NULL)) return false;
    while (waitpid(id, &status, __WALL) < 0)
        if (errno != EINTR) return false;
    *signal = WIFSTOPPED(status) && status >> 16 != PTRACE_EVENT_STOP ? WSTOPSIG(status) : 0;
    errno = ESRCH;
    return WIFSTOPPED(status);
}

static void thread_look(struct thread *thread)
{
    uint64_t room[128];
    struct iovec general = {room, sizeof room};

    if (!ptrace(PTRACE_GETREGSET, thread->id, NT_PRSTATUS, &general))
        thread_set(thread, room, general.iov_len);
}

static bool is_held(const struct threads *threads, pid_t id)
{
    for (size_t i = 0; i < threads->count; i++)
        if (threads->all[i].id == id) return true;
    return false;
}

/* One pass over its threads. How many are new; < 0: one cannot be held. */
static int hold_pass(DIR *tasks, struct threads *threads)
{
    const struct dirent *entry;
    int fresh = 0;

    rewinddir(tasks);
    while ((entry = readdir(tasks))) {
        pid_t id = (pid_t)atoi(entry->d_name);
        struct thread *thread;
        int signal;

        if (id <= 0 || is_held(threads, id)) continue;
        if (!thread_hold(id, &signal)) {
            if (errno == ESRCH) continue; /* it has just ended */
            return -errno;
        }
        thread = threads_add(threads, id);
        if (!thread) return -ENOMEM;
        thread->signal = signal;
        thread_look(thread);
        fresh++;
    }
    return fresh;
}

/* Threads may be started while others are being stopped: until a pass finds no new one. < 0: one cannot be
 * held, and none is. */
static int hold_all(pid_t pid, struct threads *threads)
{
    char path[64];
    DIR *tasks;
    int fresh = 1;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    if (!tasks) return -ESRCH;
    for (int i = 0; i < 16 && fresh > 0; i++) fresh = hold_pass(tasks, threads);
    closedir(tasks);
    if (fresh >= 0 && threads->count) return 0;
    process_release(threads);
    threads_free(threads);
    return fresh < 0 ? fresh : -ESRCH;
}

/* Another nido-ps lets go of it in a moment; a debugger does not. */
bool process_hold(pid_t pid, struct threads *threads)
{
    pid_t tracer = 0;
    int err = hold_all(pid, threads);

    for (int i = 0; err == -EPERM && i < HOLD_TRIES; i++) {
        tracer = process_tracer(pid);
        poll(NULL, 0, HOLD_PAUSE_MS);
        err = hold_all(pid, threads);
    }
    if (!err) return true;
    if (err == -EPERM) return tracer ? fail_traced(pid, tracer) : fail_forbidden(pid);
    return fail("process %d has ended", (int)pid);
}

void process_release(const struct threads *threads)
{
    for (size_t i = 0; i < threads->count; i++)
        ptrace(PTRACE_DETACH, threads->all[i].id, NULL, (void *)(intptr_t)threads->all[i].signal);
}

/* ---- What the kernel knows of it ---- */

int64_t process_cpu(pid_t pid)
{
    char path[64], line[1024], *end;
    unsigned long user = 0, kernel = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file) return 0;
    end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                       &kernel) != 2)
        return 0;
    return (int64_t)(user + kernel) * (1000000000 / sysconf(_SC_CLK_TCK));
}

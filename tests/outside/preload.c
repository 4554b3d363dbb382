/* SPDX-License-Identifier: MIT */
/* outside/preload.c: goes before the C library of a program that knows nothing of it (LD_PRELOAD).
 *
 *     OUTSIDE_ORDER=CALL:ERRNO:N    the Nth call from main on fails; with "N+" all later ones too.
 *                                   ERRNO 0: it moves about half of the bytes that it could
 *     OUTSIDE_DENY=CALL:ERRNO,...   a filter of the kernel refuses these system calls from main on
 *     OUTSIDE_COUNTS=FILE           at the end of the program: how often each was called
 *     OUTSIDE_MAPS=N                N more mappings, then the process has as many as the kernel allows
 *     OUTSIDE_ORPHANS=1             it has children that it did not start: they may be left
 *
 * A close that is to fail has closed, as Linux does it. What the program executes does not inherit any
 * of this but the filter.
 *
 * At the end of the program a line on stderr says what is left of each kind: descriptors, threads,
 * children, memory and mappings that the program itself (not a library) has asked for, and signals
 * that are blocked or handled as they were not at the beginning. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS(CALL)      \
    CALL(malloc)         \
    CALL(calloc)         \
    CALL(realloc)        \
    CALL(mmap)           \
    CALL(pthread_create) \
    CALL(fopen)          \
    CALL(close)          \
    CALL(read)           \
    CALL(readv)          \
    CALL(write)          \
    CALL(writev)         \
    CALL(recv)           \
    CALL(send)           \
    CALL(sendfile)       \
    CALL(preadv2)        \
    CALL(pwritev2)

#define AS_ENUM(name) CALL_##name,
#define AS_TEXT(name) #name,
enum { CALLS(AS_ENUM) CALL_COUNT };
static const char *const call_names[] = {CALLS(AS_TEXT)};

enum { NOTHING = -1, SHORTER = 0, MOST_FDS = 65536 };

static long counts[CALL_COUNT];
static struct {
    int call, err;
    long from;
    bool on; /* and all that follow */
} order = {.call = -1};
static bool begun;
static pid_t owner;
static const char *counts_file;
static bool orphans;
static unsigned char inherited[MOST_FDS];

/* NOTHING, SHORTER, or the errno that this call is to fail with. */
static int strike(int call)
{
    long n;

    if (!__atomic_load_n(&begun, __ATOMIC_RELAXED)) return NOTHING;
    n = __atomic_add_fetch(&counts[call], 1, __ATOMIC_RELAXED);
    if (call != order.call || n < order.from || (n > order.from && !order.on)) return NOTHING;
    return order.err;
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* ---- Memory and threads ---- */

/* glibc's dlsym may ask for memory itself. */
#ifdef __GLIBC__
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *block);
#else
#define __libc_malloc  REAL(malloc)
#define __libc_calloc  REAL(calloc)
#define __libc_realloc REAL(realloc)
#define __libc_free    REAL(free)
#endif

static bool fails(int call)
{
    int err = strike(call);

    if (err > 0) errno = err;
    return err > 0;
}

/* The program's own code, without libraries. */
static uintptr_t own_base, own_begin, own_end;

static int find_own(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X)) continue;
        own_base = info->dlpi_addr;
        own_begin = begin;
        own_end = begin + info->dlpi_phdr[i].p_memsz;
    }
    return 1; /* the first one is the program */
}

static bool is_own(const void *caller)
{
    return (uintptr_t)caller >= own_begin && (uintptr_t)caller < own_end;
}

/* Blocks that the program has asked for: a table without order in which each search begins at the
 * block's hash. A block that was taken out leaves GONE. */
enum { BLOCKS = 1 << 16 };
#define GONE ((void *)1)

static struct {
    void *block;
    const void *caller;
} blocks[BLOCKS];
static int blocks_lock;
static long own_mapped; /* bytes */
static bool blocks_full;

static void blocks_enter(void)
{
    while (__atomic_exchange_n(&blocks_lock, 1, __ATOMIC_ACQUIRE)) continue;
}

static void blocks_leave(void)
{
    __atomic_store_n(&blocks_lock, 0, __ATOMIC_RELEASE);
}

static size_t block_place(const void *block)
{
    return ((uintptr_t)block * 0x9e3779b97f4a7c15u) >> 48 & (BLOCKS - 1);
}

static void *block_add(void *block, const void *caller)
{
    size_t at = block_place(block), n = 0;

    if (!block || !begun || !is_own(caller)) return block;
    blocks_enter();
    while (n++ < BLOCKS && blocks[at].block && blocks[at].block != GONE)
        at = (at + 1) & (BLOCKS - 1);
    if (n <= BLOCKS) {
        blocks[at].block = block;
        blocks[at].caller = caller;
    } else {
        blocks_full = true;
    }
    blocks_leave();
    return block;
}

static void block_remove(const void *block)
{
    size_t at = block_place(block);

    if (!block || !begun) return;
    blocks_enter();
    for (size_t n = 0; n < BLOCKS && blocks[at].block; n++) {
        if (blocks[at].block == block) {
            blocks[at].block = GONE;
            break;
        }
        at = (at + 1) & (BLOCKS - 1);
    }
    blocks_leave();
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return fails(CALL_malloc) ? NULL : block_add(__libc_malloc(size), CALLER);
}

void *calloc(size_t n, size_t size)
{
    return fails(CALL_calloc) ? NULL : block_add(__libc_calloc(n, size), CALLER);
}

void *realloc(void *old, size_t size)
{
    void *block;

    if (fails(CALL_realloc)) return NULL;
    block_remove(old); /* before another thread can get it */
    block = __libc_realloc(old, size);
    if (!block && size) block_add(old, CALLER); /* it stays */
    return block_add(block, CALLER);
}

void free(void *block)
{
    block_remove(block);
    __libc_free(block);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *memory;

    if (fails(CALL_mmap)) return MAP_FAILED;
    memory = (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    if (memory != MAP_FAILED && is_own(CALLER))
        __atomic_add_fetch(&own_mapped, (long)size, __ATOMIC_RELAXED);
    return memory;
}

int munmap(void *at, size_t size)
{
    int rc = (int)syscall(SYS_munmap, at, size);

    /* Of a failure the program can make nothing. */
    if (is_own(CALLER)) __atomic_sub_fetch(&own_mapped, (long)size, __ATOMIC_RELAXED);
    return rc;
}

int pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg)
{
    int err = strike(CALL_pthread_create);

    return err > 0 ? err : REAL(pthread_create)(out, attributes, fn, arg);
}

FILE *fopen(const char *path, const char *mode)
{
    return fails(CALL_fopen) ? NULL : REAL(fopen)(path, mode);
}

/* ---- Bytes ---- */

int close(int fd)
{
    int err = strike(CALL_close), rc = (int)syscall(SYS_close, fd);

    if (rc < 0 || err <= 0) return rc;
    errno = err;
    return -1;
}

/* What has no type (an eventfd) and what has records is never cut. */
static bool is_stream(int fd)
{
    struct stat status;
    int type = 0;
    socklen_t size = sizeof type;

    if (fstat(fd, &status) < 0 || !(status.st_mode & S_IFMT)) return false;
    if (!S_ISSOCK(status.st_mode)) return true;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* The length for this call; -1: it fails. */
static ssize_t allowed(int call, int fd, size_t len)
{
    int before = errno, err = strike(call);

    if (err > 0) {
        errno = err;
        return -1;
    }
    if (err == SHORTER && len > 1 && is_stream(fd)) len = (len + 1) / 2;
    errno = before;
    return (ssize_t)len;
}

#define MOVE(name, call, buffer, last)             \
    ssize_t name(int fd, buffer, size_t len last)  \
    {                                              \
        ssize_t n = allowed(CALL_##name, fd, len); \
        return n < 0 ? -1 : call;                  \
    }

MOVE(read, syscall(SYS_read, fd, buf, n), void *buf, )
MOVE(write, syscall(SYS_write, fd, buf, n), const void *buf, )

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t n = allowed(CALL_recv, fd, len);

    return n < 0 ? -1 : syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t n = allowed(CALL_send, fd, len);

    return n < 0 ? -1 : syscall(SYS_sendto, fd, buf, n, flags, NULL, 0);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t len)
{
    ssize_t n = allowed(CALL_sendfile, out, len);

    return n < 0 ? -1 : syscall(SYS_sendfile, out, in, offset, n);
}

/* So many bytes of the first part are left, and no other part. */
static ssize_t first_part(int call, int fd, const struct iovec *iov, int *n, struct iovec *part)
{
    ssize_t len = *n > 0 ? allowed(call, fd, iov->iov_len) : 0;

    if (len < 0) return -1;
    if (*n > 0 && (size_t)len != iov->iov_len) {
        *part = (struct iovec){iov->iov_base, (size_t)len};
        *n = 1;
        return 1;
    }
    return 0;
}

#define MOVE_PARTS(name, parameters, ...)                          \
    ssize_t name parameters                                        \
    {                                                              \
        struct iovec part;                                         \
        ssize_t cut = first_part(CALL_##name, fd, iov, &n, &part); \
        if (cut < 0) return -1;                                    \
        if (cut) iov = &part;                                      \
        return syscall(SYS_##name, fd, iov, n __VA_ARGS__);        \
    }

MOVE_PARTS(readv, (int fd, const struct iovec *iov, int n))
MOVE_PARTS(writev, (int fd, const struct iovec *iov, int n))
MOVE_PARTS(preadv2, (int fd, const struct iovec *iov, int n, off_t offset, int flags), , offset, 0L,
           flags)
MOVE_PARTS(pwritev2, (int fd, const struct iovec *iov, int n, off_t offset, int flags), , offset,
           0L, flags)

/* ---- System calls denied ---- */

/* Newer processors have only their successors; no call has this number. */
#ifndef SYS_epoll_wait
#define SYS_epoll_wait -1
#endif
#ifndef SYS_poll
#define SYS_poll -1
#endif
#ifndef SYS_vfork
#define SYS_vfork -1
#endif

#define NUMBER(name) {#name, SYS_##name},
static const struct {
    const char *name;
    int number;
} denied[] = {
    NUMBER(accept4) NUMBER(bind) NUMBER(clone) NUMBER(clone3) NUMBER(close_range) NUMBER(connect)
        NUMBER(copy_file_range) NUMBER(epoll_create1) NUMBER(epoll_ctl) NUMBER(epoll_pwait) NUMBER(
            epoll_pwait2) NUMBER(epoll_wait) NUMBER(eventfd2) NUMBER(execve) NUMBER(fcntl)
            NUMBER(getdents64) NUMBER(getpeername) NUMBER(getrandom) NUMBER(getsockname) NUMBER(
                getsockopt) NUMBER(ioctl) NUMBER(kill) NUMBER(listen) NUMBER(lseek) NUMBER(madvise)
                NUMBER(membarrier) NUMBER(memfd_create) NUMBER(mprotect) NUMBER(newfstatat)
                    NUMBER(openat) NUMBER(pidfd_open) NUMBER(pidfd_send_signal) NUMBER(pipe2)
                        NUMBER(poll) NUMBER(ppoll) NUMBER(prctl) NUMBER(preadv2) NUMBER(prlimit64)
                            NUMBER(process_madvise) NUMBER(pwritev2) NUMBER(readv) NUMBER(recvfrom)
                                NUMBER(recvmsg) NUMBER(rt_sigaction) NUMBER(rt_sigpending)
                                    NUMBER(rt_sigprocmask) NUMBER(rt_sigtimedwait)
                                        NUMBER(sched_getaffinity) NUMBER(sendfile) NUMBER(sendmsg)
                                            NUMBER(sendto) NUMBER(setpgid) NUMBER(setsockopt)
                                                NUMBER(shutdown) NUMBER(socket) NUMBER(socketpair)
                                                    NUMBER(splice) NUMBER(statx) NUMBER(tgkill)
                                                        NUMBER(timerfd_create) NUMBER(vfork)
                                                            NUMBER(wait4) NUMBER(waitid)
                                                                NUMBER(writev)};

static int number_of(const char *name)
{
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
        if (!strcmp(denied[i].name, name)) return denied[i].number;
    fprintf(stderr, "outside: preload.c does not know %s\n", name);
    _exit(99);
}

static void deny(int number, int err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};

    if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
        fprintf(stderr, "outside: no filter: %s\n", strerror(errno));
        _exit(99);
    }
}

/* prctl itself may be among them: a later filter would not get in, so it is the last. */
static void deny_all(char *text)
{
    char *rest, *last = NULL;

    for (char *entry = strtok_r(text, ",", &rest); entry; entry = strtok_r(NULL, ",", &rest)) {
        char *err = strchr(entry, ':');

        *err++ = '\0';
        if (!strcmp(entry, "prctl"))
            last = err;
        else
            deny(number_of(entry), atoi(err));
    }
    if (last) deny(SYS_prctl, atoi(last));
}

/* ---- Begin and end ---- */

static void read_order(char *text)
{
    char *rest, *name = strtok_r(text, ":", &rest), *err = strtok_r(NULL, ":", &rest);

    for (int i = 0; i < CALL_COUNT; i++)
        if (!strcmp(call_names[i], name)) order.call = i;
    order.err = atoi(err);
    order.from = atol(rest);
    order.on = strchr(rest, '+') != NULL;
}

static bool is_open(int fd)
{
    return syscall(SYS_fcntl, fd, 1 /* F_GETFD */) >= 0;
}

static char *take(const char *name)
{
    char *value = getenv(name);

    value = value ? strdup(value) : NULL;
    unsetenv(name);
    return value;
}

/* What the program finds and has to leave. */
struct signals {
    sigset_t blocked;
    void *handlers[NSIG];
};
static struct signals signals_before;

static void read_signals(struct signals *out)
{
    struct sigaction action;

    sigprocmask(SIG_SETMASK, NULL, &out->blocked);
    for (int number = 1; number < NSIG; number++)
        if (!sigaction(number, NULL, &action)) out->handlers[number] = (void *)action.sa_handler;
}

static long maps_limit(void)
{
    FILE *file = REAL(fopen)("/proc/sys/vm/max_map_count", "r");
    long limit = 0;

    if (!file || fscanf(file, "%ld", &limit) != 1 || limit > 1 << 20) {
        fprintf(stderr, "outside: vm.max_map_count is not to be had\n");
        _exit(99);
    }
    fclose(file);
    return limit;
}

/* Every second page of a reservation gets other rights, so that each is a mapping of its own; some
 * of the last ones are given up again. */
static void use_up_maps(long left)
{
    long limit = maps_limit(), page = sysconf(_SC_PAGESIZE), n = 0;
    char *memory = (char *)syscall(SYS_mmap, NULL, (limit + 2) * page, PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    while (n < limit && !syscall(SYS_mprotect, memory + n * page, page, PROT_READ)) n += 2;
    for (; n > 0 && left > 0; left -= 2)
        syscall(SYS_mprotect, memory + (n -= 2) * page, page, PROT_NONE);
}

__attribute__((constructor)) static void begin(void)
{
    char *given = take("OUTSIDE_ORDER"), *refused = take("OUTSIDE_DENY");
    char *maps = take("OUTSIDE_MAPS");

    counts_file = take("OUTSIDE_COUNTS");
    orphans = take("OUTSIDE_ORPHANS") != NULL;
    unsetenv("LD_PRELOAD");
    owner = getpid();
    dl_iterate_phdr(find_own, NULL);
    read_signals(&signals_before);
    for (int fd = 0; fd < MOST_FDS; fd++) inherited[fd] = fd < 1024 && is_open(fd);
    if (given) read_order(given);
    if (refused) deny_all(refused);
    if (maps) use_up_maps(atol(maps));
    syscall(SYS_close, -1); /* the mark in a trace: from here on it is the program's */
    __atomic_store_n(&begun, true, __ATOMIC_RELEASE);
}

static void say(const char *format, ...)
{
    char line[128];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    syscall(SYS_write, 2, line, len);
}

static void write_counts(void)
{
    FILE *out = REAL(fopen)(counts_file, "w");

    if (!out) return;
    for (int i = 0; i < CALL_COUNT; i++) fprintf(out, "%s %ld\n", call_names[i], counts[i]);
    fclose(out);
}

static int threads(void)
{
    DIR *list = opendir("/proc/self/task");
    int n = 0;

    if (!list) return 1;
    while (readdir(list)) n++;
    closedir(list);
    return n - 2;
}

/* A thread that has been joined may stay in the list for a moment. */
static int threads_left(void)
{
    int n = threads();

    for (int i = 0; i < 100 && n > 1; i++) {
        usleep(1000);
        n = threads();
    }
    return n - 1;
}

static bool child_left(void)
{
    siginfo_t info = {0};

    return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

static void say_what_is_left_of_signals(void)
{
    struct signals now = {0};

    read_signals(&now);
    for (int number = 1; number < NSIG; number++) {
        if (now.handlers[number] != signals_before.handlers[number])
            say("outside: signal %d has another handler than before\n", number);
        if (sigismember(&now.blocked, number) != sigismember(&signals_before.blocked, number))
            say("outside: signal %d is blocked as it was not before\n", number);
    }
}

static void say_what_is_left_of_memory(void)
{
    const void *first = NULL;
    long n = 0;

    for (size_t i = 0; i < BLOCKS; i++) {
        if (!blocks[i].block || blocks[i].block == GONE) continue;
        if (!n++) first = blocks[i].caller;
    }
    if (n && !blocks_full)
        say("outside: %ld blocks of memory are left: by +0x%lx\n", n,
            (unsigned long)((uintptr_t)first - own_base));
    if (own_mapped) say("outside: %ld bytes are left mapped\n", own_mapped);
}

__attribute__((destructor)) static void end(void)
{
    begun = false;
    if (getpid() != owner) return;
    syscall(SYS_close, -1);
    for (int fd = 3; fd < 1024; fd++)
        if (!inherited[fd] && is_open(fd)) say("outside: descriptor %d is left open\n", fd);
    if (threads_left() > 0) say("outside: %d threads are left\n", threads_left());
    if (!orphans && child_left()) say("outside: a child was not reaped\n");
    say_what_is_left_of_memory();
    say_what_is_left_of_signals();
    if (counts_file) write_counts();
}

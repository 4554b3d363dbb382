#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/program.h"
#include "base/sys_other.h"

#ifdef NIDOI_KQUEUE
#include <sys/event.h>
#else
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#endif

enum { NANO = 1000000000 };

/* The result of an expression that sets errno, retried on EINTR. */
#define CALL(type, expression)            \
    type result;                          \
    do result = (expression);             \
    while (result < 0 && errno == EINTR); \
    return result < 0 ? -errno : result

/* After a call that a kernel may be too old for: filters of system calls (seccomp, as containers set
 * them) answer EPERM where a kernel without the call says ENOSYS. */
static bool lacks_call(void)
{
    return errno == ENOSYS || errno == EPERM;
}

/* A descriptor that nido makes is never 0, 1 or 2, whatever of them the program has closed: what it
 * prints or reads there must not meet ours. */
static int above_stdio(int fd)
{
    int moved, err;

    if (fd < 0 || fd > STDERR_FILENO) return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    err = errno;
    close(fd);
    errno = err;
    return moved;
}

static int pair_above_stdio(int err, int *fds)
{
    if (err < 0) return err;
    fds[0] = above_stdio(fds[0]);
    fds[1] = above_stdio(fds[1]);
    if (fds[0] >= 0 && fds[1] >= 0) return 0;
    err = errno;
    close(fds[fds[0] < 0]);
    errno = err;
    return -1;
}

static ssize_t sys_read(int fd, void *buf, size_t len)
{
    CALL(ssize_t, read(fd, buf, len));
}

static ssize_t sys_readv(int fd, const struct iovec *iov, int n)
{
    CALL(ssize_t, readv(fd, iov, n));
}

/* SIGPIPE of a write to a pipe is blocked around the call and, if the call raised one, taken back:
 * the handler of the process is never touched. Sockets do not come here, they have MSG_NOSIGNAL. */
struct quiet {
    sigset_t before;
    bool pending; /* one was pending before us: it is not ours to take */
};

static void pipe_signal(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

static void hush(struct quiet *quiet)
{
    sigset_t set;

    pipe_signal(&set);
    pthread_sigmask(SIG_BLOCK, &set, &quiet->before);
    quiet->pending =
        sigismember(&quiet->before, SIGPIPE) && sigpending(&set) == 0 && sigismember(&set, SIGPIPE);
}

static void unhush(struct quiet *quiet, bool broken)
{
    sigset_t set;

    pipe_signal(&set);
    if (broken && !quiet->pending) take_signal(&set);
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

static ssize_t quietly(ssize_t (*call)(int, const void *, size_t), int fd, const void *buf,
                       size_t len)
{
    struct quiet quiet;
    ssize_t n;

    hush(&quiet);
    do n = call(fd, buf, len);
    while (n < 0 && errno == EINTR);
    if (n < 0) n = -errno;
    unhush(&quiet, n == -EPIPE);
    return n;
}

static ssize_t sys_write(int fd, const void *buf, size_t len)
{
    return quietly(write, fd, buf, len);
}

static ssize_t plain_writev(int fd, const void *iov, size_t n)
{
    return writev(fd, iov, (int)n);
}

static ssize_t sys_writev(int fd, const struct iovec *iov, int n)
{
    return n < 0 ? -EINVAL : quietly(plain_writev, fd, iov, (size_t)n);
}

static ssize_t sys_recv(int fd, void *buf, size_t len, int flags)
{
    CALL(ssize_t, recv(fd, buf, len, flags));
}

static ssize_t sys_send(int fd, const void *buf, size_t len, int flags)
{
    CALL(ssize_t, send(fd, buf, len, flags | MSG_NOSIGNAL));
}

static ssize_t sys_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                            socklen_t *length)
{
    CALL(ssize_t, recvfrom(fd, buf, len, flags, from, length));
}

static ssize_t sys_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                          socklen_t length)
{
    CALL(ssize_t, sendto(fd, buf, len, flags | MSG_NOSIGNAL, to, length));
}

static ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags)
{
    CALL(ssize_t, receive(fd, message, flags));
}

static ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
    CALL(ssize_t, sendmsg(fd, message, flags | MSG_NOSIGNAL));
}

static int sys_open(const char *path, int flags, unsigned mode)
{
    CALL(int, above_stdio(open(path, flags | O_CLOEXEC, (mode_t)mode)));
}

static ssize_t sys_preadv(int fd, const struct iovec *iov, int n, int64_t offset)
{
    if (offset < 0) return sys_readv(fd, iov, n);
    CALL(ssize_t, preadv(fd, iov, n, (off_t)offset));
}

static ssize_t sys_preadv_now(int fd, const struct iovec *iov, int n, int64_t offset)
{
#ifdef RWF_NOWAIT
    ssize_t got;

    do got = preadv2(fd, iov, n, offset < 0 ? -1 : (off_t)offset, RWF_NOWAIT);
    while (got < 0 && errno == EINTR);
    if (got >= 0) return got;
    return lacks_call() ? -EOPNOTSUPP : -errno;
#else
    (void)fd, (void)iov, (void)n, (void)offset;
    return -EOPNOTSUPP;
#endif
}

#ifdef RWF_NOWAIT
static ssize_t plain_writev_now(int fd, const void *iov, size_t n)
{
    return pwritev2(fd, iov, (int)n, -1, RWF_NOWAIT);
}
#endif

static ssize_t sys_pwritev_now(int fd, const struct iovec *iov, int n)
{
#ifdef RWF_NOWAIT
    return quietly(plain_writev_now, fd, iov, (size_t)n);
#else
    (void)fd, (void)iov, (void)n;
    return -EOPNOTSUPP;
#endif
}

static ssize_t sys_readv_once(int fd, const struct iovec *iov, int n)
{
    ssize_t got = readv(fd, iov, n);

    return got < 0 ? -errno : got;
}

static ssize_t sys_writev_once(int fd, const struct iovec *iov, int n)
{
    struct quiet quiet;
    ssize_t put;

    hush(&quiet);
    put = writev(fd, iov, n);
    if (put < 0) put = -errno;
    unhush(&quiet, put == -EPIPE);
    return put;
}

static ssize_t sys_pwritev(int fd, const struct iovec *iov, int n, int64_t offset)
{
    if (offset < 0) return sys_writev(fd, iov, n);
    CALL(ssize_t, pwritev(fd, iov, n, (off_t)offset));
}

static int sys_fsync(int fd)
{
    CALL(int, fsync(fd));
}

static int sys_fdatasync(int fd)
{
#ifdef __APPLE__
    CALL(int, fsync(fd));
#else
    CALL(int, fdatasync(fd));
#endif
}

static int sys_stat(const char *path, struct stat *out)
{
    CALL(int, stat(path, out));
}

static int sys_lstat(const char *path, struct stat *out)
{
    CALL(int, lstat(path, out));
}

static int sys_fstat(int fd, struct stat *out)
{
    CALL(int, fstat(fd, out));
}

static int sys_opendir(const char *path, DIR **out)
{
    int fd = sys_open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0), err;

    if (fd < 0) return fd;
    *out = fdopendir(fd);
    if (*out) return 0;
    err = -errno;
    close(fd);
    return err;
}

static int sys_readdir(DIR *dir, struct dirent **out)
{
    errno = 0;
    *out = readdir(dir);
    return *out ? 0 : -errno;
}

static int sys_closedir(DIR *dir)
{
    CALL(int, closedir(dir));
}

struct file_span {
    int in;
    off_t offset;
};

static ssize_t plain_sendfile(int out, const void *span, size_t len)
{
    const struct file_span *file = span;

    return send_file(out, file->in, file->offset, len);
}

static ssize_t sys_sendfile(int out, int in, int64_t *offset, size_t len)
{
    struct file_span span = {in, (off_t)*offset};
    ssize_t n = quietly(plain_sendfile, out, &span, len);

    if (n > 0) *offset += n;
    return n;
}

static int sys_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    CALL(int, above_stdio(new_accepted(fd, address, length)));
}

static int sys_accept_once(int fd, struct sockaddr *address, socklen_t *length)
{
    int accepted = new_accepted(fd, address, length);

    return accepted < 0 ? -errno : accepted;
}

/* Not retried: after EINTR the attempt goes on by itself, as after EINPROGRESS. */
static int sys_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    if (connect(fd, address, length) == 0) return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

static int sys_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    CALL(int, bind(fd, address, length));
}

static int sys_listen(int fd, int backlog)
{
    CALL(int, listen(fd, backlog));
}

static int sys_socket(int domain, int type, int protocol)
{
    CALL(int, above_stdio(new_socket(domain, type, protocol)));
}

static int sys_socketpair(int domain, int type, int protocol, int *out)
{
    CALL(int, pair_above_stdio(new_socketpair(domain, type, protocol, out), out));
}

static int sys_getsockopt(int fd, int level, int name, int *value)
{
    socklen_t length = sizeof *value;
    CALL(int, getsockopt(fd, level, name, value, &length));
}

static int sys_setsockopt(int fd, int level, int name, int value)
{
    CALL(int, setsockopt(fd, level, name, &value, sizeof value));
}

static int errno_of(int why)
{
    switch (why) {
    case EAI_AGAIN:
        return -EHOSTUNREACH;
    case EAI_FAIL:
        return -EIO;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return errno ? -errno : -EIO;
    case EAI_BADFLAGS:
    case EAI_FAMILY:
    case EAI_SOCKTYPE:
        return -EINVAL;
    default:
        return -ENOENT;
    }
}

static int sys_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                           struct addrinfo **out, int *why)
{
    *why = getaddrinfo(host, service, hints, out);
    if (*why) *out = NULL;
    return *why ? errno_of(*why) : 0;
}

static int sys_pipe(int *out)
{
    CALL(int, pair_above_stdio(new_pipe(out), out));
}

/* 1 if it was so already. */
static int sys_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0) return -errno;
    if (!(flags & O_NONBLOCK) == !on) return 1;
    return fcntl(fd, F_SETFL, flags ^ O_NONBLOCK) < 0 ? -errno : 0;
}

static int sys_blocks(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? 0 : !(flags & O_NONBLOCK); /* the call itself tells what is wrong */
}

static int sys_reopen(int fd, bool writing)
{
    int own = own_description(fd, (writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);

    return own < 0 && errno != ENXIO ? -EOPNOTSUPP : own < 0 ? -ENXIO : own;
}

/* Only what SO_LINGER waits for at the close is given up: the kernel goes on delivering. A time of 0
 * means to reset the connection, and waits for nothing. */
static int sys_hurry(int fd)
{
    struct linger linger = {0};
    socklen_t length = sizeof linger;

    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) < 0) return -errno;
    if (!linger.l_onoff || !linger.l_linger) return 0;
    linger.l_onoff = 0;
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}

static int sys_mode(int fd)
{
    struct stat status;

    return fstat(fd, &status) < 0 ? -errno : (int)status.st_mode;
}

static int sys_family(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;

    if (getsockname(fd, (void *)&address, &length) == 0) return address.ss_family;
    return errno == EINVAL ? AF_UNSPEC : -errno; /* elsewhere a reset socket has no name any more */
}

static int sys_unconfirmed(int fd)
{
#ifdef __linux__
    int n = 0;

    return ioctl(fd, TIOCOUTQ, &n) < 0 ? -errno : n;
#else
    (void)fd;
    return -ENOTSUP;
#endif
}

static int sys_ends(int fd, struct sockaddr_storage *own, struct sockaddr_storage *peer)
{
    socklen_t own_length = sizeof *own, peer_length = sizeof *peer;

    memset(own, 0, sizeof *own);
    memset(peer, 0, sizeof *peer);
    if (getsockname(fd, (void *)own, &own_length) < 0) return -errno;
    return getpeername(fd, (void *)peer, &peer_length) < 0 ? -errno : 0;
}

/* Not retried: after EINTR the number is free on every system we know. */
static int sys_close(int fd)
{
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

static int sys_dup(int fd, int least)
{
    CALL(int, fcntl(fd, F_DUPFD_CLOEXEC, least));
}

static int sys_poll(struct pollfd *fds, size_t n, int milliseconds)
{
    int ready = poll(fds, (nfds_t)n, milliseconds);

    return ready < 0 ? -errno : ready;
}

static int sys_map(size_t size, void **out)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

    if (memory == MAP_FAILED) return -errno;
    *out = memory;
    return 0;
}

static int sys_unmap(void *memory, size_t size)
{
    return munmap(memory, size) < 0 ? -errno : 0;
}

static int sys_protect_none(void *memory, size_t size)
{
    return mprotect(memory, size, PROT_NONE) < 0 ? -errno : 0;
}

static int sys_guard(const struct iovec *pages, int n)
{
    if (guard_pages(pages, n) == 0) return 0;
    return lacks_call() ? -EINVAL : -errno;
}

static int sys_give_back(void *memory, size_t size)
{
    return madvise(memory, size, UNUSED_MEMORY) < 0 ? -errno : 0;
}

/* ---- Processes ---- */

/* Not retried: it is not interrupted. */
static int sys_fork(void)
{
    pid_t pid = fork();

    return pid < 0 ? -errno : pid;
}

static int sys_fork_unseen(void)
{
    CALL(int, fork_without_signal());
}

static int sys_adopts_orphans(void)
{
    return getpid() == 1 || is_subreaper();
}

static int sys_adopt_orphans(void)
{
    CALL(int, become_subreaper());
}

static int sys_list_children(int *pids, int most)
{
    CALL(int, list_children(pids, most));
}

static int sys_no_new_privs(void)
{
    CALL(int, forbid_new_rights());
}

static int sys_ended_child(void)
{
    siginfo_t info = {0};
    int options = WEXITED | WNOHANG | WNOWAIT | NIDOI_EVERY_CHILD;

    return waitid(P_ALL, 0, &info, options) < 0 ? -errno : info.si_pid;
}

static int sys_stopped_child(int *pid)
{
    siginfo_t info = {0};
    int options = WSTOPPED | WNOHANG | NIDOI_EVERY_CHILD;

    if (waitid(P_ALL, 0, &info, options) < 0) return -errno;
    *pid = info.si_pid;
    return info.si_pid ? info.si_code : 0;
}

static int sys_reap(int pid, int *status)
{
    CALL(int, waitpid(pid, status, NIDOI_EVERY_CHILD));
}

static int sys_await_child(void)
{
    CALL(int, waitpid(-1, NULL, NIDOI_EVERY_CHILD));
}

static int sys_lead_group(int pid)
{
    return setpgid(pid, pid) < 0 ? -errno : 0;
}

static int sys_process_fd(int pid)
{
    int fd = above_stdio(open_process(pid));

    if (fd >= 0) return fd;
    return lacks_call() ? -ENOSYS : -errno;
}

static int sys_follow_parent(int signal)
{
    CALL(int, signal_with_parent(signal));
}

static rlim_t lower(uint64_t value, rlim_t limit)
{
    return (rlim_t)value < limit ? (rlim_t)value : limit;
}

static int sys_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) < 0) return -errno;
    limit.rlim_max = lower(hard, limit.rlim_max);
    limit.rlim_cur = lower(soft, limit.rlim_max);
    return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int sys_dup2(int fd, int to)
{
    CALL(int, dup2(fd, to));
}

static int sys_close_range(int first, int last)
{
    close_from_to(first, last);
    return 0;
}

#ifdef NIDOI_KQUEUE

static int sys_kqueue(void)
{
    int kq = kqueue(), low;

    if (kq < 0) return -errno;
    fcntl(kq, F_SETFD, FD_CLOEXEC); /* cannot fail: it is open */
    if (kq > STDERR_FILENO) return kq;
    low = kq; /* not every system can give it another number: it is held while the next is made */
    kq = sys_kqueue();
    close(low);
    return kq;
}

static int sys_kevent_change(int kq, const struct kevent *change)
{
    CALL(int, kevent(kq, change, 1, NULL, 0, NULL));
}

static int sys_kevent_wait(int kq, struct kevent *events, int n, int64_t ns)
{
    struct timespec limit = {(time_t)(ns / NANO), (long)(ns % NANO)};
    int ready = kevent(kq, NULL, 0, events, n, ns < 0 ? NULL : &limit);

    return ready < 0 ? -errno : ready;
}

#else

static int sys_epoll_create(void)
{
    CALL(int, above_stdio(epoll_create1(EPOLL_CLOEXEC)));
}

static int sys_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    CALL(int, epoll_ctl(epoll, op, fd, event));
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
    const int64_t limit[2] = {ns / NANO, ns % NANO};

    return (int)syscall(SYS_epoll_pwait2, epoll, events, n, limit, NULL, (size_t)0);
#else
    (void)epoll, (void)events, (void)n, (void)ns;
    errno = ENOSYS;
    return -1;
#endif
}

static int sys_epoll_wait(int epoll, struct epoll_event *events, int n, int64_t ns)
{
    static bool no_pwait2; /* Linux 5.11; all threads find out the same */
    int ready;

    if (ns > 0 && !__atomic_load_n(&no_pwait2, __ATOMIC_RELAXED)) {
        ready = wait_precisely(epoll, events, n, ns);
        if (ready >= 0 || !lacks_call()) return ready < 0 ? -errno : ready;
        __atomic_store_n(&no_pwait2, true, __ATOMIC_RELAXED);
    }
    ready = epoll_wait(epoll, events, n, milliseconds(ns));
    return ready < 0 ? -errno : ready;
}

static int sys_eventfd(void)
{
    CALL(int, above_stdio(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)));
}

/* Unlike other writes this one needs no care for SIGPIPE. A counter that is full says so, and wakes
 * all the same. Not by write(2), at which pthread_cancel could end the thread half-way. */
static int sys_ring(int fd)
{
    uint64_t one = 1;
    CALL(int, (int)syscall(SYS_write, fd, &one, sizeof one));
}

static int sys_pidfd_send_signal(int fd, int signal)
{
#ifdef SYS_pidfd_send_signal
    CALL(int, (int)syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0));
#else
    (void)fd, (void)signal;
    return -ENOSYS;
#endif
}
#endif

static int sys_sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    CALL(int, sigaction(number, action, before));
}

static int sys_thread(pthread_t *out, void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(out, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

static int sys_spawn(const struct nidoi_program *program, int *pid)
{
    return nidoi_program_start(program, pid);
}

static int sys_waitid(int type, int id, siginfo_t *out, int options)
{
    CALL(int, waitid((idtype_t)type, (id_t)id, out, options));
}

static int sys_kill(int pid, int signal)
{
    CALL(int, kill(pid, signal));
}

#define ENTRY(result, name, parameters, arguments) .name = sys_##name,
struct nidoi_sys nidoi_sys = {NIDOI_SYSCALLS(ENTRY)};

int64_t nidoi_sys_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANO + now.tv_nsec;
}

int64_t nidoi_sys_now_coarse(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec now;

    if (!clock_gettime(CLOCK_MONOTONIC_COARSE, &now))
        return (int64_t)now.tv_sec * NANO + now.tv_nsec;
#endif
    return nidoi_sys_now();
}

size_t nidoi_sys_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void nidoi_sys_cond_init(pthread_cond_t *cond)
{
#ifdef __APPLE__
    pthread_cond_init(cond, NULL);
#else
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
#endif
}

int nidoi_sys_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ns)
{
#ifdef __APPLE__
    struct timespec limit = {ns / NANO, ns % NANO};

    return -pthread_cond_timedwait_relative_np(cond, lock, &limit);
#else
    int64_t end = nidoi_time_add(nidoi_sys_now(), ns);
    struct timespec limit = {(time_t)(end / NANO), (long)(end % NANO)};

    return -pthread_cond_timedwait(cond, lock, &limit);
#endif
}

bool nidoi_sys_handled_by(int number, void (*handler)(int))
{
    struct sigaction now;

    return nidoi_sys.sigaction(number, NULL, &now) == 0 && now.sa_handler == handler;
}

void nidoi_sys_give_back(int number, void (*ours)(int), const struct sigaction *before)
{
    if (nidoi_sys_handled_by(number, ours)) nidoi_sys.sigaction(number, before, NULL);
}

int nidoi_sys_defer_cancel(void)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void nidoi_sys_allow_cancel(int before)
{
    int deferred;

    pthread_setcancelstate(before, &deferred);
}

unsigned nidoi_sys_processors(void)
{
    long n = processors();

    return n > 0 ? (unsigned)n : 1;
}

void nidoi_sys_set_name(const char *name)
{
    name_process(name);
}

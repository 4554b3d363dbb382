/* base/sys_other.h: what some systems lack or call otherwise, each behind one name. A part of
 * base/sys.c and base/program.c, kept apart so that the other side of an #if is seen whole. Calls
 * set errno; those for posix_spawn return it, as its own do. */
#ifndef NIDOI_SYS_OTHER_H
#define NIDOI_SYS_OTHER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#include <crt_externs.h>
#endif
#ifdef __linux__
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* then new sockets get SO_NOSIGPIPE */
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* ---- Descriptors that are close-on-exec and do not block from the start ---- */

#ifdef SOCK_CLOEXEC

static inline int new_socket(int domain, int type, int protocol)
{
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static inline int new_socketpair(int domain, int type, int protocol, int *out)
{
    return socketpair(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol, out);
}

static inline int new_accepted(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int new_pipe(int *out)
{
    return pipe2(out, O_NONBLOCK | O_CLOEXEC);
}

#else

/* Not in one step: a program that another thread executes meanwhile inherits the descriptor. */
static inline int prepared(int fd)
{
    int err;

    if (fd < 0 || (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0))
        return fd;
    err = errno;
    close(fd);
    errno = err;
    return -1;
}

static inline int prepared_socket(int fd)
{
#ifdef SO_NOSIGPIPE
    int on = 1;

    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return prepared(fd);
}

static inline int prepared_pair(int *fds, int *out, int (*prepare)(int fd))
{
    if (prepare(fds[0]) < 0) {
        close(fds[1]);
        return -1;
    }
    if (prepare(fds[1]) < 0) {
        close(fds[0]);
        return -1;
    }
    memcpy(out, fds, 2 * sizeof *out);
    return 0;
}

static inline int new_socket(int domain, int type, int protocol)
{
    return prepared_socket(socket(domain, type, protocol));
}

static inline int new_socketpair(int domain, int type, int protocol, int *out)
{
    int fds[2];

    return socketpair(domain, type, protocol, fds) ? -1 : prepared_pair(fds, out, prepared_socket);
}

static inline int new_accepted(int fd, struct sockaddr *address, socklen_t *length)
{
    return prepared_socket(accept(fd, address, length));
}

static inline int new_pipe(int *out)
{
    int fds[2];

    return pipe(fds) ? -1 : prepared_pair(fds, out, prepared);
}

#endif

/* Descriptors that come in a message are close-on-exec too. */
#ifdef MSG_CMSG_CLOEXEC

static inline ssize_t receive(int fd, struct msghdr *message, int flags)
{
    return recvmsg(fd, message, flags | MSG_CMSG_CLOEXEC);
}

#else

static inline void keep_to_us(const struct cmsghdr *part)
{
    size_t size = part->cmsg_len - CMSG_LEN(0);

    for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
        int fd;

        memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

static inline ssize_t receive(int fd, struct msghdr *message, int flags)
{
    ssize_t n = recvmsg(fd, message, flags);
    struct cmsghdr *part = n < 0 ? NULL : CMSG_FIRSTHDR(message);

    for (; part; part = CMSG_NXTHDR(message, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) keep_to_us(part);
    return n;
}

#endif

/* ---- Signals: takes a pending one back, if there is one ---- */

static inline void take_signal(const sigset_t *set)
{
#ifdef __APPLE__
    sigset_t pending;
    int taken;

    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE)) sigwait(set, &taken);
#else
    static const struct timespec now;

    sigtimedwait(set, NULL, &now);
#endif
}

/* ---- Files: bytes sent from `offset` on, or -1 ---- */

#ifdef __linux__

static inline ssize_t send_file(int out, int in, off_t offset, size_t len)
{
    return sendfile(out, in, &offset, len);
}

#else

static inline ssize_t send_copy(int out, int in, off_t offset, size_t len)
{
    char bytes[4096];
    ssize_t n = pread(in, bytes, len < sizeof bytes ? len : sizeof bytes, offset);

    return n <= 0 ? n : write(out, bytes, (size_t)n);
}

/* Sends to sockets only, and a length of 0 means all. What went out before an error counts. */
static inline ssize_t send_file(int out, int in, off_t offset, size_t len)
{
    off_t sent = 0;
    int result;

    if (!len) return 0;
#ifdef __APPLE__
    sent = (off_t)len;
    result = sendfile(in, out, offset, &sent, NULL, 0);
    if (result && errno != EAGAIN && errno != EINTR) sent = 0;
#elif defined(__FreeBSD__) || defined(__DragonFly__)
    result = sendfile(in, out, offset, len, NULL, &sent, 0);
#else
    result = -1;
    errno = ENOTSOCK;
#endif
    if (result && (errno == ENOTSOCK || errno == ENOTSUP || errno == EOPNOTSUPP))
        return send_copy(out, in, offset, len);
    return result && !sent ? -1 : (ssize_t)sent;
}

#endif

/* ---- Memory ---- */

#ifdef __linux__

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

/* All in one call where the kernel lets a process advise itself so (Linux 6.14), else one by one. */
static inline bool guarded_at_once(const struct iovec *pages, int n)
{
#ifdef SYS_process_madvise
    enum { SELF = -10000 }; /* PIDFD_SELF */
    size_t size = 0;

    for (int i = 0; i < n; i++) size += pages[i].iov_len;
    return syscall(SYS_process_madvise, SELF, pages, n, MADV_GUARD_INSTALL, 0) == (long)size;
#else
    (void)pages, (void)n;
    return false;
#endif
}

static inline int guard_pages(const struct iovec *pages, int n)
{
    if (guarded_at_once(pages, n)) return 0;
    for (int i = 0; i < n; i++)
        if (madvise(pages[i].iov_base, pages[i].iov_len, MADV_GUARD_INSTALL) < 0) return -1;
    return 0;
}

enum { UNUSED_MEMORY = MADV_DONTNEED };

#else

static inline int guard_pages(const struct iovec *pages, int n)
{
    (void)pages, (void)n;
    errno = EINVAL;
    return -1;
}

/* Elsewhere MADV_DONTNEED only says that the pages will not be read soon. */
enum { UNUSED_MEMORY = MADV_FREE };

#endif

/* ---- Processes ---- */

/* A descriptor that can be read when the process ends, or -1. */
static inline int open_process(int pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    errno = ENOSYS;
    return -1;
#endif
}

#ifdef __linux__

/* False: there is no list. A limit says little: it may be huge, or lower than what is open. */
static inline bool close_listed(int first, int last)
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

static inline bool close_listed(int first, int last)
{
    (void)first, (void)last;
    return false;
}

#endif

static inline void close_from_to(int first, int last)
{
    long most = sysconf(_SC_OPEN_MAX);

#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, last, 0) == 0) return;
#endif
    if (close_listed(first, last)) return;
    for (int fd = first; fd <= last && fd < most; fd++) close(fd);
}

/* ---- Programs that are started: they inherit the standard streams and nothing else ---- */

#ifdef __APPLE__

/* Inherited is what the actions name; to name what is closed is an error. */
enum { SPAWN_INHERITS_NAMED = POSIX_SPAWN_CLOEXEC_DEFAULT };

static inline int inherit_stream(posix_spawn_file_actions_t *actions, int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? 0 : posix_spawn_file_actions_addinherit_np(actions, fd);
}

static inline int close_from(posix_spawn_file_actions_t *actions, int fd)
{
    (void)actions, (void)fd;
    return 0;
}

static inline int start_in(posix_spawn_file_actions_t *actions, const char *directory)
{
    return posix_spawn_file_actions_addchdir_np(actions, directory);
}

/* Shared libraries have no `environ` there. */
static inline char **environment(void)
{
    return *_NSGetEnviron();
}

#else

extern char **environ;

enum { SPAWN_INHERITS_NAMED = 0 };

static inline int inherit_stream(posix_spawn_file_actions_t *actions, int fd)
{
    (void)actions, (void)fd;
    return 0;
}

#ifdef NIDOI_NO_SPAWN_CLOSEFROM

/* musl, and glibc before 2.34: what is open now is closed by number. What another thread opens
 * meanwhile without O_CLOEXEC is inherited. */
static inline int close_from(posix_spawn_file_actions_t *actions, int least)
{
    DIR *table = opendir("/proc/self/fd");
    struct dirent *entry;
    int err = 0;

    if (!table) return errno;
    while (!err && (entry = readdir(table)) != NULL) {
        int fd = atoi(entry->d_name); /* 0: not a number */

        if (fd >= least && fd != dirfd(table)) err = posix_spawn_file_actions_addclose(actions, fd);
    }
    closedir(table);
    return err;
}

#else

/* glibc 2.34, FreeBSD 13.1 */
static inline int close_from(posix_spawn_file_actions_t *actions, int fd)
{
    return posix_spawn_file_actions_addclosefrom_np(actions, fd);
}

#endif

/* glibc 2.29, musl 1.1.24 */
static inline int start_in(posix_spawn_file_actions_t *actions, const char *directory)
{
#ifdef NIDOI_NO_SPAWN_CHDIR
    (void)actions, (void)directory;
    return EOPNOTSUPP;
#else
    return posix_spawn_file_actions_addchdir_np(actions, directory);
#endif
}

static inline char **environment(void)
{
    return environ;
}

#endif

#ifdef __linux__

static inline int signal_with_parent(int signal)
{
    return prctl(PR_SET_PDEATHSIG, signal);
}

/* No flag, no stack, no signal at its end. The C library does not notice, so what it knows of the
 * thread is the parent's number. */
static inline int fork_without_signal(void)
{
    return (int)syscall(SYS_clone, 0, 0, 0, 0, 0);
}

static inline bool is_subreaper(void)
{
    int adopts = 0;

    return prctl(PR_GET_CHILD_SUBREAPER, &adopts) == 0 && adopts;
}

static inline int become_subreaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static inline int list_children(int *pids, int most)
{
    FILE *list = fopen("/proc/thread-self/children", "re");
    int count = 0;

    if (!list) return -1;
    while (count < most && fscanf(list, "%d", &pids[count]) == 1) count++;
    fclose(list);
    return count;
}

static inline int forbid_new_rights(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static inline void name_process(const char *name)
{
    prctl(PR_SET_NAME, name);
}

/* -1: the set is too small for this kernel, or there is no memory for one of that size. */
static inline long processors_of(int most)
{
    size_t size = CPU_ALLOC_SIZE(most);
    cpu_set_t *set = CPU_ALLOC(most);
    long n = -1;

    if (set && sched_getaffinity(0, size, set) == 0) n = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return n;
}

/* How large its sets are, the kernel says: a cpu_set_t is too small for more than 1024. */
static inline long processors(void)
{
    enum { MOST = 1 << 20 };
    long n = -1;

    for (int most = CPU_SETSIZE; n < 0 && most <= MOST; most *= 4) n = processors_of(most);
    return n > 0 ? n : sysconf(_SC_NPROCESSORS_ONLN);
}

#else

static inline int lacking(void)
{
    errno = ENOSYS;
    return -1;
}

static inline int signal_with_parent(int signal)
{
    (void)signal;
    return lacking();
}

static inline int fork_without_signal(void)
{
    return lacking();
}

static inline bool is_subreaper(void)
{
    return false;
}

static inline int become_subreaper(void)
{
    return lacking();
}

static inline int list_children(int *pids, int most)
{
    (void)pids, (void)most;
    return lacking();
}

static inline int forbid_new_rights(void)
{
    return lacking();
}

static inline void name_process(const char *name)
{
    (void)name;
}

static inline long processors(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN);
}

#endif

/* ---- Another description of an open terminal or pipe ---- */

#ifdef __linux__

/* Opening the master of a pair of pseudo terminals makes another pair; other devices may count who
 * opens them. */
static inline bool can_be_reopened(int fd)
{
    struct stat status;
    unsigned number;

    if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) return true;
    return isatty(fd) && ioctl(fd, TIOCGPTN, &number) < 0;
}

static inline int own_description(int fd, int flags)
{
    char path[32];

    if (!can_be_reopened(fd)) return errno = EOPNOTSUPP, -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_NOCTTY);
}

#else

static inline int own_description(int fd, int flags)
{
    (void)fd, (void)flags;
    return errno = EOPNOTSUPP, -1;
}

#endif

#endif

/* SPDX-License-Identifier: MIT */
/* base/sys.h: every system call of the library goes through one table, so that a test can count
 * calls and make the n-th one fail, be short, or be late.
 *
 * All entries return >= 0 or a negated errno; errno is read behind this table and nowhere else.
 * EINTR is retried, except where the caller needs it (poll and the backend's wait). Descriptors
 * made here are close-on-exec. Differences between systems are hidden here, but for those of the
 * reactor's backends. */
#ifndef NIDOI_SYS_H
#define NIDOI_SYS_H

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

struct addrinfo;
struct nidoi_program;
struct stat;

/* An option of waits: also children whose end raises no SIGCHLD. */
#ifdef __WALL
enum { NIDOI_EVERY_CHILD = __WALL };
#else
enum { NIDOI_EVERY_CHILD = 0 };
#endif

/* X(result, name, (parameters), (arguments)) */
#define NIDOI_SYSCALLS(X)                                                                               \
    X(ssize_t, read, (int fd, void *buf, size_t len), (fd, buf, len))                                   \
    X(ssize_t, readv, (int fd, const struct iovec *iov, int n), (fd, iov, n))                           \
    X(ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len))                            \
    X(ssize_t, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n))                          \
    X(ssize_t, recv, (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags))                 \
    X(ssize_t, send, (int fd, const void *buf, size_t len, int flags), (fd, buf, len, flags))           \
    X(ssize_t, recvfrom,                                                                                \
      (int fd, void *buf, size_t len, int flags, struct sockaddr *from, socklen_t *length),             \
      (fd, buf, len, flags, from, length))                                                              \
    X(ssize_t, sendto,                                                                                  \
      (int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,                       \
       socklen_t length),                                                                               \
      (fd, buf, len, flags, to, length))                                                                \
    X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))              \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))        \
    /* in: a regular file, out: anything; advances *offset */                                           \
    X(ssize_t, sendfile, (int out, int in, int64_t *offset, size_t len), (out, in, offset, len))        \
    /* moves bytes in the kernel; one of the two is a pipe; -ENOSYS where there is no such call */      \
    X(ssize_t, splice, (int in, int out, size_t len), (in, out, len))                                   \
    /* files; offset < 0: at the file's own position */                                                 \
    X(int, open, (const char *path, int flags, unsigned mode), (path, flags, mode))                     \
    X(ssize_t, preadv, (int fd, const struct iovec *iov, int n, int64_t offset),                        \
      (fd, iov, n, offset))                                                                             \
    /* reads without the disk; -EAGAIN: it is needed, -EOPNOTSUPP: not known */                         \
    X(ssize_t, preadv_now, (int fd, const struct iovec *iov, int n, int64_t offset),                    \
      (fd, iov, n, offset))                                                                             \
    /* writes without waiting, at the current position; not for files */                                \
    X(ssize_t, pwritev_now, (int fd, const struct iovec *iov, int n), (fd, iov, n))                     \
    /* a signal ends these three, with -EINTR */                                                        \
    X(ssize_t, readv_once, (int fd, const struct iovec *iov, int n), (fd, iov, n))                      \
    X(ssize_t, writev_once, (int fd, const struct iovec *iov, int n), (fd, iov, n))                     \
    X(int, accept_once, (int fd, struct sockaddr *address, socklen_t *length),                          \
      (fd, address, length))                                                                            \
    X(ssize_t, pwritev, (int fd, const struct iovec *iov, int n, int64_t offset),                       \
      (fd, iov, n, offset))                                                                             \
    X(int, fsync, (int fd), (fd))                                                                       \
    X(int, fdatasync, (int fd), (fd))                                                                   \
    X(int, stat, (const char *path, struct stat *out), (path, out))                                     \
    X(int, lstat, (const char *path, struct stat *out), (path, out))                                    \
    X(int, fstat, (int fd, struct stat *out), (fd, out))                                                \
    X(int, rename, (const char *from, const char *to), (from, to))                                      \
    X(int, unlink, (const char *path), (path))                                                          \
    X(int, opendir, (const char *path, DIR **out), (path, out))                                         \
    /* *out NULL: the end */                                                                            \
    X(int, readdir, (DIR * dir, struct dirent * *out), (dir, out))                                      \
    X(int, closedir, (DIR * dir), (dir))                                                                \
    X(int, accept, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))        \
    X(int, connect, (int fd, const struct sockaddr *address, socklen_t length),                         \
      (fd, address, length))                                                                            \
    X(int, bind, (int fd, const struct sockaddr *address, socklen_t length),                            \
      (fd, address, length))                                                                            \
    X(int, listen, (int fd, int backlog), (fd, backlog))                                                \
    X(int, shutdown, (int fd, int how), (fd, how))                                                      \
    X(int, socket, (int domain, int type, int protocol), (domain, type, protocol))                      \
    X(int, socketpair, (int domain, int type, int protocol, int *out),                                  \
      (domain, type, protocol, out))                                                                    \
    X(int, getsockopt, (int fd, int level, int name, int *value), (fd, level, name, value))             \
    X(int, setsockopt, (int fd, int level, int name, int value), (fd, level, name, value))              \
    /* *why: the resolver's own code if it failed; -ENOENT: there is no such name or service,         \
     * -EHOSTUNREACH: no server could be asked, -EIO: the answer was bad */ \
    X(int, getaddrinfo,                                                                                 \
      (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out,      \
       int *why),                                                                                       \
      (host, service, hints, out, why))                                                                 \
    X(int, pipe, (int *out), (out))                                                                     \
    X(int, nonblock, (int fd, bool on), (fd, on))                                                       \
    /* 1 unless it is non-blocking */                                                                   \
    X(int, blocks, (int fd), (fd))                                                                      \
    /* another description, that does not block, of a terminal or pipe; -EOPNOTSUPP; */                 \
    /* -ENXIO: writing to a pipe that has no reader */                                                  \
    X(int, reopen, (int fd, bool writing), (fd, writing))                                               \
    /* a later close does not wait until sent bytes are delivered (SO_LINGER) */                        \
    X(int, end_linger, (int fd), (fd))                                                                  \
    /* st_mode */                                                                                       \
    X(int, mode, (int fd), (fd))                                                                        \
    /* the address family of a socket; -ENOTSOCK */                                                     \
    X(int, family, (int fd), (fd))                                                                      \
    /* bytes of a TCP socket that its peer has not confirmed; -ENOTSUP: not known here */               \
    X(int, unconfirmed, (int fd), (fd))                                                                 \
    /* the addresses of a connection, rest of the structs zero */                                       \
    X(int, addresses, (int fd, struct sockaddr_storage *own, struct sockaddr_storage *peer),            \
      (fd, own, peer))                                                                                  \
    /* who has connected a Unix socket, or made the pair: its process; -ENOTSUP: not known here */      \
    X(int, peer_process, (int fd), (fd))                                                                \
    /* a Unix socket's number in the kernel, and its peer's; an error: it has none, or the system */    \
    /* does not tell */                                                                                 \
    X(int, unix_inodes, (int fd, uint64_t *own, uint64_t *peer), (fd, own, peer))                       \
    /* O_RDONLY or O_WRONLY, and the pipe's number in the kernel, which both ends have; -ENOTSUP: it */ \
    /* is none, or has a name, or the system does not tell */                                           \
    X(int, pipe_end, (int fd, uint64_t *inode), (fd, inode))                                            \
    X(int, close, (int fd), (fd))                                                                       \
    /* another number for the same description, `least` or above */                                     \
    X(int, dup, (int fd, int least), (fd, least))                                                       \
    X(int, poll, (struct pollfd * fds, size_t n, int milliseconds), (fds, n, milliseconds))             \
    X(int, map, (size_t size, void **out), (size, out))                                                 \
    X(int, unmap, (void *memory, size_t size), (memory, size))                                          \
    X(int, protect_none, (void *memory, size_t size), (memory, size))                                   \
    /* guard pages that cost no mapping; -EINVAL where the kernel has none */                           \
    X(int, guard, (const struct iovec *pages, int n), (pages, n))                                       \
    X(int, release_pages, (void *memory, size_t size), (memory, size))                                  \
    X(int, sigaction, (int number, const struct sigaction *action, struct sigaction *before),           \
      (number, action, before))                                                                         \
    /* with every signal blocked, so that the program's handlers run on its own threads */              \
    X(int, thread, (pthread_t * out, void *(*fn)(void *), void *arg), (out, fn, arg))                   \
    /* stops the calling thread until the program runs */                                               \
    X(int, spawn, (const struct nidoi_program *program, int *pid), (program, pid))                      \
    X(int, waitid, (int type, int id, siginfo_t *out, int options), (type, id, out, options))           \
    /* pid < 0: its group */                                                                            \
    X(int, kill, (int pid, int signal), (pid, signal))                                                  \
    NIDOI_SYSCALLS_PROCESSES(X)                                                                         \
    NIDOI_SYSCALLS_BACKEND(X)

#define NIDOI_SYSCALLS_PROCESSES(X)                                                        \
    /* 0 in the child */                                                                   \
    X(int, fork, (void), ())                                                               \
    /* the same, but its end raises no SIGCHLD and no wait finds it; -ENOSYS */            \
    X(int, fork_unseen, (void), ())                                                        \
    /* 1: orphans among the descendants of this process become its children; 0 */          \
    X(int, adopts_orphans, (void), ())                                                     \
    /* from now on they do; -ENOSYS */                                                     \
    X(int, adopt_orphans, (void), ())                                                      \
    /* the first children of this process, at most so many; -ENOSYS */                     \
    X(int, list_children, (int *pids, int most), (pids, most))                             \
    /* no program that this process executes gains rights; -ENOSYS */                      \
    X(int, no_new_privs, (void), ())                                                       \
    /* a child that has ended and is not reaped yet; 0: there is none now; -ECHILD */      \
    X(int, ended_child, (void), ())                                                        \
    /* a child that has stopped, once for each stop: its si_code; 0: there is none */      \
    X(int, stopped_child, (int *pid), (pid))                                               \
    X(int, reap, (int pid, int *status), (pid, status))                                    \
    /* waits for any to end, and reaps it; -ECHILD: there is none */                       \
    X(int, await_child, (void), ())                                                        \
    /* the process leads a group of its own */                                             \
    X(int, lead_group, (int pid), (pid))                                                   \
    /* a descriptor that can be read when the process ends; -ENOSYS where there is none */ \
    X(int, process_fd, (int pid), (pid))                                                   \
    /* this process gets the signal when its parent ends; -ENOSYS */                       \
    X(int, follow_parent, (int signal), (signal))                                          \
    /* lowers a limit of this process; one that is lower already stays */                  \
    X(int, limit, (int resource, uint64_t soft, uint64_t hard), (resource, soft, hard))    \
    /* the copy survives exec */                                                           \
    X(int, dup2, (int fd, int to), (fd, to))                                               \
    X(int, close_range, (int first, int last), (first, last))

#ifdef NIDOI_KQUEUE
struct kevent;
#define NIDOI_SYSCALLS_BACKEND(X)                                              \
    X(int, kqueue, (void), ())                                                 \
    X(int, kevent_change, (int kq, const struct kevent *change), (kq, change)) \
    /* ns < 0: no limit */                                                     \
    X(int, kevent_wait, (int kq, struct kevent *events, int n, int64_t ns), (kq, events, n, ns))
#else
struct epoll_event;
#define NIDOI_SYSCALLS_BACKEND(X)                                                  \
    X(int, epoll_create, (void), ())                                               \
    X(int, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *event),      \
      (epoll, op, fd, event))                                                      \
    /* ns < 0: no limit */                                                         \
    X(int, epoll_wait, (int epoll, struct epoll_event *events, int n, int64_t ns), \
      (epoll, events, n, ns))                                                      \
    X(int, eventfd, (void), ())                                                    \
    X(int, eventfd_write, (int eventfd), (eventfd))                                \
    X(int, pidfd_send_signal, (int fd, int signal), (fd, signal))
#endif

#define NIDOI_SYS_ENTRY(result, name, parameters, arguments) result(*name) parameters;
struct nidoi_sys {
    NIDOI_SYSCALLS(NIDOI_SYS_ENTRY)
};
#undef NIDOI_SYS_ENTRY

extern struct nidoi_sys nidoi_sys;

/* CLOCK_MONOTONIC in ns. Not in the table: tests use a virtual clock. */
int64_t nidoi_sys_now(void);
/* The same, as of the last tick of the kernel, where the system has it. */
int64_t nidoi_sys_now_coarse(void);

size_t nidoi_sys_page(void);

/* Makes a condition whose timed waits use CLOCK_MONOTONIC. */
void nidoi_sys_cond_init(pthread_cond_t *cond);
/* Waits at most `ns`. 0 or -ETIMEDOUT. */
int nidoi_sys_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ns);

/* Is this the handler of the signal now? */
bool nidoi_sys_handled_by(int number, void (*handler)(int));
/* Sets the action `before` again, unless the program has replaced the handler `ours` meanwhile.
 * Safe in signal handlers. */
void nidoi_sys_restore_handler(int number, void (*ours)(int), const struct sigaction *before);

/* pthread_cancel does not end this thread until nidoi_sys_allow_cancel is called with the result:
 * for waits on memory that other threads use. Calls nest. */
int nidoi_sys_defer_cancel(void);
void nidoi_sys_allow_cancel(int before);

/* How many processors this process may use, at least 1. */
unsigned nidoi_sys_processors(void);

/* Sets the name of this process in lists of processes, where the system can. */
void nidoi_sys_set_name(const char *name);

#endif

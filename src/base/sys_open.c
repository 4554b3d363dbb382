/* SPDX-License-Identifier: MIT */
/* base/sys_open.c: making descriptors. They are close-on-exec, do not block, and are above the
 * standard streams. */
#include "base/sys_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/ioctl.h>
#include <sys/syscall.h>
#endif

/* ---- Non-blocking and close-on-exec from the start ---- */

#ifdef SOCK_CLOEXEC

static int new_socket(int domain, int type, int protocol)
{
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int new_socketpair(int domain, int type, int protocol, int *out)
{
    return socketpair(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol, out);
}

static int new_accepted(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static int new_pipe(int *out)
{
    return pipe2(out, O_NONBLOCK | O_CLOEXEC);
}

#else

/* Not in one step: a program that another thread executes meanwhile inherits the descriptor. */
static int prepared(int fd)
{
    int err;

    if (fd < 0 || (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0))
        return fd;
    err = errno;
    close(fd);
    errno = err;
    return -1;
}

static int prepared_socket(int fd)
{
#ifdef SO_NOSIGPIPE
    int on = 1;

    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return prepared(fd);
}

static int prepared_pair(int *fds, int *out, int (*prepare)(int fd))
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

static int new_socket(int domain, int type, int protocol)
{
    return prepared_socket(socket(domain, type, protocol));
}

static int new_socketpair(int domain, int type, int protocol, int *out)
{
    int fds[2];

    return socketpair(domain, type, protocol, fds) ? -1 : prepared_pair(fds, out, prepared_socket);
}

static int new_accepted(int fd, struct sockaddr *address, socklen_t *length)
{
    return prepared_socket(accept(fd, address, length));
}

static int new_pipe(int *out)
{
    int fds[2];

    return pipe(fds) ? -1 : prepared_pair(fds, out, prepared);
}

#endif

/* ---- Other systems lack these ---- */

/* A descriptor that can be read when the process ends, or -1. */
static int open_process(int pid)
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

/* Opening the master of a pair of pseudo terminals makes another pair; other devices may count
 * their openings. */
static bool can_be_reopened(int fd)
{
    struct stat status;
    unsigned number;

    if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) return true;
    return isatty(fd) && ioctl(fd, TIOCGPTN, &number) < 0;
}

/* Another description of an open terminal or pipe. */
static int own_description(int fd, int flags)
{
    char path[32];

    if (!can_be_reopened(fd)) return errno = EOPNOTSUPP, -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_NOCTTY);
}

#else

static int own_description(int fd, int flags)
{
    (void)fd, (void)flags;
    return errno = EOPNOTSUPP, -1;
}

#endif

/* ---- Above the standard streams ---- */

/* A descriptor that nido makes is never 0, 1 or 2, even if the program has closed these: what it
 * prints or reads there must not go to a descriptor of nido. */
int nidoi_above_stdio(int fd)
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
    fds[0] = nidoi_above_stdio(fds[0]);
    fds[1] = nidoi_above_stdio(fds[1]);
    if (fds[0] >= 0 && fds[1] >= 0) return 0;
    err = errno;
    close(fds[fds[0] < 0]);
    errno = err;
    return -1;
}

/* ---- Entries of the table ---- */

int nidoi_os_open(const char *path, int flags, unsigned mode)
{
    RETURN_RETRIED(int, nidoi_above_stdio(open(path, flags | O_CLOEXEC, (mode_t)mode)));
}

int nidoi_os_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    RETURN_RETRIED(int, nidoi_above_stdio(new_accepted(fd, address, length)));
}

int nidoi_os_accept_once(int fd, struct sockaddr *address, socklen_t *length)
{
    int accepted = nidoi_above_stdio(new_accepted(fd, address, length));

    return accepted < 0 ? -errno : accepted;
}

int nidoi_os_socket(int domain, int type, int protocol)
{
    RETURN_RETRIED(int, nidoi_above_stdio(new_socket(domain, type, protocol)));
}

int nidoi_os_socketpair(int domain, int type, int protocol, int *out)
{
    RETURN_RETRIED(int, pair_above_stdio(new_socketpair(domain, type, protocol, out), out));
}

int nidoi_os_pipe(int *out)
{
    RETURN_RETRIED(int, pair_above_stdio(new_pipe(out), out));
}

int nidoi_os_reopen(int fd, bool writing)
{
    int flags = (writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC;
    int own = nidoi_above_stdio(own_description(fd, flags));

    return own < 0 && errno != ENXIO ? -EOPNOTSUPP : own < 0 ? -ENXIO : own;
}

int nidoi_os_dup(int fd, int least)
{
    RETURN_RETRIED(int, fcntl(fd, F_DUPFD_CLOEXEC, least));
}

int nidoi_os_process_fd(int pid)
{
    int fd = nidoi_above_stdio(open_process(pid));

    if (fd >= 0) return fd;
    return nidoi_lacks_call() ? -ENOSYS : -errno;
}

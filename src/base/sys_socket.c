/* SPDX-License-Identifier: MIT */
/* base/sys_socket.c: sockets: connecting, options, addresses, names. */
#include "base/sys_call.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/ioctl.h>
#endif

/* Not retried: after EINTR the attempt goes on by itself, as after EINPROGRESS. */
int nidoi_os_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    if (connect(fd, address, length) == 0) return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int nidoi_os_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    RETURN_RETRIED(int, bind(fd, address, length));
}

int nidoi_os_listen(int fd, int backlog)
{
    RETURN_RETRIED(int, listen(fd, backlog));
}

int nidoi_os_shutdown(int fd, int how)
{
    RETURN_RETRIED(int, shutdown(fd, how));
}

int nidoi_os_getsockopt(int fd, int level, int name, int *value)
{
    socklen_t length = sizeof *value;
    RETURN_RETRIED(int, getsockopt(fd, level, name, value, &length));
}

int nidoi_os_setsockopt(int fd, int level, int name, int value)
{
    RETURN_RETRIED(int, setsockopt(fd, level, name, &value, sizeof value));
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

int nidoi_os_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                         struct addrinfo **out, int *why)
{
    *why = getaddrinfo(host, service, hints, out);
    if (*why) *out = NULL;
    return *why ? errno_of(*why) : 0;
}

/* Only what SO_LINGER waits for at the close is given up: the kernel goes on delivering. A time of
 * 0 means to reset the connection, and waits for nothing. */
int nidoi_os_end_linger(int fd)
{
    struct linger linger = {0};
    socklen_t length = sizeof linger;

    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) < 0) return -errno;
    if (!linger.l_onoff || !linger.l_linger) return 0;
    linger.l_onoff = 0;
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}

int nidoi_os_family(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;

    if (getsockname(fd, (void *)&address, &length) == 0) return address.ss_family;
    return errno == EINVAL ? AF_UNSPEC : -errno; /* elsewhere a reset socket has no name any more */
}

int nidoi_os_unconfirmed(int fd)
{
#ifdef __linux__
    int n = 0;

    return ioctl(fd, TIOCOUTQ, &n) < 0 ? -errno : n;
#else
    (void)fd;
    return -ENOTSUP;
#endif
}

int nidoi_os_addresses(int fd, struct sockaddr_storage *own, struct sockaddr_storage *peer)
{
    socklen_t own_length = sizeof *own, peer_length = sizeof *peer;

    memset(own, 0, sizeof *own);
    memset(peer, 0, sizeof *peer);
    if (getsockname(fd, (void *)own, &own_length) < 0) return -errno;
    return getpeername(fd, (void *)peer, &peer_length) < 0 ? -errno : 0;
}

#ifdef __linux__
struct credentials { /* struct ucred of <sys/socket.h>, which hides it from portable programs */
    int pid;
    unsigned uid, gid;
};
#endif

int nidoi_os_peer_process(int fd)
{
#ifdef __linux__
    struct credentials peer;
    socklen_t length = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ? -errno : peer.pid;
#else
    (void)fd;
    return -ENOTSUP;
#endif
}

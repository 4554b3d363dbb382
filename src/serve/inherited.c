/* SPDX-License-Identifier: MIT */
/* serve/inherited.c: listeners that the program was started with. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "nido/error.h"
#include "nido/fd.h"
#include "nido/serve.h"

enum { FIRST = 3 }; /* sd_listen_fds(3) */

/* A number, or 0. */
static long environment_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long number = text ? strtol(text, &end, 10) : 0;

    return text && *text && !*end && number > 0 && number < INT_MAX - FIRST ? number : 0;
}

int nido_listen_inherited(unsigned number)
{
    long listeners = environment_number("LISTEN_FDS");
    int fd = FIRST + (int)number, listens = 0, err;

    if (environment_number("LISTEN_PID") != getpid())
        return nido_fail(-ENOENT, "listener %u: LISTEN_PID is not this process", number);
    if (number >= (unsigned long)listeners)
        return nido_fail(-ENOENT, "listener %u: LISTEN_FDS says %ld", number, listeners);
    err = nidoi_sys.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens);
    if (err && err != -ENOTSOCK)
        return nido_fail(err, "listener %u: descriptor %d cannot be asked", number, fd);
    if (err || !listens)
        return nido_fail(-EINVAL, "listener %u: descriptor %d does not listen", number, fd);
    err = nido_fd_own(fd);
    if (err) return err;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

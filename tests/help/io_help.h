/* SPDX-License-Identifier: MIT */
/* io_help.h: what the tests of descriptors and sockets share. */
#ifndef IO_HELP_H
#define IO_HELP_H

#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "nido_test.h"

/* Spawns the functions in this order into one group and returns what its close says. */
static inline int io_together(void *arg, nido_fn *const *fns, size_t n)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "together");
    for (size_t i = 0; i < n; i++) cr_expect(eq(int, nido_spawn(&group, fns[i], arg), 0));
    return nido_group_close(&group, 0);
}

#define TOGETHER(arg, ...)                            \
    io_together(arg, (nido_fn *const[]){__VA_ARGS__}, \
                sizeof((nido_fn *const[]){__VA_ARGS__}) / sizeof(nido_fn *))

/* "unix:" and a path that no other test has. */
static inline const char *io_place(void)
{
    static char place[64];

    snprintf(place, sizeof place, "unix:/tmp/nido-test-%d", (int)getpid());
    return place;
}

static inline int io_under_an_hour(void *fn)
{
    return nido_with_timeout(NIDO_SEC(3600), *(nido_fn **)fn, NULL);
}

/* Runs fn(NULL) as the root; where it would wait for ever, an hour of virtual time ends it. For
 * what needs no time of the kernel's: pipes and Unix sockets. */
static inline int io_run(nido_fn *fn)
{
    int rc = nido_test_run(io_under_an_hour, (void *)&fn);

    unlink(io_place() + 5);
    return rc;
}

static inline void io_close_pair(const int *fds)
{
    cr_expect(eq(int, nido_close(fds[0]), 0));
    cr_expect(eq(int, nido_close(fds[1]), 0));
}

/* Writes into an owned or non-blocking descriptor until nothing fits in any more; how much did. */
static inline size_t io_fill(int fd)
{
    static const char block[4096];
    size_t total = 0;

    for (ssize_t n; (n = write(fd, block, sizeof block)) > 0;) total += (size_t)n;
    return total;
}

/* Reads away what is there now; how much it was. */
static inline size_t io_drain(int fd)
{
    static char block[4096];
    size_t total = 0;

    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;) total += (size_t)n;
    return total;
}

/* A listener at io_place(), owned. Connecting to it needs no time, unlike a loopback port. */
static inline int io_listen(void)
{
    int fd;

    unlink(io_place() + 5);
    fd = nido_listen(io_place(), NULL, NULL);
    cr_expect(ge(int, fd, 0));
    return fd;
}

/* A foreign socket that is connected to it; the caller closes it. */
static inline int io_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", io_place() + 5);
    cr_expect(eq(int, connect(fd, (struct sockaddr *)&address, sizeof address), 0));
    return fd;
}

#endif

/* SPDX-License-Identifier: MIT */
/* fd_calls.h: every call on the number of a descriptor that is a cancellation point, for the tests
 * of what holds for all of them. tests/checks/swept finds one that is missing.
 *
 * Each acts on one end of a pair, from or to which it moves a byte; `other` is the other end. */
#ifndef FD_CALLS_H
#define FD_CALLS_H

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "nido.h"

/* What it waits for: bytes, room, or a worker. */
enum fd_need { FD_BYTES, FD_ROOM, FD_WORKER };

struct fd_call {
    const char *name;
    enum fd_need need;
    ssize_t (*call)(int fd, int other);
};

static char fd_calls_byte[] = "x";
static struct iovec fd_calls_part = {fd_calls_byte, 1};

static ssize_t fd_call_read(int fd, int other)
{
    (void)other;
    return nido_read(fd, fd_calls_byte, 1);
}

static ssize_t fd_call_readv(int fd, int other)
{
    (void)other;
    return nido_readv(fd, &fd_calls_part, 1);
}

static ssize_t fd_call_read_full(int fd, int other)
{
    (void)other;
    return nido_read_full(fd, fd_calls_byte, 1, NULL);
}

static ssize_t fd_call_write(int fd, int other)
{
    (void)other;
    return nido_write(fd, fd_calls_byte, 1);
}

static ssize_t fd_call_writev(int fd, int other)
{
    (void)other;
    return nido_writev(fd, &fd_calls_part, 1);
}

static ssize_t fd_call_write_all(int fd, int other)
{
    (void)other;
    return nido_write_all(fd, fd_calls_byte, 1, NULL);
}

static ssize_t fd_call_recv(int fd, int other)
{
    (void)other;
    return nido_recv(fd, fd_calls_byte, 1, 0);
}

static ssize_t fd_call_recv_all(int fd, int other)
{
    (void)other;
    return nido_recv(fd, fd_calls_byte, 1, MSG_WAITALL);
}

static ssize_t fd_call_recvfrom(int fd, int other)
{
    (void)other;
    return nido_recvfrom(fd, fd_calls_byte, 1, 0, NULL, NULL);
}

static ssize_t fd_call_recvmsg(int fd, int other)
{
    struct msghdr message = {.msg_iov = &fd_calls_part, .msg_iovlen = 1};

    (void)other;
    return nido_recvmsg(fd, &message, 0);
}

static ssize_t fd_call_send(int fd, int other)
{
    (void)other;
    return nido_send(fd, fd_calls_byte, 1, 0);
}

static ssize_t fd_call_sendto(int fd, int other)
{
    (void)other;
    return nido_sendto(fd, fd_calls_byte, 1, 0, NULL, 0);
}

static ssize_t fd_call_sendmsg(int fd, int other)
{
    struct msghdr message = {.msg_iov = &fd_calls_part, .msg_iovlen = 1};

    (void)other;
    return nido_sendmsg(fd, &message, 0);
}

static ssize_t fd_call_accept(int fd, int other)
{
    (void)other;
    return nido_accept(fd, NULL, NULL);
}

static ssize_t fd_call_connect(int fd, int other)
{
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};

    (void)other;
    return nido_connect(fd, (struct sockaddr *)&nowhere, sizeof nowhere);
}

static ssize_t fd_call_wait_for_bytes(int fd, int other)
{
    (void)other;
    return nido_wait_fd(fd, NIDO_IN);
}

static ssize_t fd_call_wait_for_room(int fd, int other)
{
    (void)other;
    return nido_wait_fd(fd, NIDO_OUT);
}

static ssize_t fd_call_poll(int fd, int other)
{
    struct pollfd fds[] = {{other, POLLPRI, 0}, {fd, POLLIN, 0}};

    return nido_poll(fds, 2);
}

static ssize_t fd_call_poll_for_room(int fd, int other)
{
    struct pollfd fds[] = {{other, POLLPRI, 0}, {fd, POLLOUT, 0}};

    return nido_poll(fds, 2);
}

static ssize_t fd_call_arm(int fd, unsigned event)
{
    nido_arm arms[2];

    nido_arm_fd(&arms[0], fd, event);
    nido_arm_timer(&arms[1], NIDO_NEVER);
    return nido_select(arms, 2, 0) == 0 ? arms[0].status : 0;
}

static ssize_t fd_call_select(int fd, int other)
{
    (void)other;
    return fd_call_arm(fd, NIDO_IN);
}

static ssize_t fd_call_select_for_room(int fd, int other)
{
    (void)other;
    return fd_call_arm(fd, NIDO_OUT);
}

static ssize_t fd_call_sendfile_from(int fd, int other)
{
    return nido_sendfile(other, fd, 0, 1, NULL);
}

static ssize_t fd_call_sendfile_to(int fd, int other)
{
    return nido_sendfile(fd, other, 0, 1, NULL);
}

static ssize_t fd_call_pread(int fd, int other)
{
    (void)other;
    return nido_pread(fd, fd_calls_byte, 1, 0);
}

static ssize_t fd_call_pwrite(int fd, int other)
{
    (void)other;
    return nido_pwrite(fd, fd_calls_byte, 1, 0);
}

static ssize_t fd_call_fsync(int fd, int other)
{
    (void)other;
    return nido_fsync(fd);
}

static ssize_t fd_call_fdatasync(int fd, int other)
{
    (void)other;
    return nido_fdatasync(fd);
}

static ssize_t fd_call_fstat(int fd, int other)
{
    struct stat out;

    (void)other;
    return nido_fstat(fd, &out);
}

static const struct fd_call fd_calls[] = {
    {"nido_read", FD_BYTES, fd_call_read},
    {"nido_readv", FD_BYTES, fd_call_readv},
    {"nido_read_full", FD_BYTES, fd_call_read_full},
    {"nido_write", FD_ROOM, fd_call_write},
    {"nido_writev", FD_ROOM, fd_call_writev},
    {"nido_write_all", FD_ROOM, fd_call_write_all},
    {"nido_recv", FD_BYTES, fd_call_recv},
    {"nido_recv of all", FD_BYTES, fd_call_recv_all},
    {"nido_recvfrom", FD_BYTES, fd_call_recvfrom},
    {"nido_recvmsg", FD_BYTES, fd_call_recvmsg},
    {"nido_send", FD_ROOM, fd_call_send},
    {"nido_sendto", FD_ROOM, fd_call_sendto},
    {"nido_sendmsg", FD_ROOM, fd_call_sendmsg},
    {"nido_accept", FD_BYTES, fd_call_accept},
    {"nido_connect", FD_ROOM, fd_call_connect},
    {"nido_wait_fd", FD_BYTES, fd_call_wait_for_bytes},
    {"nido_wait_fd for room", FD_ROOM, fd_call_wait_for_room},
    {"nido_poll", FD_BYTES, fd_call_poll},
    {"nido_poll for room", FD_ROOM, fd_call_poll_for_room},
    {"nido_select", FD_BYTES, fd_call_select},
    {"nido_select for room", FD_ROOM, fd_call_select_for_room},
    {"nido_sendfile from it", FD_WORKER, fd_call_sendfile_from},
    {"nido_sendfile to it", FD_WORKER, fd_call_sendfile_to},
    {"nido_pread", FD_WORKER, fd_call_pread},
    {"nido_pwrite", FD_WORKER, fd_call_pwrite},
    {"nido_fsync", FD_WORKER, fd_call_fsync},
    {"nido_fdatasync", FD_WORKER, fd_call_fdatasync},
    {"nido_fstat", FD_WORKER, fd_call_fstat},
};

enum { FD_CALLS = sizeof fd_calls / sizeof *fd_calls };

#endif

/* SPDX-License-Identifier: MIT */
/* serve.c: floor of a server that takes every client: one edge-triggered epoll loop that takes all
 * that have connected, answers what has come, and closes what is over. It leaves out tasks,
 * deadlines, cancelling, and slow readers, and ends at the first error of its own. */
#include "harness/load.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* All that have connected so far. */
static int take(int listener, int epoll)
{
    int on = 1, err = 0;
    while (!err) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return errno == EAGAIN ? 0 : -errno;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        err = watch(epoll, fd);
    }
    return err;
}

static int serve(int listener, int epoll, floor_reply *reply)
{
    enum { EVENTS = 256 };
    struct epoll_event events[EVENTS];
    int err = watch(epoll, listener);
    while (!err) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        if (n < 0) return -errno;
        for (int i = 0; i < n && !err; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                err = take(listener, epoll);
            else if (!reply(fd))
                close(fd);
        }
    }
    return err;
}

int floor_serve(int port_fd, floor_reply *reply)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = load_listen(port_fd);
    if (epoll < 0 || listener < 0) return epoll < 0 ? -EMFILE : listener;
    fcntl(listener, F_SETFL, O_NONBLOCK);
    return serve(listener, epoll, reply);
}

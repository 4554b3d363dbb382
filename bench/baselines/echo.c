/* SPDX-License-Identifier: MIT */
/* echo.c: floor of an echo server: one edge-triggered epoll loop, written by hand. It takes a short
 * read as the end of what is there, and relies on a message to fit into an empty send buffer. It
 * leaves out tasks, deadlines, cancelling, and slow readers. */
#include "harness/load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int take_all(int listener, int epoll, long count)
{
    int on = 1;
    for (long i = 0; i < count; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return -errno;
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) return -errno;
    }
    return 0;
}

bool floor_echo(int fd)
{
    char buffer[LOAD_SERVER_BUFFER];
    ssize_t n;
    do {
        n = recv(fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EAGAIN) return true;
        if (n <= 0 || send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n) return false;
    } while (n == (ssize_t)sizeof buffer);
    return true;
}

static int serve(int epoll, long live, int timeout)
{
    enum { EVENTS = 256 };
    struct epoll_event events[EVENTS];
    while (live > 0) {
        int n = epoll_wait(epoll, events, EVENTS, timeout);
        if (n < 0) return -errno;
        for (int i = 0; i < n; i++) {
            if (floor_echo(events[i].data.fd)) continue;
            close(events[i].data.fd);
            live--;
        }
    }
    return 0;
}

int floor_echo_server(const struct load_plan *plan, int port_fd)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = load_listen(port_fd);
    if (epoll < 0 || listener < 0) return epoll < 0 ? -EMFILE : listener;
    int rc = take_all(listener, epoll, plan->connections);
    return rc ? rc : serve(epoll, plan->connections, plan->spin ? 0 : -1);
}

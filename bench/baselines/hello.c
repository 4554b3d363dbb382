/* SPDX-License-Identifier: MIT */
/* hello.c: floor of a server of HTTP. It takes each read for one request and does not look. */
#include "harness/http.h"
#include "harness/load.h"

#include <errno.h>
#include <sys/socket.h>

bool floor_hello(int fd)
{
    char bytes[4096];
    size_t length;
    const char *hello = http_hello(&length);
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN) return true;
    return n > 0 && send(fd, hello, length, MSG_NOSIGNAL) == (ssize_t)length;
}

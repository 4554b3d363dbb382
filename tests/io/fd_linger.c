/* SPDX-License-Identifier: MIT */
/* Closing does not wait: not for bytes that a socket was told to deliver first. */
#include <errno.h>
#include <sys/socket.h>

#include "io_help.h"

static int listener, ends[2];

static void connect_the_two(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int flags = 1;

    listener = nido_listen("127.0.0.1", "0", NULL);
    getsockname(listener, (struct sockaddr *)&address, &length);
    ends[0] = nido_socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends[0], SOL_SOCKET, SO_KEEPALIVE, &flags, sizeof flags);
    cr_expect(eq(int, nido_connect(ends[0], (struct sockaddr *)&address, length), 0));
    ends[1] = nido_accept(listener, NULL, NULL);
}

static int close_with(int seconds)
{
    struct linger linger = {1, seconds};

    connect_the_two();
    io_fill(ends[0]);
    setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return nido_close(ends[0]);
}

/* The peer reads only after the close: one that waits would take its five seconds. */
static int close_while_full(void *unused)
{
    int64_t before = nido_now();
    ssize_t n;
    char buf[4096];

    (void)unused;
    cr_expect(eq(int, close_with(5), 0));
    nido_yield();
    cr_expect(lt(long, (long)(nido_now() - before), NIDO_SEC(4)));
    while ((n = nido_read(ends[1], buf, sizeof buf)) > 0) continue;
    cr_expect(eq(int, (int)n, 0), "all was delivered, then the end");
    nido_close(ends[1]);
    nido_close(listener);
    return 0;
}

NIDO_TEST(fd_linger, a_close_does_not_wait_for_what_was_sent)
{
    cr_expect(eq(int, nido_run(close_while_full, NULL, NULL), 0));
}

static int close_by_reset(void *unused)
{
    char c;

    (void)unused;
    cr_expect(eq(int, close_with(0), 0));
    while (nido_read(ends[1], &c, 1) > 0) continue;
    cr_expect(eq(int, (int)nido_write(ends[1], "x", 1), -EPIPE));
    nido_close(ends[1]);
    nido_close(listener);
    return 0;
}

NIDO_TEST(fd_linger, a_close_that_is_to_reset_resets)
{
    cr_expect(eq(int, nido_run(close_by_reset, NULL, NULL), 0));
}

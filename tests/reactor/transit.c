/* SPDX-License-Identifier: MIT */
/* The virtual clock and TCP between two ends of one run: Nagle's algorithm and a delayed
 * acknowledgement hold bytes back for some 40 ms of real time. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "inside_help.h"
#include "io_help.h"

static int ends[2];

/* Two connected sockets that may hold small writes back. */
static void connect_both(void)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int listener = nido_listen("127.0.0.1", "0", NULL), off = 0;
    char port[16];

    cr_assert(ge(int, listener, 0));
    getsockname(listener, (void *)&address, &length);
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    ends[0] = nido_dial("127.0.0.1", port, NULL);
    ends[1] = nido_accept(listener, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        cr_assert(ge(int, ends[i], 0));
        setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
    }
    nido_close(listener);
}

enum { REQUESTS = 5 };

static int answers(void *unused)
{
    char request[4];
    int rc = 0;

    (void)unused;
    for (int i = 0; i < REQUESTS && !rc; i++) {
        rc = nido_read_full(ends[1], request, sizeof request, NULL);
        if (!rc) rc = nido_write_all(ends[1], "head", 4, NULL);
        if (!rc) rc = nido_write_all(ends[1], "the body", 8, NULL);
    }
    return rc;
}

static int asks(void *unused)
{
    char answer[12];
    int rc = 0;

    (void)unused;
    for (int i = 0; i < REQUESTS && !rc; i++) {
        nido_scope scope;

        nido_timeout_open(&scope, NIDO_SEC(5));
        rc = nido_write_all(ends[0], "get ", 4, NULL);
        if (!rc) rc = nido_read_full(ends[0], answer, sizeof answer, NULL);
        rc = nido_scope_close(&scope, rc);
    }
    return rc;
}

INSIDE(transit, the_virtual_clock_waits_for_bytes_on_their_way)
{
    int64_t start = nido_now();

    connect_both();
    cr_expect(eq(int, TOGETHER(NULL, answers, asks), 0));
    cr_expect(eq(i64, nido_now(), start));
    io_close_pair(ends);
}

static int writes_on(void *unused)
{
    static char block[1 << 16];
    size_t done;
    nido_scope scope;

    (void)unused;
    nido_timeout_open(&scope, NIDO_SEC(1));
    for (int rc = 0; !rc;) rc = nido_write_all(ends[0], block, sizeof block, &done);
    return nido_scope_close(&scope, -ECANCELED) == -ETIMEDOUT ? 0 : -EPROTO;
}

/* The reader is busy elsewhere for an hour; both queues are full. */
INSIDE(transit, what_nobody_waits_for_holds_no_clock)
{
    connect_both();
    cr_expect(eq(int, writes_on(NULL), 0));
    cr_expect(eq(int, nido_sleep(NIDO_SEC(3600)), 0));
    io_close_pair(ends);
}

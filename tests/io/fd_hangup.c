/* SPDX-License-Identifier: MIT */
/* nido_poll for what is no bytes and no room: hang-ups, errors, the end of the other side. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

enum kind { SOCKET, READ_END, WRITE_END, KINDS };

static int ends[2]; /* that is watched; its peer */
static bool bytes;  /* some lie there all the time */

static void open_pair(enum kind kind, bool owned)
{
    if (kind == SOCKET) cr_expect(eq(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    if (kind == READ_END) cr_expect(eq(int, nido_pipe(ends), 0));
    if (kind == WRITE_END) {
        int pipe_ends[2];

        cr_expect(eq(int, nido_pipe(pipe_ends), 0));
        ends[0] = pipe_ends[1];
        ends[1] = pipe_ends[0];
    }
    if (bytes && kind != WRITE_END) cr_expect(eq(int, (int)nido_write(ends[1], "x", 1), 1));
    if (!owned) nido_fd_forget(ends[0]);
}

static short events;
static bool returned;

static int poll_it(void *unused)
{
    struct pollfd fds = {.fd = ends[0], .events = events};

    (void)unused;
    cr_expect(eq(int, nido_poll(&fds, 1), 1));
    cr_expect(ne(int, fds.revents &(POLLHUP | POLLERR | POLLRDHUP), 0));
    returned = true;
    return 0;
}

static int hang_up(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_MS(30));
    cr_expect(not(returned));
    return nido_close(ends[1]);
}

static int each_kind(void *unused)
{
    (void)unused;
    for (int i = 0; i < KINDS * 4; i++) {
        events = i & 1 && i / 4 == SOCKET ? POLLRDHUP : 0;
        returned = false;
        open_pair(i / 4, i & 2);
        cr_expect(eq(int, TOGETHER(NULL, poll_it, hang_up), 0), "case %d", i);
        nido_close(ends[0]);
    }
    return 0;
}

NIDO_TEST(fd_hangup, a_poll_without_events_learns_of_a_hang_up)
{
    cr_expect(eq(int, io_run(each_kind), 0));
}

/* And is not woken by them: a wait costs a few calls, however long it is. */
NIDO_TEST(fd_hangup, bytes_that_lie_there_do_not_disturb_it)
{
    bytes = true;
    faults_begin();
    cr_expect(eq(int, io_run(each_kind), 0));
    cr_expect(lt(ulong, faults_count(FAULT_poll), 200));
    faults_end();
}

static int poll_for_the_end(void *unused)
{
    struct pollfd fds[] = {{ends[0], POLLOUT, 0}, {ends[0], 0, 0}};

    (void)unused;
    cr_expect(eq(int, nido_poll(fds, 2), 2));
    cr_expect(ne(int, fds[1].revents &POLLHUP, 0));
    return 0;
}

static int fill_and_hang_up(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_MS(1));
    return nido_close(ends[1]);
}

static int mix(void *unused)
{
    int rc;

    (void)unused;
    open_pair(SOCKET, false);
    io_fill(ends[0]);
    rc = TOGETHER(NULL, poll_for_the_end, fill_and_hang_up);
    nido_close(ends[0]);
    return rc;
}

NIDO_TEST(fd_hangup, waits_for_room_and_for_a_hang_up_of_one_descriptor_mix)
{
    cr_expect(eq(int, io_run(mix), 0));
}

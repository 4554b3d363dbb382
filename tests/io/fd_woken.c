/* SPDX-License-Identifier: MIT */
/* A call that parked and was woken by a report runs later: before, its number may have been closed
 * and given to another file. Then it ends with -EBADF and moves none of that file's bytes. */
#include <errno.h>
#include <sys/socket.h>

#include "base/sys.h"
#include "coro/runtime/loop.h"
#include "fd_calls.h"
#include "io_help.h"
#include "reactor/reactor.h"

static int ends[2], fresh[2];

static int unix_pair(int *fds)
{
    return nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static int never_connects(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)address, (void)length;
    return -EINPROGRESS;
}

static int park(void *arg)
{
    const struct fd_call *call = arg;

    cr_expect(eq(int, (int)call->call(ends[0], ends[1]), -EBADF), "%s", call->name);
    return 0;
}

/* Runs while the other is parked. Its report comes, and then the number gets another file, with a
 * byte and with room, before the other runs. */
static int wake_and_replace(void *unused)
{
    (void)unused;
    nidoi_reactor_nudge(&nidoi_loop_self()->reactor, ends[0]);
    cr_expect(zero(int, nido_close(ends[0])));
    cr_expect(zero(int, unix_pair(fresh)));
    cr_expect(eq(int, fresh[0], ends[0]), "the lowest free number");
    cr_expect(eq(int, (int)write(fresh[1], "n", 1), 1));
    return 0;
}

static void make_stuck(const struct fd_call *call)
{
    if (call->call != fd_call_accept) {
        cr_assert(zero(int, unix_pair(ends)));
        if (call->need == FD_ROOM) io_fill(ends[0]);
        return;
    }
    ends[0] = io_listen();
    ends[1] = dup(ends[0]);
}

static void expect_untouched(const char *name)
{
    char bytes[4];

    cr_expect(eq(int, (int)read(fresh[0], bytes, sizeof bytes), 1), "%s", name);
    cr_expect(eq(int, (int)read(fresh[1], bytes, sizeof bytes), -1), "%s", name);
}

static int each_is_woken(void *unused)
{
    struct nidoi_sys real = nidoi_sys;

    (void)unused;
    nidoi_sys.connect = never_connects;
    for (size_t i = 0; i < FD_CALLS; i++) {
        const struct fd_call *call = &fd_calls[i];
        nido_group group;

        if (call->need == FD_WORKER) continue;
        make_stuck(call);
        nido_group_open(&group, NIDO_FAIL_FAST, call->name);
        cr_expect(zero(int, nido_spawn(&group, park, (void *)call)));
        cr_expect(zero(int, nido_spawn(&group, wake_and_replace, NULL)));
        cr_expect(zero(int, nido_group_close(&group, 0)), "%s", call->name);
        expect_untouched(call->name);
        io_close_pair(fresh);
        nido_close(ends[1]);
    }
    nidoi_sys = real;
    return 0;
}

NIDO_TEST(fd_woken, a_number_used_again_between_a_wake_and_its_task_ends_the_call)
{
    cr_expect(zero(int, io_run(each_is_woken)));
}

/* ---- The end of a call on the file of before ---- */

static const struct fd_call *old;

/* Exclusive ones: the call of the new file, and one that must not come between. */
static ssize_t (*call_of_the_new)(int fd, int other);

static int park_on_the_new(void *unused)
{
    (void)unused;
    cr_expect(zero(int, nido_close(ends[0])));
    cr_expect(zero(int, unix_pair(fresh)));
    cr_expect(eq(int, fresh[0], ends[0]), "the lowest free number");
    if (old->need == FD_ROOM) io_fill(fresh[0]);
    return call_of_the_new(fresh[0], fresh[1]) < 0 ? -EPROTO : 0;
}

/* The old call ends in the yield. */
static int come_between(void *unused)
{
    char byte = 'x';

    (void)unused;
    nido_yield();
    cr_expect(eq(int, (int)call_of_the_new(fresh[0], fresh[1]), -EBUSY), "%s", old->name);
    if (old->need == FD_ROOM)
        io_drain(fresh[1]);
    else
        cr_expect(eq(int, (int)write(fresh[1], &byte, 1), 1));
    return 0;
}

static int each_ends_late(void *unused)
{
    struct nidoi_sys real = nidoi_sys;

    (void)unused;
    nidoi_sys.connect = never_connects;
    for (old = fd_calls; old < fd_calls + FD_CALLS; old++) {
        nido_group group;

        if (old->need == FD_WORKER) continue;
        call_of_the_new = old->need == FD_ROOM ? fd_call_write : fd_call_read;
        make_stuck(old);
        nido_group_open(&group, NIDO_FAIL_FAST, old->name);
        cr_expect(zero(int, nido_spawn(&group, park, (void *)old)));
        cr_expect(zero(int, nido_spawn(&group, park_on_the_new, NULL)));
        cr_expect(zero(int, nido_spawn(&group, come_between, NULL)));
        cr_expect(zero(int, nido_group_close(&group, 0)), "%s", old->name);
        io_close_pair(fresh);
        nido_close(ends[1]);
    }
    nidoi_sys = real;
    return 0;
}

NIDO_TEST(fd_woken, the_end_of_a_call_leaves_the_next_file_of_its_number_alone)
{
    cr_expect(zero(int, io_run(each_ends_late)));
}

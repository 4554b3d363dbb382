/* SPDX-License-Identifier: MIT */
/* A number is found closed behind our back while its waits are still being set up: the kernel has
 * forgotten it between the first direction and the second. Who waits is told, and nothing is woken
 * that does not sleep yet. */
#include <errno.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

static int ends[2];

/* A foreign pair whose first end can neither be read nor written. */
static void make_stuck(void)
{
    static const char much[4096];

    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    while (send(ends[0], much, sizeof much, MSG_DONTWAIT) > 0) {
    }
    faults_begin();
    faults_fail(FAULT_backend_change, CHANGES_A_DESCRIPTOR + 1, -ENOENT);
}

static void end(void)
{
    faults_end();
    io_close_pair(ends);
}

static int wait_for_both(void *unused)
{
    (void)unused;
    make_stuck();
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN | NIDO_OUT), -EBADF));
    end();
    return 0;
}

NIDO_TEST(fd_stale, a_wait_for_both_directions_is_told)
{
    cr_expect(eq(int, io_run(wait_for_both), 0));
}

static int select_both(void *unused)
{
    nido_arm arms[2];

    (void)unused;
    make_stuck();
    nido_arm_fd(&arms[0], ends[0], NIDO_IN);
    nido_arm_fd(&arms[1], ends[0], NIDO_OUT);
    cr_expect(eq(int, nido_select(arms, 2, 0), 0));
    cr_expect(eq(int, arms[0].status, -EBADF));
    end();
    return 0;
}

NIDO_TEST(fd_stale, a_select_of_both_directions_is_told)
{
    cr_expect(eq(int, io_run(select_both), 0));
}

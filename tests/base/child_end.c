/* SPDX-License-Identifier: MIT */
/* Where the kernel has no descriptor of a process, a thread waits for its end. */
#include "base/child_end.h"

#ifndef NIDOI_KQUEUE
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "nido_test.h"

/* It ends when a byte comes, or `hold` is closed. */
static int child_until(int hold[2])
{
    char byte;
    int pid;

    cr_assert(zero(int, pipe(hold)));
    pid = fork();
    if (pid) return pid;
    close(hold[1]);
    _exit(read(hold[0], &byte, 1) < 0);
}

static void let_go(int pid, const int hold[2])
{
    close(hold[0]);
    close(hold[1]);
    cr_expect(eq(int, waitpid(pid, NULL, 0), pid));
}

NIDO_TEST(child_end, the_descriptor_can_be_read_at_the_end_and_not_before)
{
    int hold[2], pid = child_until(hold), fd = nidoi_child_end_fd(pid);
    struct pollfd ask = {fd, POLLIN, 0};

    cr_assert(ge(int, fd, 0));
    cr_expect(zero(int, poll(&ask, 1, 10)));
    cr_expect(eq(int, (int)write(hold[1], "x", 1), 1));
    cr_expect(eq(int, poll(&ask, 1, 20000), 1));
    let_go(pid, hold);
    close(fd);
}

static void expect_failure(int pid, enum fault kind, int code)
{
    faults_begin();
    faults_fail(kind, 1, code);
    cr_expect(eq(int, nidoi_child_end_fd(pid), code));
    faults_end();
}

NIDO_TEST(child_end, what_fails_is_told_and_leaves_nothing_open)
{
    int hold[2], pid = child_until(hold);

    expect_failure(pid, FAULT_memory, -ENOMEM);
    expect_failure(pid, FAULT_eventfd, -EMFILE);
    expect_failure(pid, FAULT_dup, -EMFILE);
    expect_failure(pid, FAULT_thread, -EAGAIN);
    let_go(pid, hold);
}

#endif

/* SPDX-License-Identifier: MIT */
/* nido/fd.h: closing, owning, letting go, and numbers that are used again. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

static int ends[2], fresh[2];
static char buf[16];

static int rd(int fd)
{
    return (int)nido_read(fd, buf, sizeof buf);
}

static int pair(int *fds)
{
    return nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

/* ---- Closing wakes ---- */

static int wait_to_read(void *unused)
{
    (void)unused;
    cr_expect(eq(int, rd(ends[0]), -EBADF));
    return 0;
}

static int wait_to_write(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_write_all(ends[0], "x", 1, NULL), -EBADF));
    return 0;
}

static int wait_for_either(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), -EBADF));
    return 0;
}

static int poll_both(void *unused)
{
    struct pollfd fds[] = {{fresh[0], POLLIN, 0}, {ends[0], POLLIN, 0}};

    (void)unused;
    cr_expect(eq(int, nido_poll(fds, 2), -EBADF));
    return 0;
}

static int close_it(void *unused)
{
    (void)unused;
    return nido_close(ends[0]);
}

static int close_under_waiters(void *unused)
{
    int rc;

    (void)unused;
    pair(ends);
    pair(fresh);
    io_fill(ends[0]);
    rc = TOGETHER(NULL, wait_to_read, wait_to_write, wait_for_either, poll_both, close_it);
    nido_close(ends[1]);
    io_close_pair(fresh);
    return rc;
}

/* S259 */
NIDO_TEST(fd_close, closing_wakes_everybody_who_waits)
{
    cr_expect(eq(int, io_run(close_under_waiters), 0));
}

static int accept_until_closed(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_accept(ends[0], NULL, NULL), -EBADF));
    return 0;
}

static int close_a_listener(void *unused)
{
    (void)unused;
    ends[0] = io_listen();
    return TOGETHER(NULL, accept_until_closed, accept_until_closed, close_it);
}

NIDO_TEST(fd_close, closing_a_listener_wakes_all_who_accept)
{
    cr_expect(eq(int, io_run(close_a_listener), 0));
}

/* Closes the number and gives it, with data waiting, to somebody else. */
static int close_and_use_again(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_close(ends[0]), 0));
    cr_expect(eq(int, pair(fresh), 0));
    cr_expect(eq(int, fresh[0], ends[0]), "the lowest free number");
    cr_expect(eq(int, (int)nido_write(fresh[1], "new", 3), 3));
    return 0;
}

static int reuse_a_number(void *unused)
{
    int rc;

    (void)unused;
    pair(ends);
    rc = TOGETHER(NULL, wait_to_read, close_and_use_again);
    cr_expect(eq(int, rd(fresh[0]), 3), "the data are the new owner's");
    io_close_pair(fresh);
    nido_close(ends[1]);
    return rc;
}

/* S260 */
NIDO_TEST(fd_close, who_waited_for_a_closed_number_never_reads_from_the_next_file)
{
    cr_expect(eq(int, io_run(reuse_a_number), 0));
}

static int first_of_batch(void *unused)
{
    (void)unused;
    cr_expect(eq(int, rd(fresh[1]), 1));
    return close_and_use_again(NULL);
}

/* Both readers are reported in one poll; the first to run closes the other's number. */
static int two_in_one_batch(void *unused)
{
    int trigger[2], rc;
    nido_group group;

    (void)unused;
    pair(trigger); /* first, so it is reported first */
    pair(ends);
    fresh[1] = trigger[0];
    nido_group_open(&group, NIDO_FAIL_FAST, "batch");
    cr_expect(eq(int, nido_spawn(&group, first_of_batch, NULL), 0));
    cr_expect(eq(int, nido_spawn(&group, wait_to_read, NULL), 0));
    nido_yield();
    cr_expect(eq(int, (int)write(trigger[1], "x", 1), 1));
    cr_expect(eq(int, (int)write(ends[1], "old", 3), 3));
    rc = nido_group_close(&group, 0);
    cr_expect(eq(int, rd(fresh[0]), 3));
    cr_expect(eq(int, memcmp(buf, "new", 3), 0));
    io_close_pair(fresh);
    io_close_pair(trigger);
    nido_close(ends[1]);
    return rc;
}

/* S262 */
NIDO_TEST(fd_close, an_event_for_a_number_closed_in_the_same_batch_is_not_delivered)
{
    cr_expect(eq(int, io_run(two_in_one_batch), 0));
}

NIDO_TEST(fd_close, closing_works_without_a_runtime)
{
    cr_assert(eq(int, pipe(ends), 0));
    io_close_pair(ends);
    cr_expect(eq(int, nido_close(ends[0]), -EBADF));
    nido_fd_forget(ends[0]);
}

static int close_after_dup(void *unused)
{
    int second;

    (void)unused;
    pair(ends);
    second = dup(ends[0]);
    cr_expect(eq(int, nido_close(ends[0]), 0));
    cr_expect(eq(int, pair(fresh), 0));
    cr_expect(eq(int, (int)write(ends[1], "old", 3), 3));
    {
        nido_scope scope;

        nido_timeout_open(&scope, NIDO_SEC(1));
        cr_expect(eq(int, nido_scope_close(&scope, rd(fresh[0])), -ETIMEDOUT));
    }
    io_close_pair(fresh);
    close(second);
    nido_close(ends[1]);
    return 0;
}

NIDO_TEST(fd_close, a_second_number_of_a_closed_file_disturbs_nobody)
{
    cr_expect(eq(int, io_run(close_after_dup), 0));
}

/* ---- Numbers closed behind our back ---- */

static int expect_stale(void *unused)
{
    (void)unused;
    cr_expect(eq(int, rd(ends[0]), -EBADF));
    return 0;
}

static int expect_stale_wait(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), -EBADF));
    return 0;
}

/* Puts a new foreign file at the number without a word to nido. */
static void replace_foreign(void)
{
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, fresh), 0));
    cr_assert(eq(int, dup2(fresh[0], ends[0]), ends[0]));
    close(fresh[0]);
}

static int read_the_new_file(void *unused)
{
    (void)unused;
    replace_foreign();
    cr_expect(eq(int, (int)write(fresh[1], "new", 3), 3));
    cr_expect(eq(int, rd(ends[0]), 3));
    return 0;
}

static int replace_under_a_reader(void *unused)
{
    int rc;

    (void)unused;
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    rc = TOGETHER(NULL, expect_stale, read_the_new_file);
    close(fresh[1]);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_close, a_stale_reader_is_told_when_the_next_reader_comes)
{
    cr_expect(eq(int, io_run(replace_under_a_reader), 0));
}

static int wait_for_the_new_file(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
    return 0;
}

static int write_to_the_new_file(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)write(fresh[1], "new", 3), 3));
    return 0;
}

static int replace_and_wait(void *unused)
{
    (void)unused;
    replace_foreign();
    return TOGETHER(NULL, wait_for_the_new_file, write_to_the_new_file);
}

static int replace_under_a_wait(void *unused)
{
    int rc;

    (void)unused;
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    rc = TOGETHER(NULL, expect_stale_wait, replace_and_wait);
    close(fresh[1]);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_close, a_stale_wait_is_told_when_the_next_wait_comes)
{
    cr_expect(eq(int, io_run(replace_under_a_wait), 0));
}

static int reuse_foreign_numbers(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
        fresh[1] = ends[1];
        cr_expect(eq(int, TOGETHER(NULL, wait_for_the_new_file, write_to_the_new_file), 0));
        close(ends[0]);
        close(ends[1]);
    }
    return 0;
}

NIDO_TEST(fd_close, foreign_numbers_may_be_closed_and_used_again_at_will)
{
    cr_expect(eq(int, io_run(reuse_foreign_numbers), 0));
}

/* ---- Owning and letting go ---- */

static int flags_of(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static int own_and_forget(void *unused)
{
    (void)unused;
    cr_assert(eq(int, pipe(ends), 0));
    cr_expect(eq(int, nido_fd_own(ends[0]), 0));
    cr_expect(ne(int, flags_of(ends[0]), 0));
    cr_expect(eq(int, nido_fd_own(ends[0]), 0), "twice is fine");
    nido_fd_forget(ends[0]);
    cr_expect(ne(int, flags_of(ends[0]), 0), "it stays as it is");
    cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
    cr_expect(eq(int, rd(ends[0]), 1), "and is a foreign one now");
    nido_fd_forget(ends[0]);
    cr_expect(eq(int, close(ends[0]), 0));
    cr_expect(eq(int, nido_fd_own(ends[0]), -EBADF));
    cr_expect(eq(int, nido_fd_own(-1), -EBADF));
    cr_expect(eq(int, nido_close(ends[1]), 0));
    return 0;
}

NIDO_TEST(fd_close, owning_makes_non_blocking_and_forgetting_lets_go)
{
    cr_expect(eq(int, io_run(own_and_forget), 0));
}

static int forget_it(void *unused)
{
    (void)unused;
    nido_fd_forget(ends[0]);
    return 0;
}

static int forget_under_waiters(void *unused)
{
    int rc;

    (void)unused;
    pair(ends);
    io_fill(ends[0]);
    rc = TOGETHER(NULL, wait_to_read, wait_to_write, wait_for_either, forget_it);
    cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
    cr_expect(eq(int, rd(ends[0]), 1));
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_close, forgetting_wakes_everybody_who_waits)
{
    cr_expect(eq(int, io_run(forget_under_waiters), 0));
}

static int fail_to_own(void *unused)
{
    (void)unused;
    cr_assert(eq(int, pipe(ends), 0));
    faults_fail(FAULT_backend_change, 1, -ENOSPC);
    cr_expect(eq(int, nido_fd_own(ends[0]), -ENOSPC));
    cr_expect(eq(int, flags_of(ends[0]), 0), "nothing has changed");
    faults_fail(FAULT_nonblock, 1, -EBADF);
    cr_expect(eq(int, nido_fd_own(ends[0]), -EBADF));
    cr_expect(eq(int, nido_fd_own(ends[0]), 0));
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_close, a_failure_to_own_leaves_the_descriptor_as_it_was)
{
    faults_begin();
    cr_expect(eq(int, io_run(fail_to_own), 0));
    faults_end();
}

static int own_in_vain(void *unused)
{
    (void)unused;
    faults_fail(FAULT_backend_change, CHANGES_A_DESCRIPTOR + 1, -ENOSPC);
    cr_expect(eq(int, nido_fd_own(ends[0]), -ENOSPC));
    cr_expect(eq(int, (int)write(ends[1], "x", 1), 1));
    return 0;
}

static int own_under_a_wait(void *unused)
{
    int rc;

    (void)unused;
    cr_assert(eq(int, pipe(ends), 0));
    rc = TOGETHER(NULL, wait_for_the_new_file, own_in_vain);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_close, a_failure_to_own_does_not_forget_who_waits)
{
    faults_begin();
    cr_expect(eq(int, io_run(own_under_a_wait), 0));
    faults_end();
}

static int fail_to_make(void *unused)
{
    int none[2] = {-7, -7};

    (void)unused;
    faults_fail(FAULT_pipe, 1, -EMFILE);
    cr_expect(eq(int, nido_pipe(none), -EMFILE));
    faults_fail(FAULT_socketpair, 1, -ENFILE);
    cr_expect(eq(int, pair(none), -ENFILE));
    cr_expect(none[0] == -7 && none[1] == -7);
    cr_expect(eq(int, nido_socketpair(AF_INET, SOCK_STREAM, 0, none), -EOPNOTSUPP));
    cr_expect(eq(int, nido_pipe(ends), 0));
    for (int i = 0; i < 2; i++) {
        cr_expect(ne(int, fcntl(ends[i], F_GETFD) & FD_CLOEXEC, 0));
        cr_expect(ne(int, flags_of(ends[i]), 0));
    }
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_close, a_pipe_that_cannot_be_made_is_told)
{
    faults_begin();
    cr_expect(eq(int, io_run(fail_to_make), 0));
    faults_end();
}

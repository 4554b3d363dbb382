/* SPDX-License-Identifier: MIT */
/* A call belongs to the files that its numbers had when it was made: after each sleep in it, the
 * yield of its entry is the first, a number that was closed and used again ends it with -EBADF. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "coro/runtime/loop.h"
#include "faults.h"
#include "fd_calls.h"
#include "io_help.h"

static int ends[2], fresh[2];
static char buf[64];

static int pair(int *fds)
{
    return nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

/* ---- The yield of the entry ---- */

/* The next cancellation point yields. */
static void spend_the_budget(void)
{
    nidoi_loop_self()->sched.budget = 1;
}

static int use_again(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_close(ends[0]), 0));
    cr_expect(eq(int, pair(fresh), 0));
    cr_expect(eq(int, fresh[0], ends[0]), "the lowest free number");
    cr_expect(eq(int, (int)nido_write(fresh[1], "new", 3), 3));
    return 0;
}

static int call_it(void *arg)
{
    const struct fd_call *call = arg;

    spend_the_budget();
    cr_expect(eq(int, (int)call->call(ends[0], ends[1]), -EBADF), "%s", call->name);
    return 0;
}

/* The second task runs in the yield of the first one's call. */
static int each_yields(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < FD_CALLS; i++) {
        nido_group group;

        pair(ends);
        nido_group_open(&group, NIDO_FAIL_FAST, "yield");
        cr_expect(eq(int, nido_spawn(&group, call_it, (void *)&fd_calls[i]), 0));
        cr_expect(eq(int, nido_spawn(&group, use_again, NULL), 0));
        cr_expect(eq(int, nido_group_close(&group, 0), 0), "%s", fd_calls[i].name);
        cr_expect(eq(int, (int)nido_read(fresh[0], buf, sizeof buf), 3), "%s", fd_calls[i].name);
        io_close_pair(fresh);
        nido_close(ends[1]);
    }
    return 0;
}

NIDO_TEST(fd_names, a_number_closed_and_used_again_in_the_yield_of_an_entry_ends_the_call)
{
    cr_expect(eq(int, io_run(each_yields), 0));
}

/* ---- Sleeps within ---- */

enum { LONG = 1 << 20 };

static int file_of(char c)
{
    char path[] = "/tmp/nido-test-XXXXXX";
    char *block = malloc(LONG);
    int fd = mkstemp(path);

    memset(block, c, LONG);
    cr_expect(eq(int, (int)write(fd, block, LONG), LONG));
    unlink(path);
    free(block);
    return fd;
}

static int source;

static int send_the_file(void *unused)
{
    size_t done;

    (void)unused;
    cr_expect(eq(int, nido_sendfile(ends[0], source, 0, LONG, &done), -EBADF));
    cr_expect(lt(sz, done, LONG));
    nido_close(ends[0]);
    return 0;
}

/* When the sender waits for room, its source is closed and another file has the number. */
static int replace_the_source(void *unused)
{
    static char block[4096];
    size_t other = 0;

    (void)unused;
    nido_sleep(NIDO_MS(100));
    cr_expect(eq(int, nido_close(source), 0));
    cr_expect(eq(int, file_of('s'), source), "the lowest free number");
    for (ssize_t n; (n = nido_read(ends[1], block, sizeof block)) > 0;)
        for (ssize_t i = 0; i < n; i++) other += block[i] != 'p';
    cr_expect(eq(sz, other, 0));
    return 0;
}

static int send_from_a_closed_source(void *unused)
{
    int rc;

    (void)unused;
    pair(ends);
    source = file_of('p');
    rc = TOGETHER(NULL, send_the_file, replace_the_source);
    nido_close(source);
    nido_close(ends[1]);
    return rc;
}

NIDO_TEST(fd_names, a_transfer_whose_source_was_closed_sends_nothing_of_the_next_file)
{
    cr_expect(eq(int, nido_run(send_from_a_closed_source, NULL, NULL), 0));
}

static int accept_in_a_shortage(void *unused)
{
    (void)unused;
    faults_begin();
    faults_fail(FAULT_accept, 1, -EMFILE);
    cr_expect(eq(int, nido_accept(ends[0], NULL, NULL), -EBADF));
    faults_end();
    return 0;
}

static int replace_the_listener(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_MS(10));
    nido_close(ends[0]);
    cr_expect(eq(int, io_listen(), ends[0]), "the lowest free number");
    fresh[0] = io_connect();
    return 0;
}

static void say_nothing(void *unused, const char *text)
{
    (void)unused, (void)text;
}

static int pause_over_a_closed_listener(void *unused)
{
    int rc;

    (void)unused;
    ends[0] = io_listen();
    fresh[1] = io_connect();
    rc = TOGETHER(NULL, accept_in_a_shortage, replace_the_listener);
    nido_close(ends[0]);
    close(fresh[0]);
    close(fresh[1]);
    return rc;
}

NIDO_TEST(fd_names, a_listener_closed_in_the_pause_of_an_accept_is_not_its_successor)
{
    nido_options options = nido_test_virtual();

    options.on_report = say_nothing;
    cr_expect(eq(int, nido_run(pause_over_a_closed_listener, NULL, &options), 0));
    unlink(io_place() + 5);
}

static int select_two(void *unused)
{
    nido_arm arms[2];

    (void)unused;
    nido_arm_fd(&arms[0], fresh[0], NIDO_IN);
    nido_arm_fd(&arms[1], ends[0], NIDO_IN);
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    cr_expect(eq(int, arms[1].status, -EBADF));
    return 0;
}

/* Wakes the select by its first arm, takes what woke it away, and gives the second's number to
 * somebody else. */
static int wake_for_nothing(void *unused)
{
    int other[2];

    (void)unused;
    cr_expect(eq(int, (int)write(fresh[1], "x", 1), 1));
    nidoi_reactor_nudge(&nidoi_loop_self()->reactor, fresh[0]);
    cr_expect(eq(int, (int)read(fresh[0], buf, 1), 1));
    nido_close(ends[0]);
    cr_expect(eq(int, pair(other), 0));
    cr_expect(eq(int, other[0], ends[0]), "the lowest free number");
    cr_expect(eq(int, (int)nido_write(other[1], "new", 3), 3));
    nido_sleep(NIDO_MS(1));
    io_close_pair(other);
    return 0;
}

static int begin_anew(void *unused)
{
    int rc;

    (void)unused;
    pair(ends);
    pair(fresh);
    rc = TOGETHER(NULL, select_two, wake_for_nothing);
    nido_close(ends[1]);
    io_close_pair(fresh);
    return rc;
}

NIDO_TEST(fd_names, a_select_that_begins_anew_looks_at_no_number_that_was_used_again)
{
    cr_expect(eq(int, io_run(begin_anew), 0));
}

/* SPDX-License-Identifier: MIT */
/* nido/fd.h: waiting for descriptors without reading or writing them. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "faults.h"
#include "io_help.h"

enum { MANY = 20 };

static int ends[2], more[2];
static char buf[16];

static int send_byte(void *unused)
{
    (void)unused;
    return write(ends[1], "x", 1) == 1 ? 0 : -EIO;
}

static int wait_for_input(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
    return 0;
}

/* Makes a pair of sockets, owned or foreign. */
static void make(bool owned)
{
    int err = owned ? nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends)
                    : socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);

    cr_assert(eq(int, err, 0));
}

static int any_number_may_wait(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int owned = 0; owned < 2 && !rc; owned++) {
        make(owned);
        rc = TOGETHER(NULL, wait_for_input, wait_for_input, wait_for_input, send_byte);
        io_close_pair(ends);
    }
    return rc;
}

NIDO_TEST(fd_wait, any_number_may_wait_for_one_descriptor)
{
    cr_expect(eq(int, io_run(any_number_may_wait), 0));
}

static int ask_what_is_ready(void *unused)
{
    (void)unused;
    for (int owned = 0; owned < 2; owned++) {
        make(owned);
        cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN | NIDO_OUT), NIDO_OUT));
        send_byte(NULL);
        cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN | NIDO_OUT), NIDO_IN | NIDO_OUT));
        cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
        io_fill(ends[0]);
        nido_close(ends[1]);
        cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_OUT), NIDO_OUT), "broken is ready");
        nido_close(ends[0]);
    }
    return 0;
}

NIDO_TEST(fd_wait, the_set_that_is_ready_is_told)
{
    cr_expect(eq(int, io_run(ask_what_is_ready), 0));
}

static int ask_nonsense(void *unused)
{
    struct pollfd fds[] = {{-1, POLLIN, 9}, {0, POLLIN, 0}};

    (void)unused;
    make(true);
    cr_expect(eq(int, nido_wait_fd(ends[0], 0), -EINVAL));
    cr_expect(eq(int, nido_wait_fd(ends[0], 4), -EINVAL));
    cr_expect(eq(int, nido_wait_fd(-1, NIDO_IN), -EBADF));
    cr_expect(eq(int, nido_poll(fds, 0), -EINVAL));
    io_close_pair(ends);
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), -EBADF));
    fds[1].fd = ends[0];
    cr_expect(eq(int, nido_poll(fds, 2), 1), "as poll(2) says it");
    cr_expect(fds[0].revents == 0 && fds[1].revents == POLLNVAL);
    return 0;
}

NIDO_TEST(fd_wait, nonsense_is_refused)
{
    cr_expect(eq(int, io_run(ask_nonsense), 0));
}

/* ---- Code that reads by itself ---- */

static int read_by_ourselves(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
        cr_expect(eq(int, (int)read(ends[0], buf, 1), 1));
    }
    return 0;
}

static int send_slowly(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        send_byte(NULL);
        nido_sleep(NIDO_MS(1));
    }
    return 0;
}

static int foreign_code_reads(void *unused)
{
    int rc;

    (void)unused;
    make(true);
    rc = TOGETHER(NULL, read_by_ourselves, send_slowly);
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_wait, remembered_readiness_is_not_trusted_when_others_read)
{
    cr_expect(eq(int, io_run(foreign_code_reads), 0));
}

static int read_after_others(void *unused)
{
    (void)unused;
    cr_expect(eq(int, (int)nido_read(ends[0], buf, 16), 1));
    return 0;
}

/* Our read has found nothing; foreign code is told of a byte and takes it; ours must still learn of
 * the next. */
static int mix_both_ways(void *unused)
{
    int rc;

    (void)unused;
    nido_pipe(ends);
    send_byte(NULL);
    cr_expect(eq(int, (int)nido_read(ends[0], buf, 16), 1));
    send_byte(NULL);
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
    cr_expect(eq(int, (int)read(ends[0], buf, 1), 1));
    rc = TOGETHER(NULL, read_after_others, send_byte);
    send_byte(NULL);
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), NIDO_IN));
    cr_expect(eq(int, (int)nido_read(ends[0], buf, 16), 1), "what was waited for is read");
    io_close_pair(ends);
    return rc;
}

NIDO_TEST(fd_wait, waits_and_reads_of_one_descriptor_mix)
{
    cr_expect(eq(int, io_run(mix_both_ways), 0));
}

/* ---- Several ---- */

static int poll_several(void *unused)
{
    struct pollfd fds[] = {{more[0], POLLIN, 9}, {-1, POLLIN, 9}, {ends[0], POLLIN | POLLOUT, 9}};

    (void)unused;
    cr_expect(eq(int, nido_poll(fds, 3), 1));
    cr_expect(fds[0].revents == 0 && fds[1].revents == 0 && fds[2].revents == POLLOUT);
    fds[2].events = POLLIN;
    cr_expect(eq(int, nido_poll(fds, 3), 1));
    cr_expect(fds[0].revents == 0 && fds[2].revents == POLLIN);
    return 0;
}

static int poll_two(void *unused)
{
    int rc;

    (void)unused;
    make(true);
    nido_pipe(more);
    rc = TOGETHER(NULL, poll_several, send_byte);
    io_close_pair(ends);
    io_close_pair(more);
    return rc;
}

NIDO_TEST(fd_wait, a_poll_ends_with_the_first_that_is_ready)
{
    cr_expect(eq(int, io_run(poll_two), 0));
}

static int pipes[MANY][2];

static int poll_many(void *unused)
{
    struct pollfd fds[MANY];

    (void)unused;
    for (int i = 0; i < MANY; i++) fds[i] = (struct pollfd){pipes[i][0], POLLIN, 0};
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_poll(fds, MANY), -ENOMEM));
    faults_forget(FAULT_memory);
    cr_expect(eq(int, nido_poll(fds, MANY), 1));
    for (int i = 0; i < MANY; i++) cr_expect(eq(int, fds[i].revents, i == 13 ? POLLIN : 0));
    return 0;
}

static int poll_one_of_many(void *unused)
{
    int rc;

    (void)unused;
    for (int i = 0; i < MANY; i++) nido_pipe(pipes[i]);
    ends[1] = pipes[13][1];
    rc = TOGETHER(NULL, poll_many, send_byte);
    for (int i = 0; i < MANY; i++) io_close_pair(pipes[i]);
    return rc;
}

NIDO_TEST(fd_wait, a_poll_over_many_needs_memory_and_finds_the_one)
{
    faults_begin();
    cr_expect(eq(int, io_run(poll_one_of_many), 0));
    faults_end();
}

enum { EVERY = POLLIN | POLLOUT | POLLPRI, WITHOUT_MEMORY = 4 };

static int poll_every_event(void *number)
{
    struct pollfd fds[MANY];
    size_t n = *(size_t *)number;

    for (size_t i = 0; i < n; i++) fds[i] = (struct pollfd){pipes[i][0], EVERY, 0};
    faults_begin();
    cr_expect(eq(int, nido_poll(fds, n), 1));
    cr_expect(eq(ulong, faults_count(FAULT_memory), n > WITHOUT_MEMORY), "%zu", n);
    faults_end();
    for (size_t i = 0; i < n; i++)
        cr_expect(eq(int, fds[i].revents, i == n - 1 ? POLLIN : 0), "%zu", n);
    return 0;
}

/* Full sockets, of which nothing can be read either. */
static int poll_more_and_more(void *unused)
{
    (void)unused;
    for (size_t n = 1; n <= MANY; n++) {
        for (size_t i = 0; i < n; i++) {
            nido_socketpair(AF_UNIX, SOCK_STREAM, 0, pipes[i]);
            io_fill(pipes[i][0]);
        }
        ends[1] = pipes[n - 1][1];
        cr_expect(zero(int, TOGETHER(&n, poll_every_event, send_byte)));
        for (size_t i = 0; i < n; i++) io_close_pair(pipes[i]);
    }
    return 0;
}

NIDO_TEST(fd_wait, a_poll_of_every_event_has_room_for_each)
{
    cr_expect(eq(int, io_run(poll_more_and_more), 0));
}

static int poll_the_same_twice(void *unused)
{
    struct pollfd fds[] = {{ends[0], POLLIN, 0}, {ends[0], POLLIN, 0}, {ends[0], POLLPRI, 0}};

    (void)unused;
    cr_expect(eq(int, nido_poll(fds, 3), 2));
    cr_expect(fds[0].revents == POLLIN && fds[1].revents == POLLIN);
    return 0;
}

static int poll_duplicates(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int owned = 0; owned < 2 && !rc; owned++) {
        make(owned);
        rc = TOGETHER(NULL, poll_the_same_twice, send_byte);
        io_close_pair(ends);
    }
    return rc;
}

NIDO_TEST(fd_wait, one_descriptor_may_be_polled_twice)
{
    cr_expect(eq(int, io_run(poll_duplicates), 0));
}

static int cancelled_poll(void *unused)
{
    struct pollfd fds[] = {{0, POLLIN, 0}, {0, POLLIN, 0}};
    nido_scope scope;

    (void)unused;
    make(true);
    nido_pipe(more);
    fds[0].fd = more[0];
    fds[1].fd = ends[0];
    nido_timeout_open(&scope, NIDO_SEC(1));
    cr_expect(eq(int, nido_scope_close(&scope, nido_poll(fds, 2)), -ETIMEDOUT));
    send_byte(NULL);
    cr_expect(eq(int, nido_poll(fds, 2), 1), "nothing of the old wait is left");
    io_close_pair(ends);
    io_close_pair(more);
    return 0;
}

NIDO_TEST(fd_wait, a_cancelled_poll_leaves_nothing_behind)
{
    cr_expect(eq(int, io_run(cancelled_poll), 0));
}

static int refuse_to_watch(void *unused)
{
    struct pollfd fds[] = {{0, POLLIN, 0}, {0, POLLIN, 0}};

    (void)unused;
    make(false);
    nido_pipe(more);
    fds[0].fd = more[0];
    fds[1].fd = ends[0];
    faults_fail(FAULT_backend_change, 1, -ENOMEM);
    cr_expect(eq(int, nido_poll(fds, 2), -ENOMEM));
    cr_expect(eq(int, nido_close(more[0]), 0));
    nido_close(more[1]);
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_wait, a_poll_that_cannot_watch_all_watches_none)
{
    faults_begin();
    cr_expect(eq(int, io_run(refuse_to_watch), 0));
    faults_end();
}

/* SPDX-License-Identifier: MIT */
/* nido/fd.h: where a cancel or a deadline meets bytes, connections and readiness. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "coro/runtime/loop.h"
#include "faults.h"
#include "io_help.h"

static int ends[2];
static nido_group group; /* of the reader */
static char buf[16];

static int rd(void)
{
    return (int)nido_read(ends[0], buf, sizeof buf);
}

static int put(const char *text)
{
    return (int)nido_write(ends[1], text, strlen(text));
}

/* Opens the group and lets its one task park. */
static void begin_with(nido_fn *fn)
{
    nido_group_open(&group, NIDO_FAIL_FAST, "reader");
    cr_expect(eq(int, nido_spawn(&group, fn, NULL), 0));
    cr_expect(eq(int, nido_yield(), 0));
}

/* ---- Woken before the cancel ---- */

static int result;

static int read_and_note(void *unused)
{
    (void)unused;
    result = rd();
    cr_expect(eq(int, nido_yield(), -ECANCELED), "the cancel is seen by the next call");
    return -ECANCELED;
}

/* Data and deadline come in the same turn: the clock is moved to the deadline by a sleep that ends
 * then, and the data were written just before it. */
static int read_under_deadline(void *unused)
{
    nido_scope scope;

    (void)unused;
    nido_timeout_open(&scope, NIDO_SEC(1));
    result = rd();
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    return nido_scope_close(&scope, -ECANCELED);
}

static int write_at_the_deadline(void *unused)
{
    (void)unused;
    nido_sleep(NIDO_SEC(1));
    cr_expect(eq(int, put("data"), 4));
    return 0;
}

static int data_and_deadline_at_once(void *unused)
{
    (void)unused;
    nido_pipe(ends);
    /* The writer's alarm and the reader's deadline are the same instant; alarms are first, but the
     * deadline is claimed in the same turn, before the writer has run: nothing was there to be
     * read. */
    cr_expect(eq(int, TOGETHER(NULL, read_under_deadline, write_at_the_deadline), -ETIMEDOUT));
    cr_expect(eq(int, result, -ECANCELED));
    result = rd();
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_cancel, a_reader_whose_deadline_comes_first_leaves_the_data)
{
    cr_expect(eq(int, io_run(data_and_deadline_at_once), 0));
    cr_expect(eq(int, result, 4));
}

/* The cancel strikes between the poll that woke the reader and its turn: a post runs exactly there.
 */
static int cancel_by_post(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_group_cancel(&group, -ENODATA, "test"), 0));
    return 0;
}

static int wake_and_cancel_in_one_turn(void *unused)
{
    nido_rt *rt = nido_rt_self();

    (void)unused;
    nido_pipe(ends);
    begin_with(read_and_note);
    cr_expect(eq(int, (int)write(ends[1], "data", 4), 4));
    cr_expect(eq(int, nido_post(rt, cancel_by_post, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    nido_rt_release(rt);
    io_close_pair(ends);
    return 0;
}

/* S160 */
NIDO_TEST(fd_cancel, a_reader_woken_by_data_reads_them_though_it_is_cancelled_meanwhile)
{
    cr_expect(eq(int, io_run(wake_and_cancel_in_one_turn), 0));
    cr_expect(eq(int, result, 4));
}

/* ---- Cancelled before the data ---- */

static int expect_cancel(void *unused)
{
    (void)unused;
    result = rd();
    return result;
}

static int cancel_then_data(void *unused)
{
    (void)unused;
    nido_pipe(ends);
    begin_with(expect_cancel);
    cr_expect(eq(int, nido_group_cancel(&group, -ENODATA, "test"), 0));
    cr_expect(eq(int, (int)write(ends[1], "data", 4), 4));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    cr_expect(eq(int, result, -ECANCELED));
    cr_expect(eq(int, rd(), 4), "the next reader gets them all");
    cr_expect(eq(int, memcmp(buf, "data", 4), 0));
    io_close_pair(ends);
    return 0;
}

/* S161 */
NIDO_TEST(fd_cancel, a_cancelled_reader_makes_no_system_call)
{
    unsigned long reads;

    faults_begin();
    cr_expect(eq(int, io_run(cancel_then_data), 0));
    reads = faults_count(FAULT_read);
    faults_end();
    cr_expect(eq(ulong, reads, 2), "the one that found nothing, and the next reader's");
}

/* ---- Cancelled on entry ---- */

/* Every call of fd.h that waits, in a cancelled scope: refused, and nothing is done. */
static void refused(int fd)
{
    struct pollfd ask = {fd, POLLIN | POLLOUT, 9};
    struct iovec iov = {buf, 1};
    size_t done = 9;

    cr_expect(eq(int, (int)nido_read(fd, buf, 1), -ECANCELED));
    cr_expect(eq(int, (int)nido_read(fd, buf, 0), -ECANCELED));
    cr_expect(eq(int, (int)nido_readv(fd, &iov, 1), -ECANCELED));
    cr_expect(eq(int, (int)nido_write(fd, buf, 1), -ECANCELED));
    cr_expect(eq(int, (int)nido_writev(fd, &iov, 1), -ECANCELED));
    cr_expect(eq(int, nido_read_full(fd, buf, 1, &done), -ECANCELED));
    cr_expect(eq(sz, done, 0));
    done = 9;
    cr_expect(eq(int, nido_write_all(fd, buf, 1, &done), -ECANCELED));
    cr_expect(eq(sz, done, 0));
    cr_expect(eq(int, nido_wait_fd(fd, NIDO_IN | NIDO_OUT), -ECANCELED));
    cr_expect(eq(int, nido_poll(&ask, 1), -ECANCELED));
    cr_expect(eq(int, ask.revents, 9));
}

static unsigned long calls(void)
{
    unsigned long total = 0;

    for (int kind = 0; kind < FAULT_memory; kind++)
        if (kind != FAULT_backend_wait) total += faults_count((enum fault)kind);
    return total;
}

static int enter_cancelled(void *unused)
{
    unsigned long before;
    nido_scope scope;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    cr_expect(eq(int, put("data"), 4));
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, "test");
    before = calls();
    refused(ends[0]);
    cr_expect(eq(ulong, calls(), before), "no system call");
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), 0));
    cr_expect(eq(int, rd(), 4), "the data stay");
    io_close_pair(ends);
    return 0;
}

/* S80 */
NIDO_TEST(fd_cancel, in_a_cancelled_scope_every_call_is_refused_without_effect)
{
    faults_begin();
    cr_expect(eq(int, io_run(enter_cancelled), 0));
    faults_end();
}

static int enter_late(void *unused)
{
    nido_scope scope;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    cr_expect(eq(int, put("data"), 4));
    nido_deadline_open(&scope, nido_now() - 1);
    refused(ends[0]);
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    cr_expect(eq(int, rd(), 4), "the data stay");
    io_close_pair(ends);
    return 0;
}

/* S277 */
NIDO_TEST(fd_cancel, a_read_past_its_deadline_leaves_the_data)
{
    cr_expect(eq(int, io_run(enter_late), 0));
}

static int compute_past_the_deadline(void *unused)
{
    nido_scope scope;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    cr_expect(eq(int, put("data"), 4));
    nido_timeout_open(&scope, NIDO_SEC(1));
    nidoi_clock_jump(&nidoi_loop_self()->clock, nido_now() + NIDO_SEC(2)); /* hard work */
    refused(ends[0]);
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    cr_expect(eq(int, rd(), 4), "the data stay");
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_cancel, work_past_a_deadline_is_noticed_by_the_next_call)
{
    cr_expect(eq(int, io_run(compute_past_the_deadline), 0));
}

/* ---- Deadlines that race with data ---- */

enum { ROUNDS = 1000 };

static int send_numbers(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char byte = (unsigned char)i;

        if (nido_write_all(ends[1], &byte, 1, NULL) != 0) return -EIO;
        nido_sleep(NIDO_US(i * 7919 % 13));
    }
    return nido_close(ends[1]);
}

/* Reads under ever new deadlines that are moved while the data come. */
static int read_numbers(void *unused)
{
    int count = 0;

    (void)unused;
    for (int i = 0;; i++) {
        unsigned char byte;
        nido_scope scope;
        ssize_t n;
        int rc;

        nido_timeout_open(&scope, NIDO_US(i * 104729 % 17));
        if (i % 3) nido_scope_move(&scope, nido_after(NIDO_US(i * 31 % 11)));
        n = nido_read(ends[0], &byte, 1);
        rc = nido_scope_close(&scope, (int)n);
        if (n == 0) break;
        if (rc == -ETIMEDOUT) {
            nido_sleep(NIDO_US(1));
            continue;
        }
        cr_expect(eq(int, rc, 1));
        cr_expect(eq(int, byte, (unsigned char)count++));
    }
    cr_expect(eq(int, count, ROUNDS));
    return 0;
}

static int race_with_deadlines(void *unused)
{
    int rc;

    (void)unused;
    nido_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    rc = TOGETHER(NULL, read_numbers, send_numbers);
    nido_close(ends[0]);
    return rc;
}

/* S278 */
NIDO_TEST(fd_cancel, a_thousand_deadlines_that_race_with_data_lose_no_byte)
{
    cr_expect(eq(int, io_run(race_with_deadlines), 0));
}

/* ---- Accepting ---- */

static int accepted;

static int accept_and_note(void *unused)
{
    (void)unused;
    accepted = nido_accept(ends[0], NULL, NULL);
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    return -ECANCELED;
}

static int connect_and_cancel_in_one_turn(void *unused)
{
    nido_rt *rt = nido_rt_self();

    (void)unused;
    ends[0] = io_listen();
    begin_with(accept_and_note);
    ends[1] = io_connect();
    cr_expect(eq(int, nido_post(rt, cancel_by_post, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), -ENODATA));
    cr_expect(ge(int, accepted, 0));
    nido_close(accepted);
    nido_rt_release(rt);
    io_close_pair(ends);
    return 0;
}

/* S164 */
NIDO_TEST(fd_cancel, an_accept_woken_by_a_connection_returns_it_though_it_is_cancelled)
{
    cr_expect(eq(int, io_run(connect_and_cancel_in_one_turn), 0));
}

static int cancelled_accept(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_accept(ends[0], NULL, NULL), -ECANCELED));
    return -ECANCELED;
}

static int connect_after_cancel(void *unused)
{
    (void)unused;
    ends[0] = io_listen();
    begin_with(cancelled_accept);
    nido_group_cancel(&group, 0, "test");
    ends[1] = io_connect();
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    accepted = nido_accept(ends[0], NULL, NULL);
    cr_expect(ge(int, accepted, 0), "it has stayed in the queue");
    nido_close(accepted);
    io_close_pair(ends);
    return 0;
}

NIDO_TEST(fd_cancel, an_accept_that_was_cancelled_leaves_the_connection)
{
    cr_expect(eq(int, io_run(connect_after_cancel), 0));
}

/* SPDX-License-Identifier: MIT */
/* reactor/kqueue.c: what is its own; what both backends promise is in reactor.c. */
#include <errno.h>
#include <fcntl.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "faults.h"
#include "nido_test.h"
#include "reactor/reactor.h"

enum { BOTH = NIDOI_READABLE | NIDOI_WRITABLE, GENERATION = 7 };

static struct nidoi_wakeup wakeup;
static struct nidoi_backend backend;
static struct nidoi_ready ready[8];
static int fds[2];

static void begin(void)
{
    cr_assert(eq(int, nidoi_wakeup_open(&wakeup), 0));
    cr_assert(eq(int, nidoi_backend_open(&backend, &wakeup), 0));
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0));
}

static void end(void)
{
    close(fds[0]);
    close(fds[1]);
    nidoi_backend_close(&backend);
    nidoi_wakeup_close(&wakeup);
}

static void put_byte(int fd)
{
    cr_assert(eq(int, (int)write(fd, "x", 1), 1));
}

static int add(void)
{
    return nidoi_backend_add(&backend, fds[0], GENERATION);
}

static int arm(unsigned events, bool known)
{
    return nidoi_backend_arm(&backend, fds[0], GENERATION, events, known);
}

static int wait_now(void)
{
    return nidoi_backend_wait(&backend, ready, 8, 0);
}

static void expect_report(unsigned events, unsigned spent)
{
    cr_expect(eq(int, wait_now(), 1));
    cr_expect(ready[0].fd == fds[0] && ready[0].generation == GENERATION);
    cr_expect(eq(uint, ready[0].events, events));
    cr_expect(eq(uint, ready[0].spent & (NIDOI_READABLE | NIDOI_WRITABLE), spent));
}

/* ---- The wake-up ---- */

NIDO_TEST(kqueue, a_wakeup_outlives_its_backend)
{
    begin();
    add();
    nidoi_backend_close(&backend);
    nidoi_wakeup_send(&wakeup);
    nidoi_wakeup_send(&wakeup);
    end();
}

/* What a child would do; there the number is closed already, and may be another descriptor's. */
NIDO_TEST(kqueue, abandoning_closes_nothing)
{
    struct nidoi_backend childs;
    struct nidoi_wakeup childs_wakeup;

    begin();
    childs = backend;
    childs_wakeup = wakeup;
    faults_begin();
    nidoi_backend_abandon(&childs, &childs_wakeup);
    cr_expect(eq(ulong, faults_count(FAULT_close), 0));
    faults_end();
    cr_expect(childs.fd == -1 && childs_wakeup.fd == -1);
    end();
}

NIDO_TEST(kqueue, a_ring_is_used_up_by_the_wait_that_it_ends)
{
    static const struct timespec at_once;
    struct kevent event;

    begin();
    nidoi_wakeup_send(&wakeup);
    cr_expect(eq(int, nidoi_backend_wait(&backend, ready, 8, -1), 0));
    cr_expect(eq(int, kevent(wakeup.fd, NULL, 0, &event, 1, &at_once), 0));
    end();
}

/* ---- Two entries for a descriptor ---- */

NIDO_TEST(kqueue, directions_are_reported_and_spent_one_by_one)
{
    begin();
    cr_expect(eq(int, arm(BOTH, false), 0));
    expect_report(NIDOI_WRITABLE, NIDOI_WRITABLE);
    cr_expect(eq(int, wait_now(), 0));
    put_byte(fds[1]);
    expect_report(NIDOI_READABLE, NIDOI_READABLE);
    cr_expect(eq(int, wait_now(), 0), "both are spent");
    cr_expect(eq(int, arm(NIDOI_READABLE, true), 0));
    expect_report(NIDOI_READABLE, NIDOI_READABLE);
    end();
}

static void ignore(struct nidoi_watch *watch, int result)
{
    (void)watch, (void)result;
}

NIDO_TEST(kqueue, a_direction_that_is_still_armed_is_not_armed_again)
{
    struct nidoi_watch reader = {.fire = ignore, .direction = NIDOI_READING};
    struct nidoi_watch writer = {.fire = ignore, .direction = NIDOI_WRITING};
    struct nidoi_reactor reactor;
    unsigned long before;

    begin();
    reader.fd = writer.fd = fds[0];
    cr_assert(eq(int, nidoi_reactor_init(&reactor, &wakeup), 0));
    cr_expect(eq(int, nidoi_reactor_watch(&reactor, &reader), 0));
    cr_expect(eq(int, nidoi_reactor_watch(&reactor, &writer), 0));
    faults_begin();
    before = faults_count(FAULT_backend_change);
    cr_expect(eq(int, nidoi_reactor_poll(&reactor, 0), 1));
    cr_expect(eq(sz, reactor.watching, 1));
    put_byte(fds[1]);
    cr_expect(eq(int, nidoi_reactor_poll(&reactor, 0), 1));
    cr_expect(eq(sz, reactor.watching, 0));
    cr_expect(eq(ulong, faults_count(FAULT_backend_change), before));
    faults_end();
    nidoi_reactor_deinit(&reactor);
    end();
}

NIDO_TEST(kqueue, a_direction_that_was_never_armed_is_known_nevertheless)
{
    begin();
    cr_expect(eq(int, arm(NIDOI_READABLE, false), 0));
    cr_expect(eq(int, arm(NIDOI_WRITABLE, true), 0));
    expect_report(NIDOI_WRITABLE, NIDOI_WRITABLE);
    end();
}

NIDO_TEST(kqueue, in_each_direction_a_closed_number_is_found_out)
{
    static const unsigned directions[] = {NIDOI_READABLE, NIDOI_WRITABLE};

    for (int i = 0; i < 2; i++) {
        int second;

        begin();
        cr_expect(eq(int, arm(directions[i], false), 0));
        second = dup(fds[0]);
        cr_assert(eq(int, dup2(fds[1], fds[0]), fds[0]));
        cr_expect(eq(int, arm(directions[i], true), -ENOENT));
        cr_expect(not(nidoi_backend_has(&backend, fds[0], GENERATION)));
        close(second);
        end();
    }
}

NIDO_TEST(kqueue, removing_takes_both_directions_out)
{
    begin();
    cr_expect(eq(int, add(), 0));
    nidoi_backend_remove(&backend, fds[0]);
    put_byte(fds[1]);
    cr_expect(eq(int, wait_now(), 0));
    cr_expect(eq(int, arm(NIDOI_READABLE, true), -ENOENT));
    cr_expect(eq(int, arm(NIDOI_WRITABLE, true), -ENOENT));
    nidoi_backend_remove(&backend, fds[0]);
    end();
}

/* ---- What has no filter ---- */

NIDO_TEST(kqueue, files_are_refused_before_the_kernel_is_asked)
{
    static const char *const names[] = {"/proc/self/exe", "/"};

    begin();
    faults_begin();
    for (int i = 0; i < 2; i++) {
        int file = open(names[i], O_RDONLY | O_CLOEXEC);

        cr_expect(eq(int, nidoi_backend_add(&backend, file, GENERATION), -EPERM));
        cr_expect(
            eq(int, nidoi_backend_arm(&backend, file, GENERATION, NIDOI_READABLE, false), -EPERM));
        close(file);
    }
    cr_expect(eq(ulong, faults_count(FAULT_backend_change), 0));
    faults_end();
    end();
}

NIDO_TEST(kqueue, what_has_no_filter_for_reading_cannot_be_watched)
{
    static const int codes[] = {-EINVAL, -ENODEV};

    begin();
    faults_begin();
    for (int i = 0; i < 2; i++) {
        faults_fail(FAULT_backend_change, 1, codes[i]);
        cr_expect(eq(int, add(), -EPERM));
        faults_fail(FAULT_backend_change, 1, codes[i]);
        cr_expect(eq(int, arm(NIDOI_READABLE, false), -EPERM));
    }
    faults_end();
    end();
}

/* The wake-up of another runtime is a kqueue, and that can only be read. */
NIDO_TEST(kqueue, what_has_no_filter_for_writing_can_be_read)
{
    struct nidoi_wakeup other;

    begin();
    cr_assert(eq(int, nidoi_wakeup_open(&other), 0));
    cr_expect(eq(int, nidoi_backend_add(&backend, other.fd, GENERATION), 0));
    cr_expect(nidoi_backend_has(&backend, other.fd, GENERATION));
    cr_expect(eq(int, wait_now(), 0));
    nidoi_wakeup_send(&other);
    cr_expect(eq(int, wait_now(), 1));
    cr_expect(ready[0].fd == other.fd && ready[0].events == NIDOI_READABLE);
    nidoi_backend_remove(&backend, other.fd);
    cr_expect(
        eq(int, nidoi_backend_arm(&backend, other.fd, GENERATION, NIDOI_WRITABLE, false), -EPERM));
    cr_expect(eq(int, nidoi_backend_arm(&backend, other.fd, GENERATION, NIDOI_READABLE, false), 0));
    cr_expect(eq(int, wait_now(), 1), "nobody has taken the ring from it");
    nidoi_wakeup_close(&other);
    end();
}

NIDO_TEST(kqueue, who_would_write_where_nobody_reads_is_told)
{
    int ends[2];

    begin();
    cr_assert(eq(int, pipe(ends), 0));
    close(ends[0]);
    cr_expect(eq(int, nidoi_backend_arm(&backend, ends[1], GENERATION, BOTH, false), -EPIPE));
    cr_expect(eq(int, wait_now(), 0), "nothing of it is left");
    cr_expect(eq(int, nidoi_backend_add(&backend, ends[1], GENERATION), 0), "a try will tell");
    cr_expect(eq(int, wait_now(), 1));
    cr_expect(eq(uint, ready[0].events, NIDOI_READABLE | NIDOI_ENDING));
    close(ends[1]);
    end();
}

/* ---- Ends ---- */

NIDO_TEST(kqueue, an_end_with_bytes_before_it_is_one_report)
{
    begin();
    cr_expect(eq(int, arm(NIDOI_READABLE, false), 0));
    put_byte(fds[1]);
    shutdown(fds[1], SHUT_WR);
    expect_report(NIDOI_READABLE | NIDOI_ENDING, NIDOI_READABLE);
    end();
}

NIDO_TEST(kqueue, a_reader_that_leaves_breaks_the_pipe)
{
    int ends[2];

    begin();
    cr_assert(eq(int, pipe(ends), 0));
    cr_expect(eq(int, nidoi_backend_arm(&backend, ends[1], GENERATION, NIDOI_WRITABLE, false), 0));
    close(ends[0]);
    cr_expect(eq(int, wait_now(), 1));
    cr_expect(eq(uint, ready[0].events, NIDOI_WRITABLE | NIDOI_BROKEN));
    close(ends[1]);
    end();
}

/* Closing with unread bytes is an error for the other end. */
NIDO_TEST(kqueue, an_error_at_the_end_breaks_the_descriptor)
{
    begin();
    put_byte(fds[0]);
    cr_expect(eq(int, arm(NIDOI_READABLE, false), 0));
    close(fds[1]);
    expect_report(NIDOI_READABLE | NIDOI_ENDING | NIDOI_BROKEN, NIDOI_READABLE);
    end();
}

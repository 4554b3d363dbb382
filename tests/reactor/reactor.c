/* SPDX-License-Identifier: MIT */
/* reactor/reactor.h: who waits for which descriptor, with no task in sight. */
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/sys.h"
#include "faults.h"
#include "nido_test.h"

static struct nidoi_wakeup wakeup;
static struct nidoi_reactor reactor;

static void begin(void)
{
    cr_assert(eq(int, nidoi_wakeup_open(&wakeup), 0));
    cr_assert(eq(int, nidoi_reactor_init(&reactor, &wakeup), 0));
}

static void end(void)
{
    nidoi_reactor_deinit(&reactor);
    nidoi_wakeup_close(&wakeup);
}

/* Somebody who waits: counts how often it was fired, with what, and as which of all. */
struct waiter {
    struct nidoi_watch watch;
    int fired, result, turn;
};

static int turns;

static void note(struct nidoi_watch *watch, int result)
{
    struct waiter *waiter = nidoi_container(watch, struct waiter, watch);

    waiter->fired++;
    waiter->result = result;
    waiter->turn = turns++;
}

static struct waiter waiter_for(int fd, enum nidoi_direction direction)
{
    return (struct waiter){.watch = {.fire = note, .fd = fd, .direction = direction}};
}

static int watch(struct waiter *waiter)
{
    return nidoi_reactor_watch(&reactor, &waiter->watch);
}

static void unwatch(struct waiter *waiter)
{
    nidoi_reactor_unwatch(&reactor, &waiter->watch);
}

static int poll_now(void)
{
    return nidoi_reactor_poll(&reactor, 0);
}

static void close_pair(const int *fds)
{
    close(fds[0]);
    close(fds[1]);
}

static void pair(int *fds)
{
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0));
}

static void put_byte(int fd)
{
    cr_assert(eq(int, (int)write(fd, "x", 1), 1));
}

static void take_byte(int fd)
{
    char byte;

    cr_assert(eq(int, (int)read(fd, &byte, 1), 1));
}

/* Nothing fits in any more. */
static void fill(int fd)
{
    static const char block[4096];

    while (write(fd, block, sizeof block) > 0) continue;
}

/* ---- Foreign descriptors ---- */

NIDO_TEST(reactor, a_foreign_watch_fires_once_and_is_unlinked_before)
{
    struct waiter reader;
    int fds[2];

    begin();
    pair(fds);
    reader = waiter_for(fds[0], NIDOI_READING);
    cr_expect(eq(int, watch(&reader), 0));
    cr_expect(eq(int, poll_now(), 0));
    cr_expect(eq(sz, reactor.watching, 1));
    put_byte(fds[1]);
    cr_expect(eq(int, poll_now(), 1));
    cr_expect(reader.fired == 1 && reader.result == 0 && !nidoi_linked(&reader.watch.link));
    cr_expect(eq(sz, reactor.watching, 0));
    cr_expect(eq(int, poll_now(), 0), "it was armed for one report");
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, a_foreign_watch_costs_one_call_to_the_kernel_once_it_is_known)
{
    struct waiter reader;
    int fds[2];

    begin();
    pair(fds);
    faults_begin();
    for (unsigned i = 1; i <= 3; i++) {
        reader = waiter_for(fds[0], NIDOI_READING);
        cr_expect(eq(int, watch(&reader), 0));
        cr_expect(eq(ulong, faults_count(FAULT_backend_change), CHANGES_A_DESCRIPTOR + i - 1));
        put_byte(fds[1]);
        poll_now();
        cr_expect(eq(int, reader.fired, 1));
        take_byte(fds[0]);
    }
    faults_end();
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, both_directions_of_a_foreign_descriptor_are_waited_for)
{
    struct waiter reader, writer;
    int fds[2];

    begin();
    pair(fds);
    reader = waiter_for(fds[0], NIDOI_READING);
    writer = waiter_for(fds[0], NIDOI_WRITING);
    cr_expect(eq(int, watch(&reader), 0));
    cr_expect(eq(int, watch(&writer), 0));
    cr_expect(eq(int, poll_now(), 1));
    cr_expect(writer.fired == 1 && reader.fired == 0);
    put_byte(fds[1]);
    cr_expect(eq(int, poll_now(), 1), "the reader was armed again");
    cr_expect(eq(int, reader.fired, 1));
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, a_watch_that_was_taken_back_never_fires)
{
    struct waiter reader, other;
    int fds[2];

    begin();
    pair(fds);
    reader = other = waiter_for(fds[0], NIDOI_READING);
    watch(&reader);
    watch(&other);
    unwatch(&reader);
    put_byte(fds[1]);
    poll_now();
    cr_expect(reader.fired == 0 && other.fired == 1);
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, what_is_always_ready_cannot_be_watched)
{
    struct waiter reader;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    begin();
    reader = waiter_for(fd, NIDOI_READING);
    cr_expect(eq(int, watch(&reader), -EPERM));
    cr_expect(not(nidoi_linked(&reader.watch.link)));
    cr_expect(eq(int, nidoi_reactor_own(&reactor, fd, 0), -EPERM));
    cr_expect(eq(sz, reactor.watching, 0));
    close(fd);
    end();
}

NIDO_TEST(reactor, a_number_that_is_not_open_is_told)
{
    struct waiter closed, negative = waiter_for(-1, NIDOI_READING);
    int fds[2];

    begin();
    pair(fds);
    close_pair(fds);
    closed = waiter_for(fds[0], NIDOI_READING);
    cr_expect(eq(int, watch(&closed), -EBADF));
    cr_expect(eq(int, watch(&negative), -EBADF));
    cr_expect(eq(int, nidoi_reactor_own(&reactor, fds[0], 0), -EBADF));
    cr_expect(eq(ptr, nidoi_reactor_find(&reactor, -1), NULL));
    cr_expect(eq(ptr, nidoi_reactor_find(&reactor, INT_MAX), NULL));
    nidoi_reactor_drop(&reactor, INT_MAX);
    end();
}

NIDO_TEST(reactor, a_writer_whose_peer_sends_no_more_waits_in_peace)
{
    struct waiter writer;
    int fds[2];

    begin();
    pair(fds);
    fill(fds[0]);
    shutdown(fds[1], SHUT_WR);
    writer = waiter_for(fds[0], NIDOI_WRITING);
    cr_expect(eq(int, watch(&writer), 0));
    poll_now();
    cr_expect(eq(int, poll_now(), 0), "the end of the other direction is no news for a writer");
    cr_expect(eq(int, writer.fired, 0));
    unwatch(&writer);
    close_pair(fds);
    end();
}

/* ---- Numbers that were closed without nido_close ---- */

/* Closes fds[0] and gives its number to one end of a new pair; returns the other end. */
static int replace(int *fds)
{
    int fresh[2];

    pair(fresh);
    cr_assert(eq(int, dup2(fresh[0], fds[0]), fds[0]));
    close(fresh[0]);
    return fresh[1];
}

NIDO_TEST(reactor, who_waits_for_a_replaced_file_is_told_when_the_next_comes)
{
    struct waiter old, young;
    int fds[2], peer;

    begin();
    pair(fds);
    old = young = waiter_for(fds[0], NIDOI_READING);
    cr_expect(eq(int, watch(&old), 0));
    peer = replace(fds);
    cr_expect(eq(int, watch(&young), 0));
    cr_expect(old.fired == 1 && old.result == -EBADF);
    put_byte(peer);
    poll_now();
    cr_expect(young.fired == 1 && young.result == 0, "the new file is watched");
    if (!young.fired) unwatch(&young);
    if (!old.fired) unwatch(&old);
    close(peer);
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, staleness_is_found_out_on_demand)
{
    struct waiter old;
    int fds[2], peer;

    begin();
    pair(fds);
    old = waiter_for(fds[0], NIDOI_READING);
    cr_expect(not(nidoi_reactor_stale(&reactor, fds[0])), "never seen");
    cr_expect(eq(int, watch(&old), 0));
    cr_expect(not(nidoi_reactor_stale(&reactor, fds[0])), "alive");
    peer = replace(fds);
    cr_expect(nidoi_reactor_stale(&reactor, fds[0]));
    cr_expect(old.fired == 1 && old.result == -EBADF);
    cr_expect(not(nidoi_reactor_stale(&reactor, fds[0])), "the number has started anew");
    close(peer);
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, a_number_used_again_when_nobody_waits_is_watched_anew)
{
    struct waiter reader;
    int fds[2], peer;

    begin();
    pair(fds);
    reader = waiter_for(fds[0], NIDOI_READING);
    watch(&reader);
    put_byte(fds[1]);
    poll_now();
    peer = replace(fds);
    reader = waiter_for(fds[0], NIDOI_READING);
    cr_expect(eq(int, watch(&reader), 0));
    cr_expect(eq(int, poll_now(), 0));
    put_byte(peer);
    cr_expect(eq(int, poll_now(), 1));
    cr_expect(reader.fired == 1 && reader.result == 0);
    close(peer);
    close_pair(fds);
    end();
}

/* A second number of the old file keeps its registration alive in the kernel. */
NIDO_TEST(reactor, reports_about_an_earlier_file_do_not_reach_the_present_one)
{
    struct waiter old, young;
    int fds[2], peer, second;

    begin();
    pair(fds);
    second = dup(fds[0]);
    old = young = waiter_for(fds[0], NIDOI_READING);
    watch(&old);
    peer = replace(fds);
    cr_expect(nidoi_reactor_stale(&reactor, fds[0]));
    cr_expect(eq(int, watch(&young), 0));
    put_byte(fds[1]);
    poll_now();
    cr_expect(eq(int, young.fired, 0));
    put_byte(peer);
    poll_now();
    cr_expect(eq(int, young.fired, 1));
    close(second);
    close(peer);
    close_pair(fds);
    end();
}

/* The number comes back to a file that was watched by it before, and that another number has kept
 * alive meanwhile. */
NIDO_TEST(reactor, a_registration_left_by_an_earlier_owner_is_taken_over)
{
    struct waiter first, again;
    int fds[2], peer, second;

    begin();
    pair(fds);
    second = dup(fds[0]);
    first = again = waiter_for(fds[0], NIDOI_READING);
    watch(&first);
    peer = replace(fds);
    cr_expect(nidoi_reactor_stale(&reactor, fds[0]));
    cr_assert(eq(int, dup2(second, fds[0]), fds[0]));
    cr_expect(eq(int, watch(&again), 0));
    put_byte(fds[1]);
    poll_now();
    cr_expect(again.fired == 1 && again.result == 0);
    nidoi_reactor_drop(&reactor, fds[0]);
    close(second);
    close(peer);
    close_pair(fds);
    end();
}

/* ---- The kernel refuses ---- */

NIDO_TEST(reactor, a_watch_that_the_kernel_refuses_is_not_linked)
{
    static const int codes[] = {-ENOMEM, -ENOSPC};
    struct waiter reader;
    int fds[2];

    begin();
    pair(fds);
    faults_begin();
    for (unsigned i = 0; i < 2 * CHANGES_A_DESCRIPTOR; i++) {
        reader = waiter_for(fds[0], NIDOI_READING);
        faults_fail(FAULT_backend_change, 1 + i / 2, codes[i % 2]);
        cr_expect(eq(int, watch(&reader), codes[i % 2]));
        cr_expect(reactor.watching == 0 && !nidoi_linked(&reader.watch.link));
    }
    cr_expect(eq(int, watch(&reader), 0), "the next try is a new one");
    put_byte(fds[1]);
    poll_now();
    cr_expect(eq(int, reader.fired, 1));
    faults_end();
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, without_memory_for_a_slot_nothing_is_watched)
{
    struct waiter reader;
    int fds[2];

    begin();
    pair(fds);
    reader = waiter_for(fds[0], NIDOI_READING);
    faults_begin();
    for (unsigned nth = 1; nth <= 2; nth++) { /* the table, then its chunk */
        faults_fail(FAULT_memory, nth, 0);
        cr_expect(eq(int, watch(&reader), -ENOMEM));
        cr_expect(eq(sz, reactor.watching, 0));
    }
    faults_end();
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, who_cannot_be_armed_again_is_told_to_look_for_himself)
{
    struct waiter first, second;
    int fds[2];

    begin();
    pair(fds);
    first = second = waiter_for(fds[0], NIDOI_READING);
    first.watch.shared = second.watch.shared = true;
    watch(&first);
    watch(&second);
    put_byte(fds[1]);
    faults_begin();
    faults_fail(FAULT_backend_change, 1, -ENOMEM);
    poll_now();
    faults_end();
    cr_expect(first.fired == 1 && second.fired == 1);
    cr_expect(eq(sz, reactor.watching, 0));
    close_pair(fds);
    end();
}

NIDO_TEST(reactor, opening_fails_cleanly_at_each_of_its_steps)
{
    static const enum fault openings[] = {BACKEND_OPENINGS, FAULT_backend_change};

    faults_begin();
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        int err;

        faults_fail(openings[i], 1, -EMFILE);
        err = nidoi_wakeup_open(&wakeup);
        if (!err) {
            err = nidoi_reactor_init(&reactor, &wakeup);
            nidoi_wakeup_close(&wakeup);
        }
        cr_expect(eq(int, err, -EMFILE));
    }
    faults_end();
}

NIDO_TEST(reactor, an_interrupted_wait_brings_nothing)
{
    begin();
    faults_begin();
    faults_fail(FAULT_backend_wait, 1, -EINTR);
    cr_expect(eq(int, nidoi_reactor_poll(&reactor, -1), 0));
    faults_end();
    end();
}

NIDO_TEST(reactor, the_wakeup_ends_a_wait_and_is_no_report)
{
    begin();
    nidoi_wakeup_send(&wakeup);
    cr_expect(eq(int, nidoi_reactor_poll(&reactor, -1), 0));
    nidoi_wakeup_send(&wakeup);
    nidoi_wakeup_send(&wakeup);
    cr_expect(eq(int, nidoi_reactor_poll(&reactor, -1), 0));
    end();
}

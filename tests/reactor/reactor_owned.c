/* SPDX-License-Identifier: MIT */
/* reactor/reactor.h: descriptors that are registered for good, shared watches, numbers that leave
 * our hands. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/sys.h"
#include "faults.h"
#include "nido_test.h"
#include "reactor/reactor.h"

enum { READ_BIT = 1 << NIDOI_READING, WRITE_BIT = 1 << NIDOI_WRITING };

static struct nidoi_wakeup wakeup;
static struct nidoi_reactor reactor;
static int fds[2]; /* a pair of stream sockets, the first of them owned */

static struct nidoi_fd *slot(void)
{
    return nidoi_reactor_find(&reactor, fds[0]);
}

static int poll_now(void)
{
    return nidoi_reactor_poll(&reactor, 0);
}

/* Owns one end of a pair and takes the first edge, which says that it can be written. */
static void begin(void)
{
    cr_assert(eq(int, nidoi_wakeup_open(&wakeup), 0));
    cr_assert(eq(int, nidoi_reactor_init(&reactor, &wakeup), 0));
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0));
    cr_assert(eq(int, nidoi_reactor_own(&reactor, fds[0], NIDOI_FD_SOCKET), 0));
    poll_now();
}

static void end(void)
{
    nidoi_reactor_drop(&reactor, fds[0]);
    close(fds[0]);
    close(fds[1]);
    nidoi_reactor_deinit(&reactor);
    nidoi_wakeup_close(&wakeup);
}

struct waiter {
    struct nidoi_watch watch;
    int fired, result;
    struct waiter *takes_back; /* when fired, as a wait for several does */
};

static void note(struct nidoi_watch *watch, int result)
{
    struct waiter *waiter = nidoi_container(watch, struct waiter, watch);

    waiter->fired++;
    waiter->result = result;
    if (waiter->takes_back) nidoi_reactor_unwatch(&reactor, &waiter->takes_back->watch);
}

/* Waits in a direction of fds[0]. */
static void watch(struct waiter *waiter, enum nidoi_direction direction, bool shared)
{
    *waiter = (struct waiter){
        .watch = {.fire = note, .fd = fds[0], .direction = direction, .shared = shared}};
    cr_expect(eq(int, nidoi_reactor_watch(&reactor, &waiter->watch), 0));
}

static void put_byte(void)
{
    cr_assert(eq(int, (int)write(fds[1], "x", 1), 1));
}

/* ---- Edges ---- */

NIDO_TEST(reactor_owned, a_new_descriptor_is_worth_a_try_in_both_directions)
{
    begin();
    cr_expect(eq(int, slot()->ready, READ_BIT | WRITE_BIT));
    cr_expect(slot()->flags & NIDOI_FD_OWNED && slot()->flags & NIDOI_FD_SOCKET);
    end();
}

NIDO_TEST(reactor_owned, owning_costs_what_entering_costs_and_watching_nothing)
{
    struct waiter reader;

    faults_begin();
    begin();
    cr_expect(eq(ulong, faults_count(FAULT_backend_change), 1 + CHANGES_A_DESCRIPTOR),
              "that of the wake-up and ours");
    for (int i = 0; i < 10; i++) {
        watch(&reader, NIDOI_READING, false);
        put_byte();
        poll_now();
        cr_expect(eq(int, reader.fired, 1));
    }
    cr_expect(eq(int, nidoi_reactor_own(&reactor, fds[0], 0), 0), "a second time is fine");
    cr_expect(ne(int, slot()->flags &NIDOI_FD_SOCKET, 0), "and changes nothing");
    cr_expect(eq(ulong, faults_count(FAULT_backend_change), 2 + CHANGES_A_DESCRIPTOR));
    end();
    faults_end();
}

NIDO_TEST(reactor_owned, an_edge_nobody_waited_for_is_remembered)
{
    begin();
    slot()->ready = 0;
    put_byte();
    cr_expect(eq(int, poll_now(), 1));
    cr_expect(ne(int, slot()->ready &READ_BIT, 0));
    cr_expect(eq(int, poll_now(), 0), "an edge comes once");
    end();
}

NIDO_TEST(reactor_owned, the_end_of_the_bytes_wakes_readers_and_is_sticky)
{
    struct waiter reader;

    begin();
    watch(&reader, NIDOI_READING, false);
    shutdown(fds[1], SHUT_WR);
    poll_now();
    cr_expect(reader.fired == 1 && reader.result == 0);
    cr_expect(eq(int, slot()->sticky, NIDOI_ENDING));
    end();
}

NIDO_TEST(reactor_owned, a_hang_up_wakes_both_directions)
{
    struct waiter reader, writer;

    begin();
    watch(&reader, NIDOI_READING, false);
    watch(&writer, NIDOI_WRITING, false);
    shutdown(fds[0], SHUT_RDWR); /* of a Unix socket: hangs both ends up */
    poll_now();
    cr_expect(reader.fired == 1 && reader.result == 0);
    cr_expect(writer.fired == 1 && writer.result == 0);
    cr_expect(ne(int, slot()->sticky &NIDOI_BROKEN, 0));
    end();
}

NIDO_TEST(reactor_owned, everybody_who_does_not_share_is_fired)
{
    struct waiter a, b;

    begin();
    watch(&a, NIDOI_READING, false);
    watch(&b, NIDOI_READING, false);
    put_byte();
    poll_now();
    cr_expect(a.fired == 1 && b.fired == 1);
    end();
}

NIDO_TEST(reactor_owned, a_watch_may_take_others_back_while_it_fires)
{
    struct waiter a, b, c;

    begin();
    watch(&a, NIDOI_READING, false);
    watch(&b, NIDOI_READING, false);
    watch(&c, NIDOI_WRITING, false);
    a.takes_back = &b;
    b.takes_back = &c;
    put_byte();
    poll_now();
    cr_expect(a.fired == 1 && b.fired == 0);
    cr_expect(eq(sz, reactor.watching, c.fired ? 0 : 1));
    end();
}

/* ---- Shared watches ---- */

NIDO_TEST(reactor_owned, an_edge_fires_the_first_of_those_who_share)
{
    struct waiter a, b, c;

    begin();
    watch(&a, NIDOI_READING, true);
    watch(&b, NIDOI_READING, true);
    watch(&c, NIDOI_READING, true);
    put_byte();
    poll_now();
    cr_expect(a.fired == 1 && b.fired == 0 && c.fired == 0);
    put_byte();
    poll_now();
    cr_expect(b.fired == 1 && c.fired == 0);
    end();
}

NIDO_TEST(reactor_owned, among_those_who_share_others_are_fired_all)
{
    struct waiter first, plain, second, other;

    begin();
    watch(&first, NIDOI_READING, true);
    watch(&plain, NIDOI_READING, false);
    watch(&second, NIDOI_READING, true);
    watch(&other, NIDOI_READING, false);
    put_byte();
    poll_now();
    cr_expect(first.fired == 1 && plain.fired == 1 && other.fired == 1 && second.fired == 0);
    cr_expect(eq(sz, reactor.watching, 1));
    end();
}

NIDO_TEST(reactor_owned, passing_on_fires_the_next_until_a_try_found_nothing)
{
    struct waiter a, plain, b, c;

    begin();
    watch(&a, NIDOI_READING, true);
    watch(&plain, NIDOI_READING, false);
    watch(&b, NIDOI_READING, true);
    watch(&c, NIDOI_READING, true);
    nidoi_reactor_pass(&reactor, fds[0], NIDOI_READING);
    cr_expect(a.fired == 1 && plain.fired == 0 && b.fired == 0);
    nidoi_reactor_pass(&reactor, fds[0], NIDOI_WRITING);
    cr_expect(eq(int, b.fired, 0), "nobody waits to write");
    slot()->ready = 0;
    nidoi_reactor_pass(&reactor, fds[0], NIDOI_READING);
    cr_expect(eq(int, b.fired, 0), "nothing is there");
    slot()->ready = READ_BIT;
    nidoi_reactor_pass(&reactor, fds[0], NIDOI_READING);
    cr_expect(b.fired == 1 && c.fired == 0);
    nidoi_reactor_pass(&reactor, INT_MAX, NIDOI_READING);
    end();
}

/* ---- Leaving our hands ---- */

NIDO_TEST(reactor_owned, dropping_wakes_everybody_and_changes_the_generation)
{
    struct waiter reader, writer, shared;
    uint32_t generation;

    begin();
    generation = slot()->generation;
    watch(&reader, NIDOI_READING, false);
    watch(&shared, NIDOI_READING, true);
    watch(&writer, NIDOI_WRITING, false);
    slot()->busy = READ_BIT;
    nidoi_reactor_drop(&reactor, fds[0]);
    cr_expect(reader.result == -EBADF && writer.result == -EBADF && shared.result == -EBADF);
    cr_expect(reader.fired == 1 && writer.fired == 1 && shared.fired == 1);
    cr_expect(ne(u32, slot()->generation, generation));
    cr_expect(slot()->flags == 0 && slot()->ready == 0 && slot()->sticky == 0 && slot()->busy == 0);
    put_byte();
    cr_expect(eq(int, poll_now(), 0), "the kernel no longer watches it");
    end();
}

/* Two descriptors report in one batch; serving the first closes the second and its number is used
 * again. */
static struct nidoi_fd *stolen;

static void renew_other(struct nidoi_watch *watch, int result)
{
    (void)watch, (void)result;
    stolen->generation++;
}

NIDO_TEST(reactor_owned, a_report_of_another_generation_is_dropped)
{
    struct waiter reader;
    struct nidoi_watch first;
    int more[2];

    begin();
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, more), 0));
    cr_assert(eq(int, nidoi_reactor_own(&reactor, more[0], NIDOI_FD_SOCKET), 0));
    poll_now();
    stolen = slot();
    first = (struct nidoi_watch){.fire = renew_other, .fd = more[0], .direction = NIDOI_READING};
    cr_expect(eq(int, nidoi_reactor_watch(&reactor, &first), 0));
    watch(&reader, NIDOI_READING, false);
    cr_assert(eq(int, (int)write(more[1], "x", 1), 1));
    put_byte();
    cr_expect(eq(int, poll_now(), 2));
    cr_expect(eq(int, reader.fired, 0));
    nidoi_reactor_drop(&reactor, more[0]);
    close(more[0]);
    close(more[1]);
    end();
}

NIDO_TEST(reactor_owned, a_generation_is_never_zero)
{
    begin();
    slot()->generation = UINT32_MAX;
    nidoi_reactor_drop(&reactor, fds[0]);
    cr_expect(eq(u32, slot()->generation, 1));
    end();
}

NIDO_TEST(reactor_owned, an_owned_number_closed_behind_our_back_starts_anew_when_owned_again)
{
    struct waiter old;
    int fresh[2];

    begin();
    watch(&old, NIDOI_READING, false);
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fresh), 0));
    cr_assert(eq(int, dup2(fresh[0], fds[0]), fds[0]));
    close(fresh[0]);
    cr_expect(eq(int, nidoi_reactor_own(&reactor, fds[0], 0), 0));
    cr_expect(old.fired == 1 && old.result == -EBADF);
    cr_expect(eq(int, slot()->flags, NIDOI_FD_OWNED));
    close(fresh[1]);
    end();
}

/* ---- From foreign to owned ---- */

NIDO_TEST(reactor_owned, owning_a_foreign_descriptor_starts_it_anew)
{
    struct waiter reader;

    begin();
    nidoi_reactor_drop(&reactor, fds[0]);
    watch(&reader, NIDOI_READING, false);
    cr_expect(eq(int, nidoi_reactor_own(&reactor, fds[0], 0), 0));
    cr_expect(reader.fired == 1 && reader.result == -EBADF);
    cr_expect(eq(int, slot()->flags, NIDOI_FD_OWNED));
    end();
}

NIDO_TEST(reactor_owned, a_failure_to_own_changes_nothing_for_who_waits)
{
    struct waiter reader;

    begin();
    nidoi_reactor_drop(&reactor, fds[0]);
    watch(&reader, NIDOI_READING, false);
    faults_begin();
    /* What goes before ends the foreign registration. */
    faults_fail(FAULT_backend_change, CHANGES_A_DESCRIPTOR + 1, -ENOSPC);
    cr_expect(eq(int, nidoi_reactor_own(&reactor, fds[0], 0), -ENOSPC));
    faults_end();
    put_byte();
    poll_now();
    cr_expect(eq(int, reader.fired, 1), "still watched, or told to look for himself");
    if (!reader.fired) nidoi_reactor_unwatch(&reactor, &reader.watch);
    end();
}

NIDO_TEST(reactor_owned, what_the_kernel_refuses_is_not_owned)
{
    begin();
    nidoi_reactor_drop(&reactor, fds[0]);
    faults_begin();
    for (unsigned nth = 1; nth <= CHANGES_A_DESCRIPTOR; nth++) {
        faults_fail(FAULT_backend_change, nth, -ENOSPC);
        cr_expect(eq(int, nidoi_reactor_own(&reactor, fds[0], 0), -ENOSPC));
        cr_expect(eq(int, slot()->flags, 0));
        put_byte();
        cr_expect(eq(int, poll_now(), 0), "nothing of it is left in the kernel");
    }
    faults_end();
    cr_expect(eq(int, nidoi_reactor_own(&reactor, fds[0], 0), 0));
    end();
}

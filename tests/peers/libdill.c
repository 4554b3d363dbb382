/* SPDX-License-Identifier: MIT */
/* What libdill's published tests check of libdill, checked of nido. The comment of each test names
 * the peer's file and scenario that it is after, and what nido intends otherwise. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "chan_help.h"
#include "group_help.h"
#include "io_help.h"

/* ---- chan.c ---- */

/* chan.c, "Receiver waits for sender", "Sender waits for receiver". */
INSIDE(libdill, the_first_to_come_to_a_channel_waits_for_the_other)
{
    nido_chan *chan = new_chan(0);
    struct user sender, receiver;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, receives, &receiver, chan, 0);
    expect_send(chan, 333, 0);
    begin_user(&group, sends, &sender, chan, 444);
    expect_recv(chan, 444);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, sender.rc));
    cr_expect(zero(int, receiver.rc));
    cr_expect(eq(int, receiver.value, 333));
    nido_chan_free(chan);
}

/* chan.c, "Test two simultaneous senders", "Test two simultaneous receivers". */
INSIDE(libdill, two_on_one_side_are_served_in_order)
{
    nido_chan *chan = new_chan(0);
    struct user senders[2], receivers[2];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, sends, &senders[0], chan, 888);
    begin_user(&group, sends, &senders[1], chan, 999);
    expect_recv(chan, 888);
    expect_recv(chan, 999);
    begin_user(&group, receives, &receivers[0], chan, 0);
    begin_user(&group, receives, &receivers[1], chan, 0);
    expect_send(chan, 333, 0);
    expect_send(chan, 444, 0);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, receivers[0].value, 333));
    cr_expect(eq(int, receivers[1].value, 444));
    nido_chan_free(chan);
}

/* chan.c, "Test simple chdone() scenario". */
INSIDE(libdill, a_channel_that_is_done_says_so_every_time)
{
    nido_chan *chan = new_chan(0);
    int item;

    nido_chan_close_send(chan);
    for (int i = 0; i < 3; i++) cr_expect(eq(int, nido_chan_recv(chan, &item), -EPIPE));
    nido_chan_free(chan);
}

static void end_two(nido_fn *fn, int (*end)(nido_chan *chan))
{
    nido_chan *chan = new_chan(0);
    struct user users[2];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) begin_user(&group, fn, &users[i], chan, 7);
    cr_expect(zero(int, end(chan)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, users[i].rc, -EPIPE));
    if (end != nido_chan_free) nido_chan_free(chan);
}

/* chan.c, "Test whether chdone() unblocks all receivers", "Test whether chdone() unblocks blocked
 * senders", "Test whether hclose() unblocks blocked senders and receivers". nido's channels have
 * one direction, so each side is ended by a call of its own. */
INSIDE(libdill, the_end_of_a_channel_wakes_all_its_waiters)
{
    end_two(receives, nido_chan_close_send);
    end_two(receives, nido_chan_close_recv);
    end_two(sends, nido_chan_close_send);
    end_two(sends, nido_chan_close_recv);
    end_two(receives, nido_chan_free);
    end_two(sends, nido_chan_free);
}

static int receive_twice(void *chan)
{
    int item;

    cr_expect(eq(int, nido_chan_recv(chan, &item), -ECANCELED));
    cr_expect(eq(int, nido_chan_recv(chan, &item), -ECANCELED));
    return -ECANCELED;
}

/* chan.c, "Test cancelation". libdill's close of a bundle cancels it; nido's waits, and a cancel is
 * a call of its own. */
INSIDE(libdill, a_cancelled_receiver_stays_cancelled)
{
    nido_chan *chan = new_chan(0);
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, receive_twice, chan);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_chan_free(chan);
}

static int receive_nothing(void *chan)
{
    return nido_chan_recv(chan, NULL);
}

/* chan.c, "Receiver waits for sender (zero-byte message)". */
INSIDE(libdill, a_receiver_waits_for_an_item_without_bytes)
{
    nido_chan *chan = NULL;
    nido_group group;

    cr_expect(zero(int, nido_chan_new(0, 1, NULL, NULL, &chan)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, receive_nothing, chan);
    nido_yield();
    cr_expect(eq(sz, nido_chan_waiting_receivers(chan), 1));
    cr_expect(zero(int, nido_chan_send(chan, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_chan_free(chan);
}

/* chan.c, "Channel with user-supplied storage". */
INSIDE(libdill, a_receive_from_a_channel_in_own_memory_times_out)
{
    nido_chan chan;
    nido_scope scope;
    int item;

    cr_expect(zero(int, nido_chan_init(&chan, sizeof item, 0, NULL, NULL, NULL, NULL)));
    nido_timeout_open(&scope, NIDO_MS(50));
    cr_expect(eq(int, nido_scope_close(&scope, nido_chan_recv(&chan, &item)), -ETIMEDOUT));
    nido_chan_deinit(&chan);
}

/* ---- choose.c ---- */

static int choose_one(nido_chan *chan, bool send, int *item)
{
    nido_arm arm;

    if (send) nido_arm_send(&arm, chan, item);
    if (!send) nido_arm_recv(&arm, chan, item);
    cr_expect(zero(int, nido_select(&arm, 1, 0)));
    return arm.status;
}

static int come_later(void *arg)
{
    struct user *user = arg;

    nido_yield();
    return user->value ? sends(arg) : receives(arg);
}

/* choose.c, the non-blocking and the blocking case of a receiver and of a sender. */
INSIDE(libdill, a_choice_of_one_meets_a_partner_that_waits_or_comes)
{
    static const struct {
        bool send, later;
    } cases[] = {{false, false}, {false, true}, {true, false}, {true, true}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool send = cases[i].send;
        nido_chan *chan = new_chan(0);
        struct user partner = {.chan = chan, .value = send ? 0 : 555, .rc = 1};
        nido_group group;
        int item = send ? 777 : 0;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        begin(&group, cases[i].later ? come_later : send ? receives : sends, &partner);
        if (!cases[i].later) nido_yield();
        cr_expect(zero(int, choose_one(chan, send, &item)), "case %zu", i);
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(int, send ? partner.value : item, send ? 777 : 555), "case %zu", i);
        nido_chan_free(chan);
    }
}

/* choose.c, "Check with two channels". */
INSIDE(libdill, of_two_channels_the_one_with_a_sender_is_chosen)
{
    nido_chan *chans[2] = {new_chan(0), new_chan(0)};
    struct user users[2];
    nido_group group;
    nido_arm arms[2];
    int items[2] = {0};

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) nido_arm_recv(&arms[i], chans[i], &items[i]);
    begin_user(&group, sends, &users[1], chans[1], 555);
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    users[0] = (struct user){.chan = chans[0], .value = 666};
    begin(&group, come_later, &users[0]);
    cr_expect(zero(int, nido_select(arms, 2, 0)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, items[0], 666));
    cr_expect(eq(int, items[1], 555));
    for (int i = 0; i < 2; i++) nido_chan_free(chans[i]);
}

/* choose.c, "Test immediate timeout", "Test empty pollset". A choice of nothing waits in libdill; in
 * nido it is a mistake. */
INSIDE(libdill, a_choice_that_may_not_wait_says_so_and_one_of_nothing_is_refused)
{
    nido_chan *chan = new_chan(0);
    nido_arm arm;
    int item;

    nido_arm_recv(&arm, chan, &item);
    cr_expect(eq(int, nido_select(&arm, 1, NIDO_POLL), -EAGAIN));
    cr_expect(eq(int, nido_select(NULL, 0, 0), -EINVAL));
    cr_expect(eq(int, nido_select(NULL, 0, NIDO_POLL), -EINVAL));
    nido_chan_free(chan);
}

/* choose.c, "Test two simultaneous senders vs. choose statement", and the same of receivers. */
INSIDE(libdill, choices_serve_two_partners_in_their_order)
{
    for (int send = 0; send < 2; send++) {
        nido_chan *chan = new_chan(0);
        struct user users[2];
        nido_group group;
        int items[2] = {888, 999};

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        for (int i = 0; i < 2; i++)
            begin_user(&group, send ? receives : sends, &users[i], chan, send ? 0 : items[i]);
        for (int i = 0; i < 2; i++) {
            int item = send ? items[i] : 0;

            cr_expect(zero(int, choose_one(chan, send, &item)));
            cr_expect(eq(int, item, items[i]));
        }
        cr_expect(zero(int, nido_group_close(&group, 0)));
        for (int i = 0; i < 2; i++) cr_expect(eq(int, users[i].value, items[i]));
        nido_chan_free(chan);
    }
}

static int choose_to_send(void *chan)
{
    int item = 111;

    return choose_one(chan, true, &item);
}

/* choose.c, "Choose vs. choose". */
INSIDE(libdill, two_choices_meet)
{
    nido_chan *chan = new_chan(0);
    nido_group group;
    int item = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, choose_to_send, chan);
    cr_expect(zero(int, choose_one(chan, false, &item)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, item, 111));
    nido_chan_free(chan);
}

struct large {
    char bytes[1024];
};

static int send_large(void *chan)
{
    struct large item;

    memset(item.bytes, 'x', sizeof item.bytes);
    return nido_chan_send(chan, &item);
}

/* choose.c, "Test transferring a large object". */
INSIDE(libdill, a_large_item_is_chosen_whole)
{
    nido_chan *chan = NULL;
    struct large item = {{0}};
    nido_group group;
    nido_arm arm;

    nido_chan_new(sizeof item, 0, NULL, NULL, &chan);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, send_large, chan);
    nido_arm_recv(&arm, chan, &item);
    cr_expect(zero(int, nido_select(&arm, 1, 0)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    for (size_t i = 0; i < sizeof item.bytes; i++) cr_expect(eq(chr, item.bytes[i], 'x'));
    nido_chan_free(chan);
}

/* choose.c, "Test that 'in' on done-with channel fires". */
INSIDE(libdill, a_channel_that_is_done_is_chosen)
{
    nido_chan *chan = new_chan(0);
    int item = 0;

    nido_chan_close_send(chan);
    cr_expect(eq(int, choose_one(chan, false, &item), -EPIPE));
    nido_chan_free(chan);
}

static int send_after_50_ms(void *chan)
{
    int item = 4444;

    nido_sleep(NIDO_MS(50));
    return nido_chan_send(chan, &item);
}

/* choose.c, "Test expiration of 'deadline' clause", "Test unexpired 'deadline' clause". */
INSIDE(libdill, a_choice_ends_at_its_deadline_or_at_the_item_before_it)
{
    nido_chan *chan = new_chan(0);
    int64_t start = nido_now();
    nido_group group;
    nido_arm arms[2];
    int item = 0;

    nido_arm_recv(&arms[0], chan, &item);
    nido_arm_timer(&arms[1], start + NIDO_MS(50));
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    cr_expect(eq(i64, nido_now(), start + NIDO_MS(50)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, send_after_50_ms, chan);
    nido_arm_timer(&arms[1], start + NIDO_MS(1000));
    cr_expect(zero(int, nido_select(arms, 2, 0)));
    cr_expect(eq(int, item, 4444));
    cr_expect(eq(i64, nido_now(), start + NIDO_MS(100)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_chan_free(chan);
}

/* choose.c, "Test that first channel in the array is prioritized": nido draws one, unless it is
 * asked for the first. */
INSIDE(libdill, the_first_listed_is_chosen_if_that_is_asked_for)
{
    nido_chan *chans[2] = {new_chan(1), new_chan(1)};
    nido_arm arms[2];
    int item = 0;

    for (int i = 0; i < 2; i++) nido_arm_recv(&arms[i], chans[i], &item);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 2; i++) nido_chan_try_send(chans[i], &i);
        cr_expect(zero(int, nido_select(arms, 2, NIDO_PRIORITY)));
        expect_recv(chans[1], 1);
    }
    for (int i = 0; i < 2; i++) nido_chan_free(chans[i]);
}

/* choose.c, "Try adding the same channel to choose twice". */
INSIDE(libdill, the_same_channel_may_be_listed_twice)
{
    nido_chan *chan = new_chan(0);
    struct user sender;
    nido_scope scope;
    nido_group group;
    nido_arm arms[2];
    int item = 0;

    for (int i = 0; i < 2; i++) nido_arm_recv(&arms[i], chan, &item);
    nido_timeout_open(&scope, NIDO_MS(50));
    cr_expect(eq(int, nido_scope_close(&scope, nido_select(arms, 2, 0)), -ETIMEDOUT));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, sends, &sender, chan, 5);
    cr_expect(ge(int, nido_select(arms, 2, 0), 0));
    cr_expect(eq(int, item, 5));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_chan_free(chan);
}

/* ---- bundle.c, go1.c to go5.c ---- */

/* bundle.c, an empty one, one whose worker has ended, "Test waiting on bundle with two coroutines";
 * go1.c, "Basic test. Run some coroutines". */
INSIDE(libdill, a_bundle_waits_for_all_of_its_workers)
{
    for (int n = 0; n < 4; n++) {
        struct plan plans[4] = {0};
        int64_t start = nido_now();
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        for (int i = 0; i < n; i++) {
            plans[i].ns = NIDO_MS(50 * i);
            begin(&group, follow, &plans[i]);
        }
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(i64, nido_now() - start, n ? NIDO_MS(50 * (n - 1)) : 0));
        for (int i = 0; i < n; i++) cr_expect(eq(int, plans[i].runs, 1));
    }
}

/* bundle.c, hclose() of a bundle whose workers sleep; go3.c, "Test whether immediate cancelation
 * works": also of one that has not begun. In libdill it never begins; in nido it runs, once, to its
 * first cancellation point, for it owns its argument. */
INSIDE(libdill, a_cancel_ends_sleepers_and_tasks_that_have_not_begun)
{
    for (int begun = 0; begun < 2; begun++) {
        struct plan plans[2] = {{.ns = NIDO_SEC(100)}, {.ns = NIDO_SEC(100)}};
        int64_t start = nido_now();
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        for (int i = 0; i < 2; i++) begin(&group, follow, &plans[i]);
        if (begun) nido_yield();
        nido_group_cancel(&group, 0, NULL);
        cr_expect(zero(int, nido_group_close(&group, 0)));
        cr_expect(eq(i64, nido_now(), start));
        for (int i = 0; i < 2; i++) cr_expect(eq(int, plans[i].met, -ECANCELED));
    }
}

/* go4.c, "Test whether finished coroutine can be canceled". */
INSIDE(libdill, a_cancel_of_a_finished_task_does_nothing)
{
    struct plan plan = {0};
    nido_group group;
    nido_task task;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    task = begin_kept(&group, follow, &plan);
    cr_expect(zero(int, nido_join(task, NULL)));
    cr_expect(eq(int, nido_task_cancel(task, 0, NULL), -ESRCH));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, plan.met));
}

static int two_sleepers(nido_group *group, void *plans)
{
    struct plan *plan = plans;

    begin(group, follow, &plan[0]);
    begin(group, follow, &plan[1]);
    return 0;
}

static int bundle_of_two(void *plans)
{
    return nido_with_group(NIDO_FAIL_FAST, two_sleepers, plans);
}

/* bundle.c, "Test waiting on bundle with timout". When libdill's wait ends the workers go on; a
 * deadline of nido holds for all the work inside it. */
INSIDE(libdill, a_wait_for_a_bundle_under_a_deadline)
{
    struct plan quick[2] = {{.ns = NIDO_MS(10)}, {.ns = NIDO_MS(50)}};
    struct plan slow[2] = {{.ns = NIDO_MS(10)}, {.ns = NIDO_SEC(100)}};

    cr_expect(zero(int, nido_with_timeout(NIDO_SEC(1), bundle_of_two, quick)));
    cr_expect(eq(int, nido_with_timeout(NIDO_MS(50), bundle_of_two, slow), -ETIMEDOUT));
    cr_expect(zero(int, slow[0].met));
    cr_expect(eq(int, slow[1].met, -ECANCELED));
}

/* bundle.c, bundle_go_mem(); go5.c, "Test go_mem". */
INSIDE(libdill, a_worker_stands_on_memory_of_the_caller)
{
    static char memory[65536];
    nido_spawn_options options;
    struct plan plan = {0};

    nido_spawn_options_init(&options);
    options.memory = memory;
    options.stack_size = sizeof memory;
    for (int i = 0; i < 10; i++) {
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        cr_expect(zero(int, nido_spawn_with(&group, follow, &plan, &options, NULL)));
        cr_expect(zero(int, nido_group_close(&group, 0)));
    }
    cr_expect(eq(int, plan.runs, 10));
}

/* go2.c, "Test whether stack deallocation works". */
INSIDE(libdill, stacks_of_ended_tasks_are_used_again)
{
    for (int i = 0; i < 20; i++) {
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        for (int n = 0; n < 1000; n++) begin(&group, give, result(n));
        cr_expect(zero(int, nido_group_close(&group, 0)));
    }
}

/* ---- fd.c ---- */

static int readable_within(int fd, int64_t ns)
{
    nido_scope scope;

    nido_timeout_open(&scope, ns);
    return nido_scope_close(&scope, nido_wait_fd(fd, NIDO_IN));
}

/* fd.c, "Check invalid fd". */
INSIDE(libdill, a_number_that_is_not_open_is_told)
{
    int fd = dup(0);

    close(fd);
    cr_expect(eq(int, nido_wait_fd(fd, NIDO_IN), -EBADF));
    cr_expect(eq(int, nido_wait_fd(fd, NIDO_OUT), -EBADF));
}

/* fd.c, "Check for in & out", with each kind of timeout. */
INSIDE(libdill, an_idle_pair_has_room_and_no_bytes)
{
    int64_t start = nido_now();
    int fds[2];

    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)));
    cr_expect(eq(int, nido_wait_fd(fds[0], NIDO_OUT), NIDO_OUT));
    cr_expect(eq(int, readable_within(fds[0], 0), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now(), start));
    cr_expect(eq(int, readable_within(fds[0], NIDO_MS(100)), -ETIMEDOUT));
    cr_expect(eq(i64, nido_now(), start + NIDO_MS(100)));
    cr_expect(eq(int, (int)send(fds[1], "A", 1, 0), 1));
    cr_expect(eq(int, readable_within(fds[0], 0), -ETIMEDOUT), "a deadline that has passed");
    cr_expect(eq(int, readable_within(fds[0], NIDO_MS(1)), NIDO_IN));
    io_close_pair(fds);
}

static int send_at_50_ms(void *fd)
{
    nido_sleep(NIDO_MS(50));
    return (int)send(*(int *)fd, "A", 1, 0);
}

/* fd.c, "Two interleaved deadlines". */
INSIDE(libdill, bytes_come_before_the_deadline_of_their_reader)
{
    int64_t start = nido_now();
    nido_group group;
    int fds[2];

    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, send_at_50_ms, &fds[0]);
    cr_expect(eq(int, readable_within(fds[1], NIDO_SEC(1)), NIDO_IN));
    cr_expect(eq(i64, nido_now(), start + NIDO_MS(50)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    io_close_pair(fds);
}

static int wait_twice(void *fd)
{
    cr_expect(eq(int, nido_wait_fd(*(int *)fd, NIDO_IN), -ECANCELED));
    cr_expect(eq(int, nido_wait_fd(*(int *)fd, NIDO_IN), -ECANCELED));
    return -ECANCELED;
}

/* fd.c, "Check cancelation", and "Test whether fd is removed from the pollset after fdin/fdout times
 * out". */
INSIDE(libdill, a_cancelled_wait_leaves_the_descriptor_to_others)
{
    nido_group group;
    int fds[2];

    cr_assert(zero(int, pipe2(fds, O_CLOEXEC)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, wait_twice, &fds[0]);
    nido_yield();
    nido_group_cancel(&group, 0, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, readable_within(fds[0], NIDO_MS(10)), -ETIMEDOUT));
    cr_expect(eq(int, (int)write(fds[1], "ABC", 3), 3));
    cr_expect(zero(int, nido_sleep(NIDO_MS(100))));
    close(fds[0]); /* foreign: nido need not be told */
    close(fds[1]);
    cr_expect(zero(int, nido_sleep(NIDO_MS(100))));
}

/* fd.c, "Check whether closing the connection is reported": what was sent before comes first. */
INSIDE(libdill, a_closed_peer_makes_both_directions_ready)
{
    char buf[10];
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_expect(eq(int, (int)nido_write(fds[1], "ABC", 3), 3));
    nido_fd_forget(fds[1]);
    close(fds[1]);
    cr_expect(eq(int, nido_wait_fd(fds[0], NIDO_IN), NIDO_IN));
    cr_expect(eq(int, nido_wait_fd(fds[0], NIDO_OUT), NIDO_OUT));
    cr_expect(eq(int, (int)nido_read(fds[0], buf, sizeof buf), 3));
    cr_expect(eq(int, nido_wait_fd(fds[0], NIDO_IN), NIDO_IN));
    cr_expect(zero(int, (int)nido_read(fds[0], buf, sizeof buf)));
    nido_close(fds[0]);
}

/* ---- sleep.c, signals.c, overload.c, handle.c, tcp.c, ipc.c ---- */

static int delay(void *arg)
{
    struct user *user = arg;

    nido_sleep(NIDO_MS(user->value));
    return nido_chan_send(user->chan, &user->value);
}

/* sleep.c, "msleep-sort". */
INSIDE(libdill, sleeps_sort)
{
    static const int unsorted[4] = {30, 40, 10, 20};
    nido_chan *chan = new_chan(0);
    struct user users[4];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 4; i++) begin_user(&group, delay, &users[i], chan, unsorted[i]);
    for (int i = 1; i <= 4; i++) expect_recv(chan, 10 * i);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_chan_free(chan);
}

/* signals.c: a thousand signals, sent and received one at a time, none lost. */
INSIDE(libdill, signals_that_are_taken_one_by_one_all_arrive)
{
    nido_signal signal;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    cr_expect(zero(int, nido_signal_open(&signal, &set)));
    for (int i = 0; i < 1000; i++) {
        raise(SIGUSR1);
        cr_expect(eq(int, nido_signal_wait(&signal), SIGUSR1));
        cr_expect(eq(int, nido_signal_try(&signal), -EAGAIN));
    }
    nido_signal_close(&signal);
}

struct relay {
    nido_chan *from, *to;
};

static int relay(void *arg)
{
    struct relay *self = arg;

    for (;;) {
        int item, rc = nido_chan_recv(self->from, &item);

        if (rc == 0) rc = nido_chan_send(self->to, &item);
        if (rc < 0) return rc;
    }
}

/* overload.c: two relays that feed each other for ever do not keep their maker from ending them. */
INSIDE(libdill, relays_that_are_never_idle_leave_others_their_turn)
{
    nido_chan *left = new_chan(0), *right = new_chan(0);
    struct relay relays[2] = {{left, right}, {right, left}};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) begin(&group, relay, &relays[i]);
    expect_send(left, 42, 0);
    for (int i = 0; i < 100; i++) cr_expect(zero(int, nido_yield()));
    nido_group_cancel(&group, 0, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    nido_chan_free(left);
    nido_chan_free(right);
}

/* handle.c, hown(): the old handle is not usable afterwards. nido has counted ends instead. */
INSIDE(libdill, an_end_that_was_handed_on_closes_with_its_last_owner)
{
    nido_chan *chan = new_chan(1);

    cr_expect(zero(int, nido_chan_retain_send(chan)));
    nido_chan_release_send(chan);
    expect_try_send(chan, 1, 0);
    nido_chan_release_send(chan);
    expect_try_send(chan, 2, -EPIPE);
    cr_expect(eq(int, nido_chan_retain_send(chan), -EPIPE));
    expect_try_recv(chan, 0);
    nido_chan_free(chan);
}

/* ipc.c and tcp.c, "Test deadline": bytes that came before it stay where they are, exactly. */
INSIDE(libdill, a_full_read_that_times_out_tells_what_it_has)
{
    nido_scope scope;
    size_t done = 0;
    char buf[8];
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_expect(eq(int, (int)nido_write(fds[0], "ABC", 3), 3));
    nido_timeout_open(&scope, NIDO_MS(30));
    cr_expect(eq(int, nido_scope_close(&scope, nido_read_full(fds[1], buf, 8, &done)), -ETIMEDOUT));
    cr_expect(eq(sz, done, 3));
    cr_expect(eq(int, (int)nido_write(fds[0], "DEFGH", 5), 5));
    cr_expect(zero(int, nido_read_full(fds[1], buf + 3, 5, NULL)));
    cr_expect(zero(int, memcmp(buf, "ABCDEFGH", 8)));
    io_close_pair(fds);
}

static int push(void *fd)
{
    static const char block[65536];

    for (;;) {
        int rc = nido_write_all(*(int *)fd, block, sizeof block, NULL);

        if (rc < 0) return rc;
    }
}

/* ipc.c and tcp.c, "This line should make us hit pushback": a writer waits for a
 * peer that does not read, and can be ended. */
INSIDE(libdill, a_writer_that_is_pushed_back_can_be_cancelled)
{
    nido_group group;
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, push, &fds[0]);
    cr_expect(zero(int, nido_test_wait_all_parked()));
    cr_expect(eq(sz, nido_group_live(&group), 1));
    nido_group_cancel(&group, 0, NULL);
    cr_expect(zero(int, nido_group_close(&group, 0)));
    io_close_pair(fds);
}

/* ipc.c and tcp.c, "Manual termination handshake": each side ends what it sends, and still reads. */
INSIDE(libdill, each_direction_of_a_connection_ends_alone)
{
    char byte;
    int fds[2];

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_expect(zero(int, shutdown(fds[0], SHUT_WR)));
    cr_expect(zero(int, (int)nido_read(fds[1], &byte, 1)));
    cr_expect(eq(int, nido_write_all(fds[0], "x", 1, NULL), -EPIPE));
    cr_expect(zero(int, nido_write_all(fds[1], "y", 1, NULL)));
    cr_expect(zero(int, nido_read_full(fds[0], &byte, 1, NULL)));
    cr_expect(eq(chr, byte, 'y'));
    io_close_pair(fds);
}

/* ipc.c, "Transport a file descriptor via SCM_RIGHTS". */
INSIDE(libdill, a_descriptor_goes_through_a_socket)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 'd';
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fds[2], ends[2], got;

    cr_assert(zero(int, nido_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)));
    cr_assert(zero(int, nido_pipe(ends)));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
    cr_expect(eq(int, (int)nido_sendmsg(fds[0], &message, 0), 1));
    cr_expect(eq(int, (int)nido_recvmsg(fds[1], &message, 0), 1));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    cr_expect(eq(int, (int)nido_write(got, "z", 1), 1));
    close(got);
    cr_expect(eq(int, (int)nido_read(ends[0], &byte, 1), 1));
    cr_expect(eq(chr, byte, 'z'));
    io_close_pair(ends);
    io_close_pair(fds);
}

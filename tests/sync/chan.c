/* SPDX-License-Identifier: MIT */
/* Channels: who gets what, in which order; the rendezvous, the buffer, reservations. */
#include <pthread.h>

#include "chan_help.h"

/* S217 */
INSIDE(chan, as_many_sends_as_there_are_places_do_not_park)
{
    nido_chan *chan = new_chan(3);
    struct user fourth;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) {
        expect_send(chan, i, 0);
        cr_expect(eq(sz, nido_chan_count(chan), (size_t)i + 1));
    }
    begin_user(&group, sends, &fourth, chan, 3);
    cr_expect(eq(int, fourth.rc, 1));
    cr_expect(eq(sz, nido_chan_count(chan), 3));
    for (int i = 0; i < 4; i++) expect_recv(chan, i);
    nido_yield();
    cr_expect(eq(int, fourth.rc, 0));
    cr_expect(eq(sz, nido_chan_count(chan), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_chan_free(chan), 0));
}

enum { MANY = 1000 };

static int count_up(void *chan)
{
    for (int i = 1; i <= MANY; i++) expect_send(chan, i, 0);
    return nido_chan_close_send(chan);
}

static void expect_in_order(size_t capacity)
{
    nido_chan *chan = new_chan(capacity);
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, count_up, chan);
    for (int i = 1; i <= MANY; i++) expect_recv(chan, i);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    expect_try_recv(chan, -EPIPE);
    nido_chan_free(chan);
}

/* S218 */
INSIDE(chan, items_of_one_sender_arrive_in_order)
{
    expect_in_order(0);
    expect_in_order(1);
    expect_in_order(7);
    expect_in_order(MANY);
}

/* S220 */
INSIDE(chan, receivers_are_served_in_the_order_in_which_they_came)
{
    for (size_t capacity = 0; capacity < 3; capacity++) {
        nido_chan *chan = new_chan(capacity);
        struct user first, second;
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        begin_user(&group, receives, &first, chan, 0);
        begin_user(&group, receives, &second, chan, 0);
        expect_send(chan, 11, 0);
        nido_yield();
        cr_expect(eq(int, first.value, 11));
        cr_expect(eq(int, second.rc, 1));
        expect_send(chan, 22, 0);
        cr_expect(eq(int, nido_group_close(&group, 0), 0));
        cr_expect(eq(int, second.value, 22));
        nido_chan_free(chan);
    }
}

INSIDE(chan, senders_are_served_in_the_order_in_which_they_came)
{
    nido_chan *chan = new_chan(0);
    struct user all[3];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 3; i++) begin_user(&group, sends, &all[i], chan, i);
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, all[i].rc, 1));
        expect_recv(chan, i);
        nido_yield();
        cr_expect(eq(int, all[i].rc, 0));
    }
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

/* S229 */
INSIDE(chan, what_would_wait_is_refused_when_one_only_tries)
{
    nido_chan *buffered = new_chan(1), *direct = new_chan(0);

    expect_try_recv(buffered, -EAGAIN);
    expect_try_send(buffered, 5, 0);
    expect_try_send(buffered, 6, -EAGAIN);
    cr_expect(eq(int, nido_chan_close_send(buffered), 0));
    expect_try_recv(buffered, 0);
    expect_try_recv(buffered, -EPIPE);
    expect_try_recv(direct, -EAGAIN);
    expect_try_send(direct, 1, -EAGAIN);
    nido_chan_close_recv(direct);
    expect_try_send(direct, 1, -EPIPE);
    nido_chan_free(buffered);
    nido_chan_free(direct);
}

/* S230 */
INSIDE(chan, a_try_meets_a_parked_partner)
{
    nido_chan *chan = new_chan(0);
    struct user sender, receiver;
    nido_group group;
    int item = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, sends, &sender, chan, 7);
    cr_expect(eq(int, nido_chan_try_recv(chan, &item), 0));
    cr_expect(eq(int, item, 7));
    begin_user(&group, receives, &receiver, chan, 0);
    expect_try_send(chan, 8, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, sender.rc, 0));
    cr_expect(eq(int, receiver.value, 8));
    nido_chan_free(chan);
}

INSIDE(chan, a_receiver_that_was_served_has_its_item_though_it_is_cancelled)
{
    nido_chan *chan = new_chan(0);
    struct user receiver;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, receives, &receiver, chan, 0);
    expect_send(chan, 9, 0);
    cancel_user(&receiver);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, receiver.rc, 0));
    cr_expect(eq(int, receiver.value, 9));
    nido_chan_free(chan);
}

INSIDE(chan, a_sender_that_was_cancelled_keeps_its_item_and_the_next_one_sends)
{
    nido_chan *chan = new_chan(1);
    struct user first, second;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    expect_send(chan, 0, 0);
    begin_user(&group, sends, &first, chan, 1);
    begin_user(&group, sends, &second, chan, 2);
    cancel_user(&first);
    expect_recv(chan, 0);
    cancel_user(&second); /* too late: its item is in the channel */
    expect_recv(chan, 2);
    expect_try_recv(chan, -EAGAIN);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, first.rc, -ECANCELED));
    cr_expect(eq(int, second.rc, 0));
    nido_chan_free(chan);
}

INSIDE(chan, a_cancelled_task_is_refused_before_anything_happens)
{
    nido_chan *chan = new_chan(2);
    nido_scope scope;
    int item = -1;

    expect_send(chan, 1, 0);
    nido_timeout_open(&scope, 0);
    expect_send(chan, 2, -ECANCELED);
    cr_expect(eq(int, nido_chan_recv(chan, &item), -ECANCELED));
    cr_expect(eq(int, nido_chan_reserve(chan), -ECANCELED));
    cr_expect(eq(int, item, -1));
    cr_expect(eq(sz, nido_chan_count(chan), 1));
    expect_try_send(chan, 2, 0); /* trying is no cancellation point */
    cr_expect(eq(int, nido_chan_commit(chan, &item), -EPERM));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    nido_chan_free(chan);
}

/* ---- Reservations ---- */

/* S232 */
INSIDE(chan, a_place_that_a_cancelled_reservation_waited_for_goes_to_the_next)
{
    nido_chan *chan = new_chan(1);
    struct user first, second;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    expect_send(chan, 0, 0);
    begin_user(&group, reserves, &first, chan, 0);
    begin_user(&group, sends, &second, chan, 2);
    cancel_user(&first);
    nido_yield();
    cr_expect(eq(int, first.rc, -ECANCELED));
    cr_expect(eq(int, second.rc, 1));
    expect_recv(chan, 0);
    expect_recv(chan, 2);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, second.rc, 0));
    nido_chan_free(chan);
}

/* S233 */
INSIDE(chan, a_reservation_given_back_lets_a_parked_sender_proceed)
{
    nido_chan *chan = new_chan(1);
    struct user sender;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_chan_reserve(chan), 0));
    expect_try_send(chan, 1, -EAGAIN);
    begin_user(&group, sends, &sender, chan, 1);
    cr_expect(eq(int, sender.rc, 1));
    cr_expect(eq(int, nido_chan_unreserve(chan), 0));
    nido_yield();
    cr_expect(eq(int, sender.rc, 0));
    expect_recv(chan, 1);
    cr_expect(eq(int, nido_chan_unreserve(chan), -EPERM));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

INSIDE(chan, a_commit_never_waits_and_serves_a_parked_receiver)
{
    nido_chan *chan = new_chan(1);
    struct user receiver, sender;
    nido_group group;
    int item = 1;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_chan_reserve(chan), 0));
    begin_user(&group, receives, &receiver, chan, 0);
    begin_user(&group, sends, &sender, chan, 2);
    cr_expect(eq(int, sender.rc, 1), "the only place is held");
    cr_expect(eq(int, nido_chan_commit(chan, &item), 0));
    cr_expect(eq(int, nido_chan_commit(chan, &item), -EPERM));
    nido_yield();
    cr_expect(eq(int, receiver.value, 1));
    cr_expect(eq(int, sender.rc, 0), "the place is free again");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

INSIDE(chan, a_rendezvous_has_no_place_to_reserve)
{
    nido_chan *chan = new_chan(0);

    cr_expect(eq(int, nido_chan_reserve(chan), -EINVAL));
    nido_chan_free(chan);
}

INSIDE(chan, a_reservation_waits_in_line_with_the_senders)
{
    nido_chan *chan = new_chan(1);
    struct user sender, holder;
    nido_group group;
    int item = 3;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    expect_send(chan, 1, 0);
    begin_user(&group, sends, &sender, chan, 2);
    begin_user(&group, reserves, &holder, chan, 0);
    expect_recv(chan, 1);
    cr_expect(eq(int, holder.rc, 1));
    expect_recv(chan, 2);
    nido_yield();
    cr_expect(eq(int, holder.rc, 0));
    cr_expect(eq(int, nido_chan_commit(chan, &item), 0));
    expect_recv(chan, 3);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

/* ---- Whose it is ---- */

static int use_elsewhere(void *chan)
{
    int item = 0;

    expect_send(chan, 1, -EXDEV);
    expect_try_send(chan, 1, -EXDEV);
    cr_expect(eq(int, nido_chan_recv(chan, &item), -EXDEV));
    cr_expect(eq(int, nido_chan_try_recv(chan, &item), -EXDEV));
    cr_expect(eq(int, nido_chan_reserve(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_commit(chan, &item), -EXDEV));
    cr_expect(eq(int, nido_chan_unreserve(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_close_send(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_close_recv(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_retain_send(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_retain_recv(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_release_send(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_release_recv(chan), -EXDEV));
    cr_expect(eq(int, nido_chan_free(chan), -EXDEV));
    return 0;
}

static void *meddle(void *chan)
{
    int item = 0;

    expect_send(chan, 1, -EPERM);
    expect_try_send(chan, 1, -EPERM);
    expect_try_recv(chan, -EPERM);
    cr_expect(eq(int, nido_chan_commit(chan, &item), -EPERM));
    cr_expect(eq(int, nido_chan_close_send(chan), -EPERM), "somebody waits");
    cr_expect(eq(int, nido_chan_free(chan), -EPERM));
    cr_expect(eq(int, nido_test_run(use_elsewhere, chan), 0));
    return NULL;
}

/* S239 */
INSIDE(chan, one_in_use_belongs_to_its_thread)
{
    nido_chan *chan = new_chan(1);
    struct user receiver;
    pthread_t thread;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, receives, &receiver, chan, 0);
    cr_expect(eq(int, pthread_create(&thread, NULL, meddle, chan), 0));
    pthread_join(thread, NULL);
    expect_send(chan, 1, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, receiver.value, 1));
    nido_chan_free(chan);
}

static int send_and_receive(void *chan)
{
    expect_send(chan, 3, 0);
    expect_recv(chan, 3);
    return 0;
}

NIDO_TEST(chan, an_empty_one_serves_the_next_run)
{
    nido_chan *chan = new_chan(1);

    for (int i = 0; i < 3; i++) cr_expect(eq(int, nido_test_run(send_and_receive, chan), 0));
    cr_expect(eq(int, nido_chan_free(chan), 0));
}

/* ---- Making one ---- */

NIDO_TEST(chan, sizes_that_make_no_sense_are_refused)
{
    nido_chan *chan = NULL, own;
    char memory[4];

    cr_expect(eq(int, nido_chan_new(16, SIZE_MAX / 8, NULL, NULL, &chan), -EINVAL));
    cr_expect(eq(int, nido_chan_new(SIZE_MAX, 1, NULL, NULL, &chan), -EINVAL));
    cr_expect(eq(ptr, chan, NULL));
    cr_expect(eq(int, nido_chan_init(&own, 4, 1, NULL, NULL, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_chan_init(&own, 4, SIZE_MAX / 2, memory, NULL, NULL, NULL), -EINVAL));
    cr_expect(eq(int, nido_chan_init(&own, 4, 0, NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(int, nido_chan_deinit(&own), 0));
    cr_expect(eq(int, nido_chan_free(NULL), 0));
}

static int receive_nothing(void *chan)
{
    return nido_chan_recv(chan, NULL);
}

static int send_nothing(void *chan)
{
    return nido_chan_send(chan, NULL);
}

static int select_nothing(void *chan)
{
    nido_arm arm;

    nido_arm_send(&arm, chan, NULL);
    return nido_select(&arm, 1, 0);
}

/* Senders that wait, and that are no reservations. */
INSIDE(chan, items_of_no_bytes_wait_for_room)
{
    nido_chan *chan = NULL;
    nido_group group;

    cr_expect(eq(int, nido_chan_new(0, 1, NULL, NULL, &chan), 0));
    cr_expect(eq(int, nido_chan_send(chan, NULL), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, send_nothing, chan);
    begin(&group, select_nothing, chan);
    nido_yield();
    cr_expect(eq(sz, nido_chan_waiting_senders(chan), 2));
    for (int i = 0; i < 3; i++) cr_expect(eq(int, nido_chan_recv(chan, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_chan_unreserve(chan), -EPERM), "no place is reserved");
    cr_expect(eq(int, nido_chan_free(chan), 0));
}

INSIDE(chan, items_of_no_bytes_count)
{
    nido_chan *chan = NULL, rendezvous;
    nido_group group;

    cr_expect(eq(int, nido_chan_new(0, 2, NULL, NULL, &chan), 0));
    cr_expect(eq(int, nido_chan_send(chan, NULL), 0));
    cr_expect(eq(int, nido_chan_send(chan, NULL), 0));
    cr_expect(eq(int, nido_chan_try_send(chan, NULL), -EAGAIN));
    cr_expect(eq(sz, nido_chan_count(chan), 2));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_chan_recv(chan, NULL), 0));
    cr_expect(eq(int, nido_chan_try_recv(chan, NULL), -EAGAIN));
    cr_expect(eq(int, nido_chan_free(chan), 0));
    cr_expect(eq(int, nido_chan_init(&rendezvous, 0, 0, NULL, NULL, NULL, "hand"), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, receive_nothing, &rendezvous);
    cr_expect(eq(int, nido_chan_send(&rendezvous, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_chan_deinit(&rendezvous), 0));
}

INSIDE(chan, it_tells_its_room_and_how_many_wait)
{
    nido_chan *chan = new_chan(1);
    struct user users[2];
    nido_group group;

    cr_expect(eq(sz, nido_chan_capacity(chan), 1));
    cr_expect(eq(sz, nido_chan_waiting_senders(chan), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    expect_send(chan, 0, 0);
    for (int i = 0; i < 2; i++) begin_user(&group, sends, &users[i], chan, i + 1);
    cr_expect(eq(sz, nido_chan_waiting_senders(chan), 2));
    cr_expect(eq(sz, nido_chan_waiting_receivers(chan), 0));
    for (int i = 0; i < 3; i++) expect_recv(chan, i);
    cr_expect(eq(sz, nido_chan_waiting_senders(chan), 0));
    begin_user(&group, receives, &users[0], chan, 7);
    cr_expect(eq(sz, nido_chan_waiting_receivers(chan), 1));
    expect_send(chan, 7, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

INSIDE(chan, items_need_no_alignment_and_the_buffer_may_be_the_callers)
{
    struct {
        char before, buffer[3 * 5], after;
    } memory = {.before = 'b', .after = 'a'};
    nido_chan chan;
    char item[6] = "";

    cr_expect(eq(int, nido_chan_init(&chan, 5, 3, memory.buffer, NULL, NULL, NULL), 0));
    for (int round = 0; round < 5; round++) {
        cr_expect(eq(int, nido_chan_send(&chan, "hello"), 0));
        cr_expect(eq(int, nido_chan_send(&chan, "world"), 0));
        cr_expect(eq(int, nido_chan_recv(&chan, item), 0));
        cr_expect(eq(str, item, "hello"));
        cr_expect(eq(int, nido_chan_recv(&chan, item), 0));
        cr_expect(eq(str, item, "world"));
    }
    cr_expect(eq(chr, memory.before, 'b'));
    cr_expect(eq(chr, memory.after, 'a'));
    cr_expect(eq(int, nido_chan_deinit(&chan), 0));
}

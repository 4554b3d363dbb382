/* SPDX-License-Identifier: MIT */
/* Channels: how they end: from either side, by the last end, by being freed; and many of them at once. */
#include <string.h>

#include "chan_help.h"
#include "faults.h"

/* S221 */
INSIDE(chan_close, what_was_sent_before_the_close_is_received)
{
    nido_chan *chan = new_chan(3);

    expect_send(chan, 1, 0);
    expect_send(chan, 2, 0);
    cr_expect(eq(int, nido_chan_close_send(chan), 0));
    expect_send(chan, 3, -EPIPE);
    expect_recv(chan, 1);
    expect_recv(chan, 2);
    for (int i = 0; i < 3; i++) {
        int item;

        cr_expect(eq(int, nido_chan_recv(chan, &item), -EPIPE));
        expect_try_recv(chan, -EPIPE);
    }
    nido_chan_free(chan);
}

INSIDE(chan_close, closing_the_sending_side_refuses_parked_senders_and_receivers_in_order)
{
    nido_chan *chan = new_chan(1);
    struct user senders[2], receivers[2];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    expect_send(chan, 0, 0);
    for (int i = 0; i < 2; i++) begin_user(&group, sends, &senders[i], chan, i + 1);
    nido_chan_close_send(chan);
    nido_yield();
    for (int i = 0; i < 2; i++) cr_expect(eq(int, senders[i].rc, -EPIPE));
    expect_recv(chan, 0);
    expect_try_recv(chan, -EPIPE);
    nido_chan_free(chan);

    chan = new_chan(1);
    for (int i = 0; i < 2; i++) begin_user(&group, receives, &receivers[i], chan, i);
    nido_chan_close_send(chan);
    nido_yield();
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, receivers[i].rc, -EPIPE));
        cr_expect(eq(int, receivers[i].value, i), "nothing was written");
    }
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

/* S223 */
INSIDE(chan_close, closing_the_receiving_side_refuses_all_senders_and_drops_what_is_left)
{
    struct dropped dropped = {0};
    struct user parked[2];
    nido_chan *chan;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_chan_new(sizeof(int), 3, count_drop, &dropped, &chan), 0));
    for (int i = 1; i <= 3; i++) expect_send(chan, i, 0);
    for (int i = 0; i < 2; i++) begin_user(&group, sends, &parked[i], chan, 100);
    cr_expect(eq(int, nido_chan_close_recv(chan), 0));
    cr_expect(eq(int, dropped.count, 3));
    cr_expect(eq(int, dropped.sum, 6));
    cr_expect(eq(int, dropped.last, 3));
    nido_yield();
    for (int i = 0; i < 2; i++) cr_expect(eq(int, parked[i].rc, -EPIPE));
    expect_send(chan, 4, -EPIPE);
    expect_try_send(chan, 4, -EPIPE);
    cr_expect(eq(int, nido_chan_reserve(chan), -EPIPE));
    expect_try_recv(chan, -EPIPE);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
    cr_expect(eq(int, dropped.count, 3), "once each");
}

/* S224 */
INSIDE(chan_close, closing_may_be_repeated_in_any_order)
{
    for (int order = 0; order < 4; order++) {
        nido_chan *chan = new_chan(1);

        for (int i = 0; i < 2; i++) {
            if (order & 1) cr_expect(eq(int, nido_chan_close_recv(chan), 0));
            if (order != 1) cr_expect(eq(int, nido_chan_close_send(chan), 0));
            if (order & 2) cr_expect(eq(int, nido_chan_close_recv(chan), 0));
        }
        cr_expect(eq(int, nido_chan_free(chan), 0));
    }
}

/* S226 */
INSIDE(chan_close, the_last_of_several_ends_closes)
{
    nido_chan *chan = new_chan(3);

    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_chan_retain_send(chan), 0));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_chan_release_send(chan), 0));
    expect_send(chan, 1, 0);
    cr_expect(eq(int, nido_chan_release_send(chan), 0));
    expect_send(chan, 2, -EPIPE);
    cr_expect(eq(int, nido_chan_release_send(chan), 0), "nothing more to release");
    cr_expect(eq(int, nido_chan_retain_send(chan), -EPIPE));
    cr_expect(eq(int, nido_chan_retain_recv(chan), 0));
    cr_expect(eq(int, nido_chan_release_recv(chan), 0));
    expect_recv(chan, 1);
    cr_expect(eq(int, nido_chan_release_recv(chan), 0));
    cr_expect(eq(int, nido_chan_release_recv(chan), 0));
    cr_expect(eq(int, nido_chan_retain_recv(chan), -EPIPE));
    nido_chan_free(chan);
}

static int receive_and_fail(void *chan)
{
    int item, rc = nido_chan_recv(chan, &item);

    if (!rc) rc = -EIO;
    nido_chan_release_recv(chan);
    return rc;
}

/* S227 */
INSIDE(chan_close, a_receiver_that_fails_does_not_leave_senders_hanging)
{
    nido_chan *chan = new_chan(0);
    struct user senders[3];
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 3; i++) begin_user(&group, sends, &senders[i], chan, i);
    begin(&group, receive_and_fail, chan);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, senders[0].rc, 0));
    cr_expect(eq(int, senders[1].rc, -EPIPE));
    cr_expect(eq(int, senders[2].rc, -EPIPE));
    nido_chan_free(chan);
}

INSIDE(chan_close, a_reservation_that_outlives_a_side_is_refused_at_the_commit)
{
    int item = 1;

    for (int side = 0; side < 2; side++) {
        nido_chan *chan = new_chan(1);

        cr_expect(eq(int, nido_chan_reserve(chan), 0));
        if (side)
            nido_chan_close_send(chan);
        else
            nido_chan_close_recv(chan);
        cr_expect(eq(int, nido_chan_commit(chan, &item), -EPIPE));
        cr_expect(eq(int, nido_chan_commit(chan, &item), -EPERM), "it is used up");
        cr_expect(eq(sz, nido_chan_count(chan), 0));
        nido_chan_free(chan);
    }
}

INSIDE(chan_close, freeing_one_sends_everybody_away_and_drops_what_is_left)
{
    struct dropped dropped = {0};
    struct user parked[2];
    nido_chan *chan;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_chan_new(sizeof(int), 1, count_drop, &dropped, &chan), 0));
    expect_send(chan, 1, 0);
    begin_user(&group, sends, &parked[0], chan, 2);
    begin_user(&group, reserves, &parked[1], chan, 3);
    cr_expect(eq(int, nido_chan_free(chan), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, parked[i].rc, -EPIPE));
    cr_expect(eq(int, dropped.sum, 1));
}

static int leave_two(void *chan)
{
    expect_send(chan, 4, 0);
    expect_send(chan, 5, 0);
    return 0;
}

NIDO_TEST(chan_close, what_a_run_leaves_behind_is_dropped_after_it)
{
    struct dropped dropped = {0};
    nido_chan *chan;

    cr_expect(eq(int, nido_chan_new(sizeof(int), 2, count_drop, &dropped, &chan), 0));
    cr_expect(eq(int, nido_test_run(leave_two, chan), 0));
    cr_expect(eq(int, nido_chan_free(chan), 0));
    cr_expect(eq(int, dropped.sum, 9));
}

static void meddle(void *ctx, void *item, int result)
{
    nido_chan *chan = *(nido_chan **)ctx;
    int other = 0;

    (void)item, (void)result;
    cr_expect(eq(int, nido_chan_recv(chan, &other), -EDEADLK), "this must not park");
    expect_try_send(chan, 1, -EPIPE);
    expect_try_recv(chan, -EPIPE);
    cr_expect(eq(int, nido_chan_close_recv(chan), 0));
}

/* S367: for the drop callback of a channel */
INSIDE(chan_close, a_drop_callback_cannot_wait_and_finds_the_channel_closed)
{
    nido_chan *chan;

    cr_expect(eq(int, nido_chan_new(sizeof(int), 2, meddle, &chan, &chan), 0));
    expect_send(chan, 1, 0);
    expect_send(chan, 2, 0);
    cr_expect(eq(int, nido_chan_close_recv(chan), 0));
    cr_expect(eq(sz, nido_chan_count(chan), 0));
    nido_chan_free(chan);
}

/* S238 */
INSIDE(chan_close, a_busy_receiver_gets_all_the_items_first)
{
    nido_chan *chan = new_chan(8);
    struct user parked;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, receives, &parked, chan, 0);
    for (int i = 0; i < 8; i++) expect_send(chan, i, 0);
    nido_chan_close_send(chan);
    nido_sleep(NIDO_SEC(60)); /* busy */
    cr_expect(eq(int, parked.value, 0));
    for (int i = 1; i < 8; i++) expect_recv(chan, i);
    expect_try_recv(chan, -EPIPE);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

/* ---- Memory ---- */

INSIDE(chan_close, memory_is_wanted_once_at_the_beginning)
{
    nido_chan *chan = NULL;
    struct user receiver;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    faults_begin();
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_chan_new(sizeof(int), 4, NULL, NULL, &chan), -ENOMEM));
    cr_expect(eq(ptr, chan, NULL));
    chan = new_chan(4);
    cr_expect(eq(ulong, faults_count(FAULT_memory), 2));
    begin_user(&group, receives, &receiver, chan, 0);
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    for (int i = 0; i < 5; i++) expect_send(chan, i, 0);
    for (int i = 1; i < 5; i++) expect_recv(chan, i);
    nido_chan_free(chan);
    faults_end();
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

/* ---- A ring ---- */

enum { RING = 10000, ROUNDS = 10 };

struct member {
    nido_chan in;
    struct member *next;
};

static int pass_on(void *arg)
{
    struct member *self = arg;
    int token;

    for (int i = 0; i < ROUNDS; i++) {
        if (nido_chan_recv(&self->in, &token) != 0) return -EIO;
        token++;
        if (nido_chan_send(&self->next->in, &token) != 0) return -EIO;
    }
    return 0;
}

static int run_ring(void *arg)
{
    struct member *ring = arg;
    nido_group group;
    int token = 0;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 1; i < RING; i++) begin(&group, pass_on, &ring[i]);
    for (int i = 0; i < ROUNDS; i++) {
        expect_send(&ring[1].in, token, 0);
        cr_expect(eq(int, nido_chan_recv(&ring[0].in, &token), 0));
    }
    cr_expect(eq(int, token, ROUNDS *(RING - 1)));
    return nido_group_close(&group, 0);
}

/* S236 */
NIDO_TEST(chan_close, a_token_goes_round_ten_thousand_tasks)
{
    struct member *ring = calloc(RING, sizeof *ring);
    nido_options options = nido_test_virtual();

    options.stack_size = 16384;
    for (int i = 0; i < RING; i++) {
        ring[i].next = &ring[(i + 1) % RING];
        nido_chan_init(&ring[i].in, sizeof(int), 0, NULL, NULL, NULL, NULL);
    }
    cr_expect(eq(int, nido_run(run_ring, ring, &options), 0));
    for (int i = 0; i < RING; i++) cr_expect(eq(int, nido_chan_deinit(&ring[i].in), 0));
    free(ring);
}

/* ---- What reports say ---- */

static void keep(void *ctx, const char *text)
{
    strncat(ctx, text, 4095);
}

static int wait_on_both_sides(void *chans)
{
    nido_chan *full = ((nido_chan **)chans)[0], *empty = ((nido_chan **)chans)[1];
    struct user sender, receiver;
    nido_group group;

    nido_chan_set_name(full, "jobs");
    nido_chan_set_name(empty, "answers");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_user(&group, sends, &sender, full, 1);
    begin_user(&group, receives, &receiver, empty, 1);
    return nido_group_close(&group, 0);
}

NIDO_TEST(chan_close, the_deadlock_report_names_channels)
{
    nido_chan *chans[] = {new_chan(0), new_chan(1)};
    char text[4096] = "";
    nido_options options = nido_test_virtual();

    options.on_report = keep;
    options.ctx = text;
    cr_expect(eq(int, nido_run(wait_on_both_sides, chans, &options), -EDEADLK));
    cr_expect(ne(ptr, strstr(text, "waits for room in channel \"jobs\""), NULL), "%s", text);
    cr_expect(ne(ptr, strstr(text, "waits for an item of channel \"answers\""), NULL), "%s", text);
    for (int i = 0; i < 2; i++) nido_chan_free(chans[i]);
}

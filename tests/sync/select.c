/* SPDX-License-Identifier: MIT */
/* Select over channels: which arm is done, and that no other is. */
#include <limits.h>
#include <string.h>

#include "chan_help.h"

enum { TRIES = 10000 };

/* A select over two channels: which arm, and what each would have received. */
struct chooser {
    nido_chan *a, *b;
    int got[2];
    int index; /* -1 until it is over */
    int status;
    nido_task task;
};

static int chooses(void *arg)
{
    struct chooser *self = arg;
    nido_arm arms[2];

    nido_arm_recv(&arms[0], self->a, &self->got[0]);
    nido_arm_recv(&arms[1], self->b, &self->got[1]);
    self->index = nido_select(arms, 2, 0);
    if (self->index >= 0) self->status = arms[self->index].status;
    return 0;
}

static void begin_chooser(nido_group *group, struct chooser *chooser, nido_chan *a, nido_chan *b)
{
    *chooser = (struct chooser){.a = a, .b = b, .got = {-1, -1}, .index = -1, .status = 1};
    chooser->task = begin_kept(group, chooses, chooser);
    nido_yield();
    cr_expect(eq(int, chooser->index, -1), "it should wait");
}

/* How often each of n channels that always have an item is chosen. */
static void count_choices(int n, unsigned flags, int *counts, int rounds)
{
    nido_chan *chans[8];
    nido_arm arms[8];
    int items[8];

    for (int i = 0; i < n; i++) {
        chans[i] = new_chan(1);
        nido_arm_recv(&arms[i], chans[i], &items[i]);
        counts[i] = 0;
        expect_send(chans[i], i, 0);
    }
    for (int round = 0; round < rounds; round++) {
        int index = nido_select(arms, (size_t)n, flags);

        cr_assert(index >= 0 && index < n);
        counts[index]++;
        expect_send(chans[index], index, 0);
    }
    for (int i = 0; i < n; i++) nido_chan_free(chans[i]);
}

/* S244 */
INSIDE(select, each_of_several_that_are_ready_gets_its_turn)
{
    int counts[8];

    count_choices(2, 0, counts, TRIES);
    cr_expect(ge(int, counts[0], TRIES * 4 / 10));
    cr_expect(ge(int, counts[1], TRIES * 4 / 10));
    for (int n = 3; n <= 8; n++) {
        count_choices(n, 0, counts, TRIES);
        for (int i = 0; i < n; i++) cr_expect(ge(int, counts[i], TRIES / n / 3), "%d of %d", i, n);
    }
}

/* S245 */
INSIDE(select, with_the_priority_flag_the_first_listed_is_chosen)
{
    int counts[8];

    for (int n = 1; n <= 8; n++) {
        count_choices(n, NIDO_PRIORITY, counts, 100);
        cr_expect(eq(int, counts[0], 100));
    }
}

static int choose_by_seed(void *out)
{
    uint64_t bits = 0;
    nido_chan *chans[2] = {new_chan(1), new_chan(1)};
    int item;

    for (int round = 0; round < 64; round++) {
        nido_arm arms[2];

        for (int i = 0; i < 2; i++) {
            nido_chan_try_send(chans[i], &round);
            nido_arm_recv(&arms[i], chans[i], &item);
        }
        bits = bits << 1 | (uint64_t)nido_select(arms, 2, 0);
    }
    *(uint64_t *)out = bits;
    for (int i = 0; i < 2; i++) nido_chan_free(chans[i]);
    return 0;
}

NIDO_TEST(select, the_same_seed_gives_the_same_choices)
{
    uint64_t bits[3];

    for (int i = 0; i < 3; i++) {
        nido_options options = nido_test_virtual();

        options.seed = i / 2 ? 42 : 7;
        cr_expect(eq(int, nido_run(choose_by_seed, &bits[i], &options), 0));
    }
    cr_expect(eq(u64, bits[0], bits[1]));
    cr_expect(ne(u64, bits[0], bits[2]));
}

/* S247 */
INSIDE(select, in_poll_mode_nothing_ready_is_eagain_and_leaves_no_trace)
{
    nido_chan *chan = new_chan(0);
    int item = -1, other = 3;
    nido_arm arms[2];

    nido_arm_recv(&arms[0], chan, &item);
    nido_arm_send(&arms[1], chan, &other);
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), -EAGAIN));
    expect_try_send(chan, 1, -EAGAIN);
    expect_try_recv(chan, -EAGAIN);
    cr_expect(eq(int, item, -1));
    nido_chan_free(chan);
}

/* S248 */
INSIDE(select, exactly_one_arm_is_done_and_the_task_is_off_the_other_queues)
{
    nido_chan *chans[2] = {new_chan(0), new_chan(0)};
    struct chooser chooser;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) {
        begin_chooser(&group, &chooser, chans[0], chans[1]);
        expect_try_send(chans[i], 5, 0);
        expect_try_send(chans[!i], 6, -EAGAIN);
        expect_try_send(chans[i], 7, -EAGAIN);
        nido_yield();
        cr_expect(eq(int, chooser.index, i));
        cr_expect(eq(int, chooser.status, 0));
        cr_expect(eq(int, chooser.got[i], 5));
        cr_expect(eq(int, chooser.got[!i], -1), "only the winner's memory is written");
    }
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    for (int i = 0; i < 2; i++) nido_chan_free(chans[i]);
}

static int sends_and_receives(void *arg)
{
    struct chooser *self = arg;
    int mine = 77;
    nido_arm arms[2];

    nido_arm_send(&arms[0], self->a, &mine);
    nido_arm_recv(&arms[1], self->a, &self->got[1]);
    self->index = nido_select(arms, 2, 0);
    return 0;
}

/* S250 */
INSIDE(select, a_select_does_no_business_with_itself)
{
    for (int side = 0; side < 2; side++) {
        nido_chan *chan = new_chan(0);
        struct chooser self = {.a = chan, .got = {-1, -1}, .index = -1};
        nido_group group;

        nido_group_open(&group, NIDO_FAIL_FAST, NULL);
        begin(&group, sends_and_receives, &self);
        nido_sleep(1000);
        cr_expect(eq(int, self.index, -1));
        if (side)
            expect_send(chan, 5, 0);
        else
            expect_recv(chan, 77);
        cr_expect(eq(int, nido_group_close(&group, 0), 0));
        cr_expect(eq(int, self.index, side));
        cr_expect(eq(int, self.got[1], side ? 5 : -1));
        nido_chan_free(chan);
    }
}

INSIDE(select, two_selects_that_send_and_receive_do_business_with_each_other)
{
    nido_chan *chan = new_chan(0);
    struct chooser both[2];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < 2; i++) {
        both[i] = (struct chooser){.a = chan, .got = {-1, -1}, .index = -1};
        begin(&group, sends_and_receives, &both[i]);
    }
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, both[0].index + both[1].index, 1));
    for (int i = 0; i < 2; i++) cr_expect(eq(int, both[i].got[1], both[i].index ? 77 : -1));
    nido_chan_free(chan);
}

/* Its send is let in by a place that becomes free while its receive waits too. */
INSIDE(select, its_own_item_does_not_come_back_when_a_place_becomes_free)
{
    nido_chan *chan = new_chan(1);
    struct chooser self = {.a = chan, .got = {-1, -1}, .index = -1};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_chan_reserve(chan), 0));
    begin(&group, sends_and_receives, &self);
    nido_yield();
    cr_expect(eq(int, self.index, -1));
    cr_expect(eq(int, nido_chan_unreserve(chan), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, self.index, 0));
    cr_expect(eq(int, self.got[1], -1));
    expect_recv(chan, 77);
    nido_chan_free(chan);
}

/* S251 */
INSIDE(select, the_same_channel_in_two_arms_gives_one_item_to_one_arm)
{
    nido_chan *chan = new_chan(0);
    struct chooser chooser;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_chooser(&group, &chooser, chan, chan);
    expect_try_send(chan, 1, 0);
    expect_try_send(chan, 2, -EAGAIN);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, chooser.got[chooser.index], 1));
    cr_expect(eq(int, chooser.got[!chooser.index], -1));
    nido_chan_free(chan);
}

/* S253 */
INSIDE(select, no_arms_and_unknown_flags_are_refused)
{
    nido_arm arm;

    nido_arm_timer(&arm, 0);
    cr_expect(eq(int, nido_select(NULL, 0, 0), -EINVAL));
    cr_expect(eq(int, nido_select(&arm, (size_t)INT_MAX + 1, 0), -EINVAL));
    cr_expect(eq(int, nido_select(&arm, 1, 4), -EINVAL));
    cr_expect(eq(int, nido_select(&arm, 1, 0), 0));
}

/* S256 */
INSIDE(select, a_cancelled_one_leaves_all_queues_as_they_were)
{
    nido_chan *chans[2] = {new_chan(0), new_chan(0)};
    struct chooser chooser;
    struct user behind;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_chooser(&group, &chooser, chans[0], chans[1]);
    begin_user(&group, receives, &behind, chans[1], -1);
    cr_expect(eq(int, nido_task_cancel(chooser.task, 0, NULL), 0));
    expect_try_send(chans[0], 1, -EAGAIN);
    expect_try_send(chans[1], 2, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, chooser.index, -ECANCELED));
    cr_expect(eq(int, behind.value, 2));
    for (int i = 0; i < 2; i++) {
        cr_expect(eq(int, chooser.got[i], -1));
        nido_chan_free(chans[i]);
    }
}

INSIDE(select, one_that_was_served_and_then_cancelled_has_its_item)
{
    nido_chan *chans[2] = {new_chan(0), new_chan(0)};
    struct chooser chooser;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_chooser(&group, &chooser, chans[0], chans[1]);
    expect_try_send(chans[1], 4, 0);
    nido_task_cancel(chooser.task, 0, NULL);
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_chan_free(chans[i]), 0)); /* gone already */
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, chooser.index, 1));
    cr_expect(eq(int, chooser.got[1], 4));
}

INSIDE(select, a_cancelled_task_tries_nothing)
{
    nido_chan *chan = new_chan(1);
    nido_scope scope;
    nido_arm arm;
    int item = -1;

    expect_send(chan, 1, 0);
    nido_arm_recv(&arm, chan, &item);
    nido_timeout_open(&scope, 0);
    cr_expect(eq(int, nido_select(&arm, 1, 0), -ECANCELED));
    cr_expect(eq(int, nido_select(&arm, 1, NIDO_POLL), -ECANCELED));
    cr_expect(eq(int, nido_scope_close(&scope, -ECANCELED), -ETIMEDOUT));
    cr_expect(eq(int, item, -1));
    expect_recv(chan, 1);
    nido_chan_free(chan);
}

INSIDE(select, a_closed_channel_is_an_arm_that_is_done)
{
    nido_chan *chans[2] = {new_chan(0), new_chan(0)};
    struct chooser chooser;
    nido_group group;
    nido_arm arm;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin_chooser(&group, &chooser, chans[0], chans[1]);
    nido_chan_close_send(chans[1]);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, chooser.index, 1));
    cr_expect(eq(int, chooser.status, -EPIPE));
    nido_arm_recv(&arm, chans[1], &chooser.got[0]);
    cr_expect(eq(int, nido_select(&arm, 1, NIDO_POLL), 0));
    cr_expect(eq(int, arm.status, -EPIPE));
    for (int i = 0; i < 2; i++) nido_chan_free(chans[i]);
}

/* ---- Many rounds ---- */

enum { STRESS = 100000 };

struct trader {
    nido_chan *first, *second; /* sends on one, receives on the other, whichever comes */
    int sent, received;
};

static int trades(void *arg)
{
    struct trader *self = arg;
    int item;

    for (int round = 0; round < STRESS; round++) {
        nido_arm arms[2];
        int index;

        nido_arm_send(&arms[0], self->first, &round);
        nido_arm_recv(&arms[1], self->second, &item);
        index = nido_select(arms, 2, 0);
        if (index < 0 || arms[index].status) return -EIO;
        if (index)
            self->received++;
        else
            self->sent++;
    }
    return 0;
}

/* S257 */
INSIDE(select, two_tasks_over_the_same_channels_in_opposite_order_never_hang)
{
    nido_chan *a = new_chan(0), *b = new_chan(0);
    struct trader left = {a, b, 0, 0}, right = {b, a, 0, 0};
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, trades, &left);
    begin(&group, trades, &right);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, left.sent, right.received));
    cr_expect(eq(int, left.received, right.sent));
    cr_expect(gt(int, left.sent, STRESS / 4));
    cr_expect(gt(int, left.received, STRESS / 4));
    nido_chan_free(a);
    nido_chan_free(b);
}

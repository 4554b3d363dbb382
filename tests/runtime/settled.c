/* SPDX-License-Identifier: MIT */
/* What was given before the cancel stays given; and channels leave the others their turn. */
#include "inside_help.h"
#include "nido_test.h"

static nido_chan *chan;
static nido_mutex lock;

struct taker {
    nido_scope *scope; /* what the test cancels */
    int item, rc, next_rc;
};

static int take_in_scope(void *arg)
{
    struct taker *taker = arg;
    nido_scope scope;

    taker->scope = &scope;
    nido_scope_open(&scope);
    taker->rc = nido_chan_recv(chan, &taker->item);
    taker->next_rc = nido_chan_recv(chan, &taker->item);
    return nido_scope_close(&scope, taker->next_rc);
}

/* S155 */
INSIDE(settled, an_item_sent_before_the_cancel_is_received)
{
    struct taker taker = {.rc = 1, .next_rc = 1};
    nido_group group;
    int item = 42;

    cr_expect(eq(int, nido_chan_new(sizeof(int), 0, NULL, NULL, &chan), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, take_in_scope, &taker), 0));
    cr_expect(eq(int, nido_yield(), 0));
    cr_expect(eq(int, nido_chan_send(chan, &item), 0));
    cr_expect(eq(int, nido_scope_cancel(taker.scope, 0, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, taker.rc, 0));
    cr_expect(eq(int, taker.item, 42));
    cr_expect(eq(int, taker.next_rc, -ECANCELED));
    cr_expect(eq(int, nido_chan_free(chan), 0));
}

static int lock_in_scope(void *arg)
{
    struct taker *taker = arg;
    nido_scope scope;

    taker->scope = &scope;
    nido_scope_open(&scope);
    taker->rc = nido_mutex_lock(&lock);
    taker->next_rc = nido_mutex_unlock(&lock); /* -EPERM for anybody but the owner */
    return nido_scope_close(&scope, 0);
}

/* S158 */
INSIDE(settled, a_lock_handed_over_before_the_cancel_is_owned)
{
    struct taker taker = {.rc = 1, .next_rc = 1};
    nido_group group;

    nido_mutex_init(&lock, "lock");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_mutex_lock(&lock), 0));
    cr_expect(eq(int, nido_spawn(&group, lock_in_scope, &taker), 0));
    cr_expect(eq(int, nido_yield(), 0));
    cr_expect(eq(int, nido_mutex_unlock(&lock), 0));
    cr_expect(eq(int, nido_scope_cancel(taker.scope, 0, NULL), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, taker.rc, 0));
    cr_expect(eq(int, taker.next_rc, 0));
    cr_expect(eq(int, nido_mutex_deinit(&lock), 0));
}

/* ---- Turns ---- */

static int rounds; /* of the players below */

static int serve(void *unused)
{
    int rc = 0;

    (void)unused;
    while (!rc) rc = nido_chan_send(chan, &rounds);
    return rc == -EPIPE ? 0 : rc;
}

static int play(void *third_ran)
{
    int ball, rc = 0;

    while (!rc && !*(bool *)third_ran) {
        rc = nido_chan_recv(chan, &ball);
        rounds++;
    }
    return nido_chan_close_recv(chan);
}

static int note_turn(void *ran)
{
    *(bool *)ran = true;
    return 0;
}

/* Two players and a third who only wants one turn: it comes within a batch of 64. S334 */
INSIDE(settled, a_pair_on_a_channel_leaves_a_third_its_turn)
{
    nido_group group;
    bool third_ran = false;

    rounds = 0;
    cr_expect(eq(int, nido_chan_new(sizeof(int), 0, NULL, NULL, &chan), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, serve, NULL), 0));
    cr_expect(eq(int, nido_spawn(&group, play, &third_ran), 0));
    cr_expect(eq(int, nido_spawn(&group, note_turn, &third_ran), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(le(int, rounds, 64));
    cr_expect(eq(int, nido_chan_free(chan), 0));
}

static int fill_and_drain(void *other_ran)
{
    int item = 0, calls = 0, rc = 0;

    while (!rc && !*(bool *)other_ran) {
        rc = calls++ & 1 ? nido_chan_recv(chan, &item) : nido_chan_send(chan, &item);
    }
    rounds = calls;
    return rc;
}

/* S335 */
INSIDE(settled, a_channel_that_is_always_ready_is_left_after_the_budget)
{
    nido_group group;
    bool other_ran = false;

    rounds = 0;
    cr_expect(eq(int, nido_chan_new(sizeof(int), 1, NULL, NULL, &chan), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_spawn(&group, fill_and_drain, &other_ran), 0));
    cr_expect(eq(int, nido_spawn(&group, note_turn, &other_ran), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(le(int, rounds, 129));
    cr_expect(eq(int, nido_chan_free(chan), 0));
}

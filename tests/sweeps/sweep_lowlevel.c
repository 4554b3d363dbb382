/* SPDX-License-Identifier: MIT */
/* Objects of users, made of nido/lowlevel.h, swept as our own are. */
#include "lowlevel_help.h"
#include "sweep_help.h"

int phaser_main(int argc, char **argv);
#define main phaser_main
#include "../../examples/phaser.c"

static struct purse purse;

static int borrow(int coins)
{
    nido_scope scope;
    int rc;

    ALONE(scope, rc, nido_waitq_wait(&purse.queue, &coins));
    if (rc) return unless_struck(rc);
    rc = nido_yield();
    LAW(purse_give(&purse, coins) == 0);
    return rc;
}

static int borrow_one(void *unused)
{
    (void)unused;
    return borrow(1);
}

static int borrow_two(void *unused)
{
    (void)unused;
    return borrow(2);
}

/* By an arm, beside one that may be done first. */
static int borrow_or_give_up(void *unused)
{
    nido_arm arms[2];
    nido_scope scope;
    int rc, one = 1;

    (void)unused;
    nido_arm_waitq(&arms[0], &purse.queue, &one);
    nido_arm_timer(&arms[1], nido_after(1));
    ALONE(scope, rc, nido_select(arms, 2, 0));
    if (rc) return unless_struck(rc == 1 ? 0 : rc);
    LAW(purse_give(&purse, 1) == 0);
    return 0;
}

static int share_coins(void *unused)
{
    int rc;

    purse.coins = 2;
    nido_waitq_init(&purse.queue, &purse_kind, "coins");
    rc = TOGETHER(unused, borrow_one, borrow_two, borrow_or_give_up, borrow_one, borrow_two);
    LAW(purse.coins == 2);
    LAW(nido_waitq_deinit(&purse.queue) == 0);
    return rc;
}
SWEPT(a_users_object_loses_nothing, share_coins)

static struct padlock padlock;
static int inside;

static int hold(void *unused)
{
    nido_scope scope;
    int rc;

    (void)unused;
    ALONE(scope, rc, padlock_take(&padlock));
    if (rc) return unless_struck(rc);
    LAW(inside++ == 0);
    rc = nido_yield();
    inside--;
    LAW(padlock_give(&padlock) >= 0);
    return rc;
}

static int hold_in_turn(void *unused)
{
    int rc;

    inside = 0;
    padlock.owner = (nido_task){0};
    nido_waitq_init(&padlock.queue, &padlock_kind, "padlock");
    rc = TOGETHER(unused, hold, hold, hold);
    LAW(padlock.owner.id == 0);
    LAW(nido_waitq_deinit(&padlock.queue) == 0);
    return rc;
}
SWEPT(a_users_lock_is_held_by_one, hold_in_turn)

enum { PARTIES = 3, GONE = 100 };
static struct phaser phaser;
static int steps[PARTIES]; /* how many phases each has come to the end of */

static bool all_came(int step)
{
    for (int i = 0; i < PARTIES; i++)
        if (steps[i] < step) return false;
    return true;
}

/* In two phases; one that is struck leaves, and its arrival is not counted twice. */
static int take_part(void *step)
{
    int *mine = step, rc = 0;

    while (*mine < 2 && rc == 0) {
        nido_scope scope;

        ++*mine;
        ALONE(scope, rc, phaser_arrive_and_await(&phaser));
        LAW(rc != 0 || all_came(*mine));
    }
    *mine = GONE;
    LAW(phaser_deregister(&phaser) == 0);
    return unless_struck(rc);
}

static int watch_one_phase(void *unused)
{
    nido_scope scope;
    nido_arm arm;
    unsigned phase = 0;
    int rc;

    (void)unused;
    phaser_arm(&arm, &phaser, &phase);
    ALONE(scope, rc, nido_select(&arm, 1, 0));
    LAW(rc != 0 || phaser.phase > 0);
    return unless_struck(rc);
}

static int come_and_go(void *unused)
{
    nido_group group;
    int rc = 0;

    (void)unused;
    phaser_init(&phaser, "phaser");
    nido_group_open(&group, NIDO_WAIT_ALL, "parties");
    for (int i = 0; i < PARTIES; i++) phaser_register(&phaser);
    for (int i = 0; i < PARTIES; i++) {
        int err = nido_spawn(&group, take_part, &steps[i]);

        steps[i] = err ? GONE : 0;
        if (err) LAW(phaser_deregister(&phaser) == 0);
        if (err) rc = err;
    }
    if (!rc) rc = nido_spawn(&group, watch_one_phase, NULL);
    rc = nido_group_close(&group, rc);
    LAW(phaser_deinit(&phaser) == 0);
    return rc;
}
SWEPT(a_party_that_leaves_does_not_hold_up_the_others, come_and_go)

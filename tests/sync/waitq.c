/* SPDX-License-Identifier: MIT */
/* Objects of users, made of nido/lowlevel.h. */
#include "abort_help.h"
#include "lowlevel_help.h"
#include "sync_help.h"

static struct purse purse;

static int take_one(void *unused)
{
    (void)unused;
    return purse_take(&purse, 1);
}

static int take_two(void *unused)
{
    (void)unused;
    return purse_take(&purse, 2);
}

static int give_one(void *unused)
{
    (void)unused;
    return purse_give(&purse, 1);
}

static void purse_make(int coins)
{
    purse.coins = coins;
    nido_waitq_init(&purse.queue, &purse_kind, "coins");
}

SYNC_TEST(waitq, a_wait_ends_at_once_or_in_the_order_of_asking)
{
    struct call a, b, c;

    purse_make(1);
    cr_expect(zero(int, take_one(NULL)));
    cr_expect(nido_waitq_empty(&purse.queue));
    cr_expect(eq(ptr, nido_waitq_first(&purse.queue), NULL));
    call_make(group, &a, take_one, NULL);
    call_make(group, &b, take_two, NULL);
    call_make(group, &c, take_one, NULL);
    cr_expect(not(nido_waitq_empty(&purse.queue)));
    cr_expect(eq(int, nido_waitq_deinit(&purse.queue), -EBUSY));
    cr_expect(zero(int, purse_give(&purse, 2)));
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, b.rc, WAITING), "it wants two");
    cr_expect(eq(int, c.rc, WAITING), "it is behind");
    cr_expect(zero(int, purse_give(&purse, 2)));
    let_run();
    cr_expect(eq(int, b.rc, 0));
    cr_expect(eq(int, c.rc, 0));
    cr_expect(zero(int, purse.coins));
    cr_expect(eq(int, nido_waitq_deinit(&purse.queue), 0));
}

SYNC_TEST(waitq, a_cancelled_wait_takes_nothing_and_lets_those_behind_go_on)
{
    struct call a, b;

    purse_make(1);
    call_make(group, &a, take_two, NULL);
    call_make(group, &b, take_one, NULL);
    call_cancel(&a);
    let_run();
    cr_expect(eq(int, a.rc, -ECANCELED));
    cr_expect(eq(int, b.rc, 0));
    cr_expect(zero(int, purse.coins));
}

SYNC_TEST(waitq, a_cancel_after_the_wake_comes_too_late)
{
    struct call a;

    purse_make(0);
    call_make(group, &a, take_one, NULL);
    purse_give(&purse, 1);
    call_cancel(&a);
    let_run();
    cr_expect(eq(int, a.rc, 0));
    cr_expect(eq(int, a.next, -ECANCELED));
}

/* Nothing ever passes; the item counts the attempts. */
static int count_attempt(nido_waitq *queue, void *item)
{
    (void)queue;
    ++*(int *)item;
    return nido_yield() == -EDEADLK ? -EAGAIN : -EPROTO;
}

static const nido_wait_kind counting = {.name = "count", .attempt = count_attempt};
static nido_waitq counted;
static int attempts;

static int wait_counted(void *unused)
{
    (void)unused;
    return nido_waitq_wait(&counted, &attempts);
}

SYNC_TEST(waitq, a_wake_gives_a_value_or_has_it_attempted_anew)
{
    struct call a, b;

    attempts = 0;
    nido_waitq_init(&counted, &counting, NULL);
    cr_expect(zero(int, nido_waitq_wake(&counted, 5)));
    call_make(group, &a, wait_counted, NULL);
    cr_expect(eq(int, attempts, 1), "an attempt must not park");
    cr_expect(eq(int, nido_waitq_wake(&counted, -EAGAIN), 1));
    let_run();
    cr_expect(eq(int, a.rc, WAITING));
    cr_expect(eq(int, attempts, 2));
    call_make(group, &b, wait_counted, NULL);
    cr_expect(eq(int, nido_waitq_wake_all(&counted, 7), 2));
    cr_expect(zero(int, nido_waitq_wake_all(&counted, 8)));
    let_run();
    cr_expect(eq(int, a.rc, 7));
    cr_expect(eq(int, b.rc, 7));
}

static bool stop;

static int take_without_end(void *unused)
{
    int rc = 0;

    (void)unused;
    while (!stop && rc == 0) {
        rc = take_one(NULL);
        if (rc == 0) rc = give_one(NULL);
    }
    return rc;
}

static int stop_it(void *unused)
{
    (void)unused;
    stop = true;
    return 0;
}

SYNC_TEST(waitq, waits_that_need_not_wait_yield_too)
{
    struct call a;

    stop = false;
    purse_make(1);
    call_spawn(group, &a, take_without_end, NULL);
    cr_expect(zero(int, nido_spawn(group, stop_it, NULL)));
    let_run();
    cr_expect(zero(int, a.rc));
}

/* ---- In a select ---- */

static int select_one(void *unused)
{
    nido_arm arms[2];
    int one = 1;

    (void)unused;
    nido_arm_waitq(&arms[0], &purse.queue, &one);
    nido_arm_timer(&arms[1], nido_after(NIDO_SEC(1)));
    return nido_select(arms, 2, NIDO_PRIORITY) * 10 + arms[0].status;
}

SYNC_TEST(waitq, an_arm_waits_as_a_task_does)
{
    struct call a, b;

    purse_make(1);
    cr_expect(zero(int, select_one(NULL)), "at once");
    call_make(group, &a, select_one, NULL);
    purse_give(&purse, 1);
    let_run();
    cr_expect(zero(int, a.rc));
    cr_expect(zero(int, purse.coins));
    call_make(group, &b, select_one, NULL);
    nido_sleep(NIDO_SEC(2));
    cr_expect(eq(int, b.rc, 10), "the timer");
    cr_expect(nido_waitq_empty(&purse.queue));
}

static int select_two(void *unused)
{
    nido_arm arms[2];
    int two = 2;

    (void)unused;
    nido_arm_waitq(&arms[0], &purse.queue, &two);
    nido_arm_timer(&arms[1], nido_after(NIDO_SEC(1)));
    return nido_select(arms, 2, 0);
}

SYNC_TEST(waitq, an_arm_that_leaves_lets_those_behind_go_on)
{
    struct call a, b;

    purse_make(1);
    call_make(group, &a, select_two, NULL);
    call_make(group, &b, take_one, NULL);
    cr_expect(eq(int, b.rc, WAITING));
    nido_sleep(NIDO_SEC(2));
    cr_expect(eq(int, a.rc, 1));
    cr_expect(eq(int, b.rc, 0));
}

static int select_counted(void *unused)
{
    nido_arm arm;

    (void)unused;
    nido_arm_waitq(&arm, &counted, &attempts);
    return nido_select(&arm, 1, 0) ? -EPROTO : arm.status;
}

SYNC_TEST(waitq, an_arm_that_is_woken_to_attempt_anew_does)
{
    struct call a;

    attempts = 0;
    nido_waitq_init(&counted, &counting, NULL);
    call_make(group, &a, select_counted, NULL);
    nido_waitq_wake(&counted, -EAGAIN);
    let_run();
    cr_expect(eq(int, attempts, 2));
    nido_waitq_wake(&counted, 7);
    let_run();
    cr_expect(eq(int, a.rc, 7));
}

/* ---- Whose it is ---- */

static struct padlock left, right;

static int take_left(void *unused)
{
    (void)unused;
    return padlock_take(&left);
}

static int take_both(void *which)
{
    struct padlock *first = which, *second = first == &left ? &right : &left;
    int rc = padlock_take(first);

    if (!rc) rc = nido_sleep(1);
    if (!rc) rc = padlock_take(second);
    if (rc == -EDEADLK) padlock_give(first);
    return rc;
}

static void padlocks_make(void)
{
    nido_waitq_init(&left.queue, &padlock_kind, "left");
    nido_waitq_init(&right.queue, &padlock_kind, "right");
    left.owner = right.owner = (nido_task){0};
}

static int take_left_for_good(void *unused)
{
    nido_event never;
    int rc = padlock_take(&left);

    (void)unused;
    nido_event_init(&never, "never");
    return rc ? rc : nido_event_wait(&never);
}

static int one_holds_it_for_good(void *unused)
{
    nido_group group;
    int rc;

    padlocks_make();
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, take_left_for_good, unused);
    if (!rc) rc = nido_spawn(&group, take_left, unused);
    return nido_group_close(&group, rc);
}

NIDO_TEST(waitq, a_deadlock_names_it_and_its_owner)
{
    char report[4096];

    cr_expect(eq(int, run_for_report(one_holds_it_for_good, NULL, report), -EDEADLK));
    cr_expect(strstr(report, "waits for padlock \"left\" of #") != NULL, "%s", report);
}

SYNC_TEST(waitq, a_ring_of_waits_is_refused)
{
    struct call a, b;

    padlocks_make();
    call_spawn(group, &a, take_both, &left);
    call_spawn(group, &b, take_both, &right);
    nido_sleep(NIDO_SEC(1));
    cr_expect(eq(int, a.rc == -EDEADLK ? b.rc : a.rc, 0), "%d %d", a.rc, b.rc);
    cr_expect(eq(int, a.rc == -EDEADLK ? a.rc : b.rc, -EDEADLK));
}

static int wake_first(void *unused)
{
    (void)unused;
    return nido_waitq_wake(&purse.queue, 0);
}

static int wake_all(void *unused)
{
    (void)unused;
    return nido_waitq_wake_all(&purse.queue, 0);
}

SYNC_TEST(waitq, another_thread_may_not_touch_it_while_tasks_wait)
{
    static nido_fn *const uses[] = {give_one, wake_first, wake_all, take_one};
    struct call a;

    purse_make(0);
    call_make(group, &a, take_one, NULL);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        cr_expect(eq(int, in_other_runtime(uses[i], NULL), -EXDEV));
        cr_expect(eq(int, on_plain_thread(uses[i], NULL), -EPERM));
    }
    cr_expect(eq(int, in_other_runtime(select_one, NULL), -EXDEV), "the arm is done with that");
    purse_give(&purse, 1);
    let_run();
    cr_expect(zero(int, a.rc));
    cr_expect(eq(int, in_other_runtime(give_one, NULL), -EXDEV), "idle too");
    cr_expect(zero(int, on_plain_thread(give_one, NULL)));
}

/* ---- What ends the program with a sentence ---- */

static int never(nido_waitq *queue, void *item)
{
    (void)queue;
    (void)item;
    return -EAGAIN;
}

static int uses_a_queue_without_init(void *unused)
{
    nido_waitq zeros = {0};

    (void)unused;
    return nido_waitq_use(&zeros, false);
}

static int waits_in_a_queue_without_init(void *unused)
{
    nido_waitq zeros = {0};

    (void)unused;
    return nido_waitq_wait(&zeros, NULL);
}

static int inits_without_a_kind(void *unused)
{
    nido_waitq made;

    (void)unused;
    nido_waitq_init(&made, NULL, "mine");
    return 0;
}

static int inits_without_an_attempt(void *unused)
{
    static const nido_wait_kind kind = {.name = "gate"};
    nido_waitq made;

    (void)unused;
    nido_waitq_init(&made, &kind, "mine");
    return 0;
}

static int inits_without_a_name(void *unused)
{
    static const nido_wait_kind kind = {.attempt = never};
    nido_waitq made;

    (void)unused;
    nido_waitq_init(&made, &kind, "mine");
    return 0;
}

static int wakes_as_a_cancel(void *unused)
{
    static const nido_wait_kind kind = {.name = "gate", .attempt = never};
    nido_waitq made;

    (void)unused;
    nido_waitq_init(&made, &kind, "mine");
    return nido_waitq_wake(&made, -ECANCELED);
}

NIDO_TEST(waitq, a_beginners_mistake_ends_with_a_sentence)
{
    EXPECT_LAST_WORDS(uses_a_queue_without_init, "nido_waitq_init has not made");
    EXPECT_LAST_WORDS(waits_in_a_queue_without_init, "nido_waitq_init has not made");
    EXPECT_LAST_WORDS(inits_without_a_kind, "nido_waitq_init of \"mine\"", "no struct");
    EXPECT_LAST_WORDS(inits_without_an_attempt, "nido_waitq_init of \"mine\"", "no attempt");
    EXPECT_LAST_WORDS(inits_without_a_name, "nido_waitq_init of \"mine\"", "no name");
    EXPECT_LAST_WORDS(wakes_as_a_cancel, "a waiter of \"mine\"", "only a cancel may say");
}

/* SPDX-License-Identifier: MIT */
/* NIDO_RACE: one winner, and nothing of the losers is lost. */
#include "group_help.h"

struct drops {
    int count;
    void *arg;
    int result;
    int parked; /* what a call that may park said */
};

static void note_drop(void *ctx, void *arg, int result)
{
    struct drops *drops = ctx;

    drops->count++;
    drops->arg = arg;
    drops->result = result;
    drops->parked = nido_yield();
}

static void open_race(nido_group *group, struct drops *drops)
{
    nido_group_options options;

    nido_group_options_init(&options);
    options.policy = NIDO_RACE;
    options.drop = note_drop;
    options.drop_ctx = drops;
    nido_group_open_with(group, &options);
}

static int three_runners(void *unused)
{
    struct plan plans[] = {{.ns = NIDO_SEC(3), .rc = 30},
                           {.ns = NIDO_SEC(1), .rc = 10},
                           {.ns = NIDO_SEC(2), .rc = 20}};
    nido_task tasks[3], winner;
    struct drops drops = {0};
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    for (int i = 0; i < 3; i++)
        cr_expect(zero(int, nido_spawn_with(&group, follow, &plans[i], NULL, &tasks[i])));
    cr_expect(eq(int, nido_race_winner(&group, &winner), -ESRCH));
    cr_expect(eq(int, nido_group_close(&group, 0), 10));
    cr_expect(eq(i64, nido_now(), NIDO_SEC(2)));
    cr_expect(eq(int, plans[0].met, -ECANCELED));
    cr_expect(eq(int, plans[2].met, -ECANCELED));
    cr_expect(zero(int, nido_race_winner(&group, &winner)));
    cr_expect(eq(ulong, winner.id, tasks[1].id));
    cr_expect(zero(int, drops.count));
    return 0;
}

/* S26 */
NIDO_TEST(race, the_first_success_wins_and_cancels_the_rest)
{
    cr_expect(zero(int, nido_test_run(three_runners, NULL)));
}

static int all_fail(void *unused)
{
    struct plan plans[] = {
        {.ns = 2, .rc = -EPERM}, {.ns = 1, .rc = -EIO}, {.ns = 3, .rc = -ENOENT}};
    struct drops drops = {0};
    const nido_error *error;
    nido_task winner;
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    for (int i = 0; i < 3; i++) cr_expect(zero(int, nido_spawn(&group, follow, &plans[i])));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    error = nido_error_last();
    cr_expect(eq(int, nido_error_code(nido_error_cause(error)), -EIO));
    cr_expect(eq(sz, nido_error_suppressed_count(error), 2));
    cr_expect(eq(int, nido_error_code(nido_error_suppressed(error, 0)), -EPERM));
    cr_expect(eq(int, nido_error_code(nido_error_suppressed(error, 1)), -ENOENT));
    cr_expect(eq(int, nido_race_winner(&group, &winner), -ESRCH));
    return 0;
}

/* S28 */
NIDO_TEST(race, if_all_fail_all_errors_are_told)
{
    cr_expect(zero(int, nido_test_run(all_fail, NULL)));
}

static int photo_finish(void *unused)
{
    struct drops drops = {0};
    nido_task tasks[2], winner = {0};
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    for (int i = 0; i < 2; i++)
        cr_expect(zero(int, nido_spawn_with(&group, give, result(i + 5), NULL, &tasks[i])));
    cr_expect(eq(int, nido_group_close(&group, 0), 5));
    cr_expect(zero(int, nido_race_winner(&group, &winner)));
    cr_expect(eq(ulong, winner.id, tasks[0].id));
    cr_expect(eq(int, drops.count, 1));
    cr_expect(eq(ptr, drops.arg, result(6)));
    cr_expect(eq(int, drops.result, 6));
    cr_expect(eq(int, drops.parked, -EDEADLK));
    return 0;
}

/* S29 */
NIDO_TEST(race, a_second_success_is_dropped_once)
{
    cr_expect(zero(int, nido_test_run(photo_finish, NULL)));
}

static int failures_beside_a_winner(void *unused)
{
    struct plan plans[] = {{.rc = -EIO}, {.ns = 1, .rc = 9}};
    struct drops drops = {0};
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    for (int i = 0; i < 2; i++) cr_expect(zero(int, nido_spawn(&group, follow, &plans[i])));
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED), "the body is a loser too");
    cr_expect(eq(int, nido_group_close(&group, -ECANCELED), 9));
    cr_expect(zero(ptr, (void *)nido_error_last()));
    return 0;
}

NIDO_TEST(race, failures_before_the_winner_are_forgotten)
{
    cr_expect(zero(int, nido_test_run(failures_beside_a_winner, NULL)));
}

static int clean_up_and_fail(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    return -EIO;
}

static int a_loser_fails(void *unused)
{
    struct drops drops = {0};
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    cr_expect(zero(int, nido_spawn(&group, clean_up_and_fail, NULL)));
    cr_expect(zero(int, nido_spawn(&group, give, result(2))));
    return nido_group_close(&group, 0);
}

NIDO_TEST(race, what_losers_do_after_it_is_won_does_not_matter)
{
    cr_expect(eq(int, nido_test_run(a_loser_fails, NULL), 2));
}

static int body_fails_after_the_win(void *unused)
{
    struct drops drops = {.arg = &drops};
    nido_task winner;
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    cr_expect(zero(int, nido_spawn(&group, give, result(7))));
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    cr_expect(eq(int, nido_group_close(&group, -EIO), -EIO));
    cr_expect(eq(int, drops.count, 1));
    cr_expect(zero(ptr, drops.arg), "the winner's argument is gone with its task");
    cr_expect(eq(int, drops.result, 7));
    cr_expect(eq(int, nido_race_winner(&group, &winner), -ESRCH));
    return 0;
}

NIDO_TEST(race, a_failing_body_drops_the_winner)
{
    cr_expect(zero(int, nido_test_run(body_fails_after_the_win, NULL)));
}

static int success_after_the_body_failed(void *unused)
{
    struct drops drops = {0};
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    cr_expect(zero(int, nido_spawn(&group, give, result(7))));
    cr_expect(eq(int, nido_group_close(&group, -EIO), -EIO));
    cr_expect(eq(int, drops.count, 1));
    cr_expect(eq(ptr, drops.arg, result(7)));
    return 0;
}

NIDO_TEST(race, nobody_wins_after_the_body_failed)
{
    cr_expect(zero(int, nido_test_run(success_after_the_body_failed, NULL)));
}

static int win_and_be_cancelled(void *unused)
{
    struct drops drops = {0};
    nido_scope scope;
    nido_group group;
    int rc;

    (void)unused;
    nido_scope_open(&scope);
    open_race(&group, &drops);
    cr_expect(zero(int, nido_spawn(&group, give, result(7))));
    cr_expect(eq(int, nido_sleep(NIDO_SEC(1)), -ECANCELED));
    cr_expect(zero(int, nido_scope_cancel(&scope, -ENODATA, NULL)));
    rc = nido_group_close(&group, -ECANCELED);
    cr_expect(eq(int, rc, 7));
    cr_expect(zero(int, drops.count));
    return nido_scope_close(&scope, rc);
}

/* What was won is never lost: a descriptor, say. */
NIDO_TEST(race, an_outer_cancel_does_not_take_the_prize_away)
{
    cr_expect(eq(int, nido_test_run(win_and_be_cancelled, NULL), 7));
}

static int empty_race(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_RACE, NULL);
    return nido_group_close(&group, 3);
}

NIDO_TEST(race, without_runners_the_bodys_result_stands)
{
    cr_expect(eq(int, nido_test_run(empty_race, NULL), 3));
}

static int two_without_drop(void *unused)
{
    nido_task tasks[2];
    nido_group group;
    int rc = 0;

    (void)unused;
    nido_group_open(&group, NIDO_RACE, NULL);
    for (int i = 0; i < 2; i++)
        cr_expect(zero(int, nido_spawn_with(&group, give, result(i + 5), NULL, &tasks[i])));
    cr_expect(eq(int, nido_sleep(1), -ECANCELED));
    cr_expect(zero(int, nido_try_join(tasks[1], &rc)));
    cr_expect(eq(int, rc, 6), "without a drop callback a loser's result stays with its handle");
    return nido_group_close(&group, -ECANCELED);
}

NIDO_TEST(race, without_a_callback_losers_can_be_looked_at)
{
    cr_expect(eq(int, nido_test_run(two_without_drop, NULL), 5));
}

static int failing_service(void *unused)
{
    struct drops drops = {0};
    nido_spawn_options service;
    nido_group group;

    (void)unused;
    open_race(&group, &drops);
    nido_spawn_options_init(&service);
    service.service = true;
    cr_expect(zero(int, nido_spawn_with(&group, give, result(-EIO), &service, NULL)));
    cr_expect(zero(int, nido_spawn(&group, give, result(7))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, drops.count, 1));
    return 0;
}

NIDO_TEST(race, a_failing_service_spoils_it)
{
    cr_expect(zero(int, nido_test_run(failing_service, NULL)));
}
